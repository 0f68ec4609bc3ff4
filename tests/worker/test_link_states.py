"""The link's states and bad days: each has its name, is told to callers, and ends by itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from broker_worker.gateway import outages
from broker_worker.orders import book
from shared.contract.orders import OrderState
from shared.contract.status import LinkState
from shared.errors import BridgeError, GatewayUnavailable, TimedOut

from .harness import Bridge, eventually, quiet_gateway, until

QUICK: dict[str, Any] = {"heartbeat_every": 0.1, "heartbeat_limit": 0.2, "connect_limit": 0.3}
LIMIT: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 100}


async def refused_query(bridge: Bridge) -> GatewayUnavailable:
    """The error a query meets."""
    with pytest.raises(GatewayUnavailable) as refused:
        await bridge.text("get_positions")
    return refused.value


async def restarted(bridge: Bridge) -> None:
    """A new worker that is not waited for."""
    await bridge.stop_worker()
    await bridge.start_worker(ready=False)


async def test_a_gateway_that_is_absent_is_waited_for() -> None:
    async with Bridge(link=QUICK) as bridge:
        await bridge.stop_worker()
        bridge.control.refuse_connections()
        await bridge.start_worker(ready=False)
        await until(lambda: "nothing listens" in (bridge.worker.link.detail or ""))
        assert bridge.worker.link.state is LinkState.CONNECTING
        error = await refused_query(bridge)
        assert "state 'connecting'" in error.fact
        assert error.retry.startswith("after")
        await bridge.control.accept_connections()
        await bridge.ready()
        assert (await bridge.call("get_positions")).items


async def test_every_tool_says_the_state_of_the_link_and_nothing_is_sent() -> None:
    async with Bridge(link=QUICK) as bridge:
        await bridge.stop_worker()
        bridge.control.refuse_connections()
        await bridge.start_worker(ready=False)
        tools: dict[str, dict[str, Any]] = {
            "get_account_summary": {}, "get_positions": {}, "get_orders": {}, "get_stock_price": {"symbol": "AAPL"},
            "get_historical_data": {"symbol": "AAPL"}, "get_option_chain": {"symbol": "AAPL"},
            "search_contracts": {"pattern": "AAPL"}, "cancel_order": {"order_id": "1"}, "place_limit_order": LIMIT,
            "place_market_order": {"symbol": "AAPL", "action": "BUY", "quantity": 1},
            "place_stop_order": {"symbol": "AAPL", "action": "BUY", "quantity": 1, "stop_price": 100},
        }  # fmt: skip
        for tool, arguments in tools.items():
            with pytest.raises(GatewayUnavailable, match="link is in state"):
                await bridge.text(tool, **arguments)
        await bridge.control.accept_connections()
        await bridge.ready()
        assert bridge.control.ledger() == []


async def test_a_gateway_that_accepts_and_is_silent_awaits_its_sign_in() -> None:
    async with Bridge(link=QUICK) as bridge:
        bridge.control.ignore_handshakes()
        await restarted(bridge)
        await bridge.in_state(LinkState.AWAITING_SIGN_IN)
        error = await refused_query(bridge)
        assert "sign in" in error.fact
        assert error.retry == "after 1 min"
        bridge.control.ignore_handshakes(on=False)
        await bridge.ready()


async def test_a_gateway_that_goes_mute_is_noticed_and_left() -> None:
    async with Bridge(link=QUICK) as bridge:
        bridge.control.mute()
        await until(lambda: bridge.worker.link.state is not LinkState.READY)
        await refused_query(bridge)
        bridge.control.unmute()
        await bridge.ready()
        assert (await bridge.call("get_positions")).items


async def test_a_client_id_that_is_taken_is_probably_our_ghost_and_is_waited_for() -> None:
    async with Bridge(link=QUICK) as bridge:
        bridge.control.hold_client_id(1, 3600)
        await restarted(bridge)
        await bridge.in_state(LinkState.CLIENT_ID_TAKEN)
        error = await refused_query(bridge)
        assert "ghost" in error.fact
        bridge.control.release_client_ids()
        await bridge.ready()


async def test_our_own_dead_connection_is_such_a_ghost() -> None:
    async with Bridge(link=QUICK) as bridge:
        bridge.control.hold_dead_client_ids(0.5)
        bridge.control.drop_links()
        await bridge.in_state(LinkState.CLIENT_ID_TAKEN)
        await bridge.ready()


@pytest.mark.parametrize(("mode", "account"), [("paper", "U1234567"), ("live", "DU1234567"), ("live", "DF123456")])
async def test_an_account_of_the_other_mode_is_served_nothing(mode: str, account: str) -> None:
    bridge = Bridge(
        quiet_gateway(accounts=(account,)), ibkr_trading_mode=mode, job_signing_secret="a secret of the tests"
    )
    bridge.wait_until_ready = False
    async with bridge:
        await bridge.in_state(LinkState.WRONG_ACCOUNT)
        for tool in ("get_positions", "get_account_summary", "get_orders"):
            with pytest.raises(GatewayUnavailable) as refused:
                await bridge.text(tool)
            assert mode in refused.value.fact
            assert account not in refused.value.fact
        with pytest.raises(BridgeError):
            await bridge.text("place_limit_order", **LIMIT)
        assert bridge.control.ledger() == []


async def test_lost_servers_are_told_and_found_again_with_their_data(bridge: Bridge) -> None:
    bridge.control.send_notice(1100)
    await bridge.in_state(LinkState.LINK_LOST)
    error = await refused_query(bridge)
    assert "1100" in error.fact
    with pytest.raises(GatewayUnavailable):
        await bridge.text("place_limit_order", **LIMIT)
    bridge.control.send_notice(1102)
    await bridge.ready()
    assert (await bridge.call("place_limit_order", **LIMIT)).state is OrderState.WORKING


async def test_restored_servers_without_their_data_get_new_market_data_lines(bridge: Bridge) -> None:
    await bridge.call("get_stock_price", symbol="AAPL")
    bridge.control.send_notice(1100)
    await bridge.in_state(LinkState.LINK_LOST)
    bridge.control.send_notice(1101)
    await bridge.ready()
    assert (await bridge.call("get_stock_price", symbol="AAPL")).last is not None


async def test_a_port_reset_is_followed_by_a_new_connection(bridge: Bridge) -> None:
    before = bridge.control.connections()[0].name
    bridge.control.send_notice(1300)
    await until(lambda: [client.name for client in bridge.control.connections()] not in ([before], []))
    await bridge.ready()


@pytest.mark.parametrize("code", [2103, 2104, 2105, 2106, 2107, 2108, 2119, 2157, 2158])
async def test_a_notice_about_a_farm_changes_nothing(bridge: Bridge, code: int) -> None:
    bridge.control.send_notice(code, "farm")
    await bridge.call("get_positions")
    assert bridge.worker.link.state is LinkState.READY


async def test_a_link_dropped_under_a_query_is_a_typed_error(bridge: Bridge) -> None:
    bridge.control.mute()
    before = bridge.control.counters().received.copy()
    questions: dict[str, tuple[str, dict[str, Any]]] = {
        "reqContractDetails": ("get_stock_price", {"symbol": "AAPL"}),
        "reqAccountSummary": ("get_account_summary", {}),
        "reqMatchingSymbols": ("search_contracts", {"pattern": "A"}),
        "reqAllOpenOrders": ("get_orders", {}),
    }
    asking = [asyncio.create_task(bridge.text(tool, **arguments)) for tool, arguments in questions.values()]
    await until(lambda: all(bridge.control.counters().received[name] > before[name] for name in questions))
    bridge.control.drop_links()
    for outcome in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(outcome, GatewayUnavailable)
    bridge.control.unmute()
    await bridge.ready()
    await bridge.call("get_stock_price", symbol="AAPL")


async def test_a_dropped_link_comes_back_and_prices_with_it(bridge: Bridge) -> None:
    await bridge.call("get_stock_price", symbol="AAPL")
    bridge.control.drop_links()
    await until(lambda: bridge.worker.link.state is not LinkState.READY)
    await bridge.ready()
    assert (await bridge.call("get_stock_price", symbol="AAPL")).last is not None
    assert len((await bridge.call("get_positions")).items) == 4


async def test_a_gateway_that_restarts_is_found_again(bridge: Bridge) -> None:
    bridge.control.restart(0.2)
    await until(lambda: bridge.worker.link.state is not LinkState.READY)
    await bridge.ready()


async def test_a_link_that_drops_again_and_again_is_found_again(bridge: Bridge) -> None:
    for _ in range(10):
        bridge.control.drop_links()
        await until(lambda: not bridge.worker.link.alive)
        await until(lambda: bool(bridge.control.connections()))
    await bridge.ready()
    await bridge.call("get_positions")
    assert len(bridge.control.connections()) == 1


async def test_a_read_only_api_that_the_worker_was_not_told_of_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "SYNC_SECONDS", 0.2)
    bridge = Bridge(quiet_gateway(read_only=True))
    bridge.wait_until_ready = False
    async with bridge:
        await until(lambda: bridge.control.counters().received["reqCompletedOrders"] >= 3)
        error = await refused_query(bridge)
        assert "synchronising" in error.fact
        assert "set IBKR_READ_ONLY_API=true" in error.fact


async def test_a_slow_gateway_is_waited_for(bridge: Bridge) -> None:
    bridge.control.slow_down(0.3)
    assert (await bridge.call("get_stock_price", symbol="MSFT")).last is not None
    answer = await bridge.call("place_limit_order", **LIMIT)
    assert answer.state is OrderState.WORKING


async def test_a_gateway_slower_than_a_callers_patience_is_a_timeout(bridge: Bridge) -> None:
    bridge.control.mute()
    with pytest.raises(TimedOut) as late:
        await bridge.text("get_stock_price", symbol="MSFT", seconds=0.4)
    assert late.value.retry == "now"


async def test_no_order_is_sent_in_the_minute_before_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Bridge(ibkr_auto_restart_time="23:45") as bridge:
        assert bridge.worker.status().next_restart is not None
        monkeypatch.setattr(outages, "QUIET_BEFORE_RESTART", timedelta(days=2))
        with pytest.raises(GatewayUnavailable, match="restarts within a minute") as refused:
            await bridge.text("place_limit_order", **LIMIT)
        assert refused.value.retry == "after 5 min"
        assert bridge.placed() == []
        assert (await bridge.call("get_positions")).items


async def test_the_status_tells_state_version_and_accounts(bridge: Bridge) -> None:
    status = bridge.worker.status()
    assert (status.link, status.link_detail) == (LinkState.READY, None)
    assert (status.gateway_version, status.trading_mode) == (178, "paper")
    assert status.accounts == ["DU1234567"]
    stored = await eventually(lambda: bridge.redis.get(bridge.keys.status), lambda text: text is not None)
    assert b'"link":"ready"' in stored


@pytest.mark.parametrize("version", [157, 163, 166, 170, 176, 177])
async def test_every_protocol_version_is_served(version: int) -> None:
    async with Bridge(quiet_gateway(server_version=version)) as bridge:
        assert len((await bridge.call("get_positions")).items) == 4
        assert (await bridge.call("place_limit_order", **LIMIT)).state is OrderState.WORKING
        assert (await bridge.call("get_stock_price", symbol="AAPL")).last is not None
        assert (await bridge.call("get_orders")).count == 1
