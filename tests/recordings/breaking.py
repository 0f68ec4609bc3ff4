"""Scenarios of the link: what can happen to it while somebody is asking or trading."""

from __future__ import annotations

import asyncio
from typing import Any

from shared.contract.status import LinkState

from .scenario import scenario
from .stage import Stage

ORDER: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 10, "limit_price": 100}
CLIENT_ID = 1


@scenario()
async def link_cut(stage: Stage) -> None:
    """A cable is pulled while an order works: it is there again after the worker has come back."""
    await stage.call("place_limit_order", **ORDER, client_order_id="survives")
    stage.control.drop_links()
    await stage.in_state(LinkState.LINK_LOST)
    await stage.ask("get_positions")
    await stage.ready()
    await stage.call("get_orders")


@scenario()
async def link_cut_at_an_order(stage: Stage) -> None:
    """A cable is pulled in the moment an order leaves: the order is found after, and is placed once."""
    stage.control.forget_next("place")
    placing = asyncio.ensure_future(stage.ask("place_limit_order", **ORDER, client_order_id="in-between"))
    while not stage.placed():  # noqa: ASYNC110 - the gateway tells nobody
        await asyncio.sleep(0.1)
    stage.control.drop_links()
    await placing
    await stage.ready()
    await stage.call("place_limit_order", **ORDER, client_order_id="in-between")
    assert len(stage.placed()) == 1


@scenario()
async def servers_lost_and_back(stage: Stage) -> None:
    """The gateway loses IBKR's servers (1100) and has them back, nothing lost (1102)."""
    stage.control.send_notice(1100)
    await stage.in_state(LinkState.LINK_LOST)
    await stage.refused("get_positions", "GATEWAY_UNAVAILABLE")
    stage.control.send_notice(1102)
    await stage.ready()
    await stage.call("get_positions")


@scenario()
async def servers_back_data_lost(stage: Stage) -> None:
    """The gateway has IBKR's servers back and its market data lines are gone (1101)."""
    await stage.call("get_stock_price", symbol="AAPL")
    stage.control.send_notice(1100)
    await asyncio.sleep(1)
    stage.control.send_notice(1101)
    await stage.ready()
    await stage.call("get_stock_price", symbol="AAPL")


@scenario()
async def port_reset(stage: Stage) -> None:
    """The gateway announces that it drops this connection (1300)."""
    stage.control.send_notice(1300)
    await asyncio.sleep(0.01)
    await stage.ready()
    await stage.call("get_positions")


@scenario()
async def gateway_restart(stage: Stage) -> None:
    """The gateway restarts, refuses connections meanwhile, and has forgotten some order ids."""
    await stage.call("place_limit_order", **ORDER, client_order_id="before")
    stage.control.restart(0.5, 2)
    await stage.in_state(LinkState.LINK_LOST)
    await stage.refused("get_positions", "GATEWAY_UNAVAILABLE")
    await stage.ready()
    await stage.call("place_limit_order", **{**ORDER, "limit_price": 101}, client_order_id="after")
    await stage.call("get_orders")


@scenario()
async def order_ids_rolled_back(stage: Stage) -> None:
    """The next order id becomes smaller, and the gateway says so unasked: no id is used twice."""
    await stage.call("place_limit_order", **ORDER, client_order_id="first")
    stage.control.roll_back_order_ids(1)
    stage.control.tell_next_id(CLIENT_ID)
    await stage.call("place_limit_order", **{**ORDER, "limit_price": 101}, client_order_id="second")


@scenario()
async def connections_refused(stage: Stage) -> None:
    """Nothing listens until somebody starts the gateway again."""
    stage.control.refuse_connections()
    stage.control.drop_links()
    await stage.in_state(LinkState.AWAITING_SIGN_IN)
    await stage.refused("get_positions", "GATEWAY_UNAVAILABLE")
    await stage.control.accept_connections()
    await stage.ready()
    await stage.call("get_positions")


@scenario()
async def sign_in_needed(stage: Stage) -> None:
    """The gateway accepts connections and says nothing: it waits for its sign-in."""
    stage.control.ignore_handshakes()
    stage.control.drop_links()
    await stage.in_state(LinkState.AWAITING_SIGN_IN)
    await stage.refused("get_positions", "GATEWAY_UNAVAILABLE")
    stage.control.ignore_handshakes(on=False)
    await stage.ready()
    await stage.call("get_positions")


@scenario()
async def client_id_taken(stage: Stage) -> None:
    """Our own dead connection still holds the client id (326)."""
    stage.control.hold_dead_client_ids(1_000)
    stage.control.drop_links()
    await stage.in_state(LinkState.CLIENT_ID_TAKEN)
    await stage.refused("get_positions", "GATEWAY_UNAVAILABLE")
    stage.control.release_client_ids()
    await stage.ready()
    await stage.call("get_positions")


@scenario()
async def client_id_held(stage: Stage) -> None:
    """The same, until the gateway notices by itself."""
    stage.control.hold_client_id(CLIENT_ID, 0.3)
    stage.control.drop_links()
    await stage.in_state(LinkState.CLIENT_ID_TAKEN)
    await stage.ready()
    await stage.call("get_positions")


@scenario()
async def gateway_mute(stage: Stage) -> None:
    """The gateway answers nothing any more: questions end at their limit, the connection is cut and made anew."""
    stage.control.mute("discard")
    await stage.refused("search_contracts", "TIMEOUT", pattern="KO")
    await stage.in_state(LinkState.LINK_LOST)
    stage.control.unmute()
    await stage.ready()
    await stage.call("search_contracts", pattern="KO")


@scenario()
async def gateway_hangs_for_a_moment(stage: Stage) -> None:
    """The gateway holds everything back for a moment, and answers it then."""
    stage.control.mute("hold")
    asking = asyncio.ensure_future(stage.call("search_contracts", pattern="KO"))
    await asyncio.sleep(2)
    stage.control.unmute()
    await asking
