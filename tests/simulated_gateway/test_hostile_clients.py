"""Whatever a client sends, only its own connection can suffer."""

from __future__ import annotations

import struct

import pytest

from simulated_gateway import SimulatedGateway
from simulated_gateway.wire.requests import REQUEST_KINDS

from .clients import AAPL, aapl, connected, errors_of, limit, raw, unstarted, until


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"\0\0\0\x02ab",
        b"\0\0\0\x03ab\0",
        struct.pack(">I", 4) + b"\xff\xfe\xfd\0",
        b"\0\0\0\x01\0",
    ],
    ids=["empty", "endless", "unterminated", "no id", "no text", "no field"],
)
async def test_a_malformed_frame_closes_that_connection_only(gateway: SimulatedGateway, rubbish: bytes) -> None:
    async with raw(gateway, client_id=1) as good, raw(gateway, client_id=2) as bad:
        bad.write(rubbish)
        assert await bad.at_end()
        good.send(49, 1)
        assert (await good.frame())[0] == "49"
        assert [client.client_id for client in gateway.control.connections()] == [1]


@pytest.mark.parametrize("first_bytes", [b"GET / HTTP/1.1\r\n\r\n", b"API\0\0\0\0\x05hello", b"\0" * 64])
async def test_a_stranger_is_let_go(gateway: SimulatedGateway, first_bytes: bytes) -> None:
    async with unstarted(gateway) as stranger:
        stranger.write(first_bytes)
        assert await stranger.at_end()


async def test_an_unknown_message_is_505_and_the_session_goes_on(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        client.send(999, 1, 2, 3)
        assert (await client.message(4))[2:4] == ["-1", "505"]
        client.send(49, 1)
        assert (await client.frame())[0] == "49"


async def test_a_number_that_is_none_is_320_under_its_request_id(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        client.send(94, 7, "DU1234567", "", "seven")
        assert (await client.message(4))[2:4] == ["7", "320"]


async def test_an_order_that_ends_too_soon_is_320_and_no_order(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client:
        client.send(3, 5, AAPL, "AAPL", "STK")
        assert (await client.message(4))[2:4] == ["5", "320"]
        assert gateway.control.orders() == []


async def test_an_order_that_the_program_stumbles_over_is_no_order(
    gateway: SimulatedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(_ticket: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(gateway.brokerage.desk, "submit", stumble)
    async with connected(gateway) as ib:
        errors = errors_of(ib)
        trade = ib.placeOrder(aapl(), limit("BUY", 1, 100))
        await until(ib, lambda: bool(errors))
        assert errors[0][:2] == (trade.order.orderId, 322)


@pytest.mark.parametrize("length", [0, 1, 2, 5, 12, 40])
async def test_no_request_of_any_length_ends_the_gateway(gateway: SimulatedGateway, length: int) -> None:
    for filler in ("", "0", "-1", "x", "1.5", "99999999999999999999", "NaN", "é"):
        async with raw(gateway) as client:
            for message_id in REQUEST_KINDS:
                if message_id != 71:
                    client.send(message_id, *[filler] * length)
            client.send(49, 1)
            try:
                while (await client.frame())[0] != "49":
                    pass
            except (EOFError, ConnectionError):
                pytest.fail(f"{filler!r} ended the session")
