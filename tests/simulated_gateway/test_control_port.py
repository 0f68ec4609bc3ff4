from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulated_gateway import Control, GatewayConfig, ManualClock, SimulatedGateway, control_http

from .clients import AAPL, QUICK_BEAT, aapl, connected, limit, settled


@pytest.fixture
async def controlled(clock: ManualClock) -> AsyncIterator[SimulatedGateway]:
    config = GatewayConfig(control_port=0, beat_seconds=QUICK_BEAT, market_moves=False)
    async with SimulatedGateway(config, clock) as opened:
        yield opened


async def call(gateway: SimulatedGateway, line: str, body: object = None, *headers: str) -> tuple[int, Any]:
    assert gateway.control_port
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.control_port)
    payload = b"" if body is None else json.dumps(body).encode()
    head = [f"{line} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(payload)}", *headers, "", ""]
    writer.write("\r\n".join(head).encode() + payload)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    status, _, text = answer.partition(b"\r\n\r\n")
    return int(status.split()[1]), json.loads(text)


async def test_the_ledger_shows_every_order_message(controlled: SimulatedGateway) -> None:
    async with connected(controlled, 4) as ib:
        trade = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 2, 100.5, orderRef="ref")), "Submitted")
        ib.cancelOrder(trade.order)
        await settled(ib, trade, "Cancelled")
    status, answer = await call(controlled, "GET /ledger")
    assert status == 200
    placed, cancelled = answer["result"]
    assert (placed["client_id"], placed["order_ref"], placed["limit_price"]) == (4, "ref", "100.5")
    assert (placed["kind"], cancelled["kind"]) == ("place", "cancel")
    assert placed["perm_id"] == cancelled["perm_id"]
    assert (await call(controlled, "GET /ledger?since=1"))[1]["result"] == [cancelled]


async def test_a_price_is_moved_and_an_order_typed(controlled: SimulatedGateway) -> None:
    assert await call(controlled, "POST /move_price", {"con_id": AAPL, "price": "123.45"}) == (200, {"result": None})
    _, answer = await call(controlled, f"GET /quote?con_id={AAPL}")
    assert answer["result"]["bid"] == "123.45"
    order = {"symbol": "AAPL", "action": "BUY", "quantity": 2, "limit_price": "99.5"}
    _, answer = await call(controlled, "POST /add_manual_order", order)
    assert controlled.control.orders()[0].perm_id == answer["result"]


@pytest.mark.parametrize(
    ("line", "body", "status"),
    [
        ("GET /nothing", None, 404),
        ("POST /ledger", None, 405),
        ("GET /mute", None, 405),
        ("POST /mute", {"while_mute": "sleep"}, 400),
        ("POST /mute", {"how": "much"}, 400),
        ("POST /move_price", {"con_id": 1, "price": "5"}, 400),
        ("POST /move_price", {"con_id": AAPL}, 400),
        ("POST /move_price", {"con_id": AAPL, "price": "much"}, 400),
        ("POST /slow_down", [1], 400),
        ("POST /advance", {"seconds": "x"}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_reason(
    controlled: SimulatedGateway, line: str, body: object, status: int
) -> None:
    found, answer = await call(controlled, line, body)
    assert found == status
    assert answer["error"]


async def test_pages_and_other_machines_names_are_kept_out(controlled: SimulatedGateway) -> None:
    assert (await call(controlled, "GET /faults", None, "Origin: http://example.org"))[0] == 403
    assert (await call(controlled, "GET /faults", None, "Host: example.org"))[0] == 403


async def test_connections_can_be_refused_and_accepted_over_http(controlled: SimulatedGateway) -> None:
    assert (await call(controlled, "POST /refuse_connections"))[0] == 200
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", controlled.port)
    assert (await call(controlled, "POST /accept_connections"))[0] == 200
    async with connected(controlled):
        pass


def test_every_method_is_a_route_and_every_route_is_documented() -> None:
    methods = {name for name, _ in inspect.getmembers(Control, inspect.isfunction) if not name.startswith("_")}
    assert methods == control_http.QUESTIONS | control_http.LEVERS
    assert control_http.__doc__
    assert all(f"/{name} " in control_http.__doc__ or f"/{name}\n" in control_http.__doc__ for name in methods)
