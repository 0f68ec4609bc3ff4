"""A recording answers what was asked then, under whatever ids it is asked now, and invents nothing."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.masking import Pseudonyms
from simulated_gateway import SimulatedGateway
from simulated_gateway.playing.index import Index
from simulated_gateway.recording.lines import Head, as_line, lines_of
from tests.simulated_gateway.clients import AAPL, MSFT, RawClient, aapl, calls, connected, limit, settled
from tests.simulated_gateway.test_versions import VERSIONS

from .conftest import SALT, at, played, recorded
from .story import story

CONTRACT = ("", "", "", "0.0", "", "", "", "", "", "", "")


@asynccontextmanager
async def raw_at(port: int, version: int = 178, client_id: int = 9) -> AsyncIterator[RawClient]:
    client = await RawClient.started(port, version, client_id)
    try:
        yield client
    finally:
        await client.close()


def masked(told: dict[str, Any]) -> dict[str, Any]:
    """The same story with the names that a recording gives."""
    names = Pseudonyms(SALT)
    return told | {
        "accounts": [names.account(account) for account in told["accounts"]],
        "permIds": sorted(int(names.number(str(number))) for number in told["permIds"]),
    }


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_session_is_told_again_as_it_was_at_every_version(
    gateway: SimulatedGateway, tape_file: Path, version: int
) -> None:
    async with recorded(gateway.port, tape_file) as proxy, connected(at(proxy.port), 1, highest_version=version) as ib:
        told = await story(ib)
    async with played(tape_file) as (player, port):
        async with connected(at(port), 1) as ib:
            assert ib.client.serverVersion() == version
            assert await story(ib) == masked(told)
        assert list(player.unmatched) == []


async def test_requests_are_matched_by_what_they_ask_in_any_order_and_under_any_id(
    gateway: SimulatedGateway, tape_file: Path
) -> None:
    async with recorded(gateway.port, tape_file) as proxy, raw_at(proxy.port) as client:
        for number, con_id in ((5, AAPL), (6, MSFT)):
            client.send(9, 8, number, con_id, *CONTRACT, 0, "", "", "")
            assert (await client.message(10))[2] == {AAPL: "AAPL", MSFT: "MSFT"}[con_id]
            await client.message(52)
    async with played(tape_file) as (_, port), raw_at(port, client_id=77) as client:
        for number, con_id in ((900, MSFT), (901, AAPL), (902, AAPL)):
            client.send(9, 8, number, con_id, *CONTRACT, 0, "", "", "")
            assert (await client.message(10))[1:3] == [str(number), {AAPL: "AAPL", MSFT: "MSFT"}[con_id]]
            assert (await client.message(52))[2] == str(number)


async def test_another_spelling_of_the_same_question_is_the_same(gateway: SimulatedGateway, tape_file: Path) -> None:
    async with recorded(gateway.port, tape_file) as proxy, raw_at(proxy.port) as client:
        client.send(9, 8, 5, AAPL, *CONTRACT, 0, "", "", "")
        await client.message(52)
    async with played(tape_file) as (_, port), raw_at(port) as client:
        spelled = ("", "", "", "1.7976931348623157E308", "?", "", "", "", "", "", "")
        client.send(9, 8, 5, f"{AAPL}.0", *spelled, "false", "", "", "")
        assert (await client.message(10))[2] == "AAPL"


async def test_what_was_not_recorded_is_refused_and_the_nearest_is_named(
    gateway: SimulatedGateway, tape_file: Path
) -> None:
    async with recorded(gateway.port, tape_file) as proxy, raw_at(proxy.port) as client:
        client.send(9, 8, 5, AAPL, *CONTRACT, 0, "", "", "")
        await client.message(52)
    async with played(tape_file) as (player, port), raw_at(port) as client:
        client.send(9, 8, 6, MSFT, *CONTRACT, 0, "", "", "")
        assert (await client.message(4))[2:5] == ["6", "321", "This reqContractDetails is not in the recording."]
        client.send(81, 7, "AAPL")
        assert (await client.message(4))[2:4] == ["7", "321"]
        nearest, none = player.unmatched
        assert "reqContractDetails: the nearest, at " in nearest
        assert nearest.endswith(f"differs in: con_id is '{MSFT}', was '{AAPL}'")
        assert none == "reqMatchingSymbols: no reqMatchingSymbols was recorded"
        assert player.unmatched_count == 2


async def test_an_order_is_played_once_and_another_is_rejected(gateway: SimulatedGateway, tape_file: Path) -> None:
    async with recorded(gateway.port, tape_file) as proxy, connected(at(proxy.port), 1) as ib:
        [account, *_] = ib.managedAccounts()
        resting = ib.placeOrder(aapl(), limit("BUY", 1, 100, account=account, orderRef="one"))
        await settled(ib, resting, "Submitted")
    async with played(tape_file) as (_, port), connected(at(port), 4) as ib:
        [account, *_] = ib.managedAccounts()
        calls(ib).updateReqId(500)
        once = ib.placeOrder(aapl(), limit("BUY", 1, 100, account=account, orderRef="two"))
        await settled(ib, once, "Submitted")
        assert once.order.orderId >= 500
        assert once.order.orderRef == "two"
        for price in (100, 101):
            again = ib.placeOrder(aapl(), limit("BUY", 1, price, account=account, orderRef="three"))
            await settled(ib, again, "Cancelled")
            assert "not in the recording" in again.log[-1].message


async def test_a_stream_keeps_its_pace_and_ends_when_it_is_cancelled(
    gateway: SimulatedGateway, tape_file: Path
) -> None:
    async with recorded(gateway.port, tape_file) as proxy, raw_at(proxy.port) as client:
        client.send(1, 11, 5, AAPL, *CONTRACT, 0, "", 0, 0, "")
        await client.message(1)
        gateway.control.move_price(AAPL, Decimal(250))
        while (await client.message(1))[4][:3] != "250":
            pass
    lines = [line for line in lines_of(tape_file) if line.fields[:1] == ("1",)]
    assert lines[-1].at > lines[0].at
    async with played(tape_file, speed=0.0001) as (_, port), raw_at(port) as client:
        client.send(1, 11, 8, AAPL, *CONTRACT, 0, "", 0, 0, "")
        client.send(2, 2, 8)
        client.send(49, 1)
        assert (await client.frame())[0:3] == ["4", "2", "-1"]


async def test_a_recorded_hang_up_is_played_and_the_next_connection_plays_the_next(
    gateway: SimulatedGateway, tape_file: Path
) -> None:
    async with recorded(gateway.port, tape_file) as proxy:
        async with raw_at(proxy.port) as client:
            gateway.control.drop_links()
            assert await client.at_end()
        async with raw_at(proxy.port) as client:
            client.send(49, 1)
            await client.message(49)
    async with played(tape_file, speed=1) as (_, port):
        async with raw_at(port) as client:
            assert await client.at_end()
        async with raw_at(port) as client:
            client.send(49, 1)
            await client.message(49)


async def test_a_client_of_other_versions_is_turned_away(gateway: SimulatedGateway, tape_file: Path) -> None:
    async with recorded(gateway.port, tape_file) as proxy, raw_at(proxy.port, version=170):
        pass
    async with played(tape_file) as (_, port):
        client = await RawClient.connect(port)
        client.write(b"API\0\0\0\0\x09v157..169")
        assert await client.at_end()
        await client.close()


async def test_two_sessions_of_two_clients_are_played_to_whom_they_belong(
    gateway: SimulatedGateway, tape_file: Path
) -> None:
    async with recorded(gateway.port, tape_file) as proxy:
        async with raw_at(proxy.port, client_id=3) as client:
            client.send(81, 1, "AAPL")
            await client.message(79)
        async with raw_at(proxy.port, client_id=4) as client:
            client.send(81, 1, "MSFT")
            await client.message(79)
    async with played(tape_file) as (player, port):
        async with raw_at(port, client_id=4) as client:
            client.send(81, 2, "MSFT")
            assert (await client.message(79))[1] == "2"
        async with raw_at(port, client_id=3) as client:
            client.send(81, 2, "AAPL")
            assert (await client.message(79))[1] == "2"
        assert player.unmatched_count == 0


def ticks(path: Path, count: int) -> None:
    """A long recording: one stream of so many ticks."""
    with path.open("w") as file:
        file.write(Head(datetime(2026, 1, 1, tzinfo=UTC)).text())
        for content in (
            {"from": "client", "hello": "v157..178"},
            {"from": "gateway", "hello": ["178", ""]},
            {"from": "client", "fields": ["71", "2", "9", ""]},
            *({"from": "gateway", "fields": ["4", "2", "-1", "2158", "", ""]},),
            {"from": "client", "fields": ["1", "11", "5", str(AAPL), *CONTRACT, "0", "", "0", "0", ""]},
        ):
            file.write(as_line({"at": 0.5, "link": 1, **content}))
        for number in range(count):
            fields = ["1", "6", "5", "1", f"{100 + number % 50 / 100:.2f}", "1", "0"]
            file.write(as_line({"at": 1 + number / 1000, "link": 1, "from": "gateway", "fields": fields}))


async def play_all(path: Path, count: int) -> int:
    """Play a stream to its end; the most memory that was held meanwhile, in bytes."""
    tracemalloc.start()
    try:
        async with played(path) as (_, port), raw_at(port) as client:
            client.send(1, 11, 8, AAPL, *CONTRACT, 0, "", 0, 0, "")
            for _ in range(count):
                assert (await client.frame())[:3] == ["1", "6", "8"]
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_ten_times_the_recording_takes_no_more_memory(tmp_path: Path) -> None:
    needed: list[int] = []
    for count in (800, 8_000):
        ticks(tmp_path / f"{count}.jsonl", count)
        needed.append(await play_all(tmp_path / f"{count}.jsonl", count))
    assert needed[1] < needed[0] * 1.5


def cut_short(path: Path, by: int) -> None:
    path.write_text(path.read_text()[:-by])


async def test_a_recording_cut_short_by_a_crash_plays_up_to_there(tmp_path: Path) -> None:
    ticks(path := tmp_path / "cut.jsonl", 10)
    cut_short(path, 20)
    async with played(path) as (_, port), raw_at(port) as client:
        client.send(1, 11, 8, AAPL, *CONTRACT, 0, "", 0, 0, "")
        for _ in range(9):
            await client.message(1)


def test_a_table_of_contents_leaves_nothing_behind(tmp_path: Path) -> None:
    ticks(path := tmp_path / "short.jsonl", 3)
    index = Index(path)
    assert index.unused() == 2
    index.close()
    assert json.loads(path.read_text().splitlines()[0])["recording"] == 1
    assert [one.name for one in tmp_path.iterdir()] == ["short.jsonl"]
