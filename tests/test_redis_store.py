"""The store under cancellation, silence and loss."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from redis.asyncio import Redis

from shared import clock
from shared.redis_store import Absence, RedisAway, Store
from tests.conftest import free_port
from tests.queue.servers import restartable


async def test_a_cancelled_task_ends_even_if_redis_answers_in_the_same_moment(valkey: str) -> None:
    store = Store.at(valkey)

    async def ask_for_ever() -> None:
        while True:
            await store.set("key", "value")

    for turn in range(200):
        task = asyncio.create_task(ask_for_ever())
        for _ in range(turn % 40):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=1)
        assert task.cancelled(), f"the cancellation was lost after {turn % 40} steps"
    await store.close()


async def test_a_redis_that_accepts_and_says_nothing_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.redis_store._ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = Store.at(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        with pytest.raises(RedisAway):
            await store.ping()
        with suppress(RedisAway):
            await store.close()


Ask = Callable[[Store], Awaitable[object]]

COMMANDS: dict[str, Ask] = {
    "script": lambda store: store.script("return 1")(keys=[], args=[]),
    "script on its own line": lambda store: store.script("return 1", own_line=True)(keys=[], args=[]),
    "pop": lambda store: store.waiting_list("k").pop(0),
    "ping": Store.ping,
    "get": lambda store: store.get("k"),
    "get_and_exists": lambda store: store.get_and_exists("k", "o"),
    "config": lambda store: store.config("save"),
    "set": lambda store: store.set("k", "v"),
    "hash": lambda store: store.hash("k"),
    "field": lambda store: store.field("k", "f"),
    "add_field": lambda store: store.add_field("k", "f", "v"),
    "drop_field": lambda store: store.drop_field("k", "f"),
    "members": lambda store: store.members("k"),
    "list_end": lambda store: store.list_end("k", 5),
    "set_field": lambda store: store.set_field("k", "f", "v"),
    "drop_fields": lambda store: store.drop_fields("k", ["f"]),
    "push_capped": lambda store: store.push_capped("k", "v", 5),
    "beat": lambda store: store.beat("k", "m", 1.0, 5),
    "members_since": lambda store: store.members_since("k", 0),
    "drop_member": lambda store: store.drop_member("k", "m"),
    "hashes": lambda store: store.hashes(["k"]),
    "read_back": lambda store: store.read_back("k", "-", "+", 5),
    "count_between": lambda store: store.count_between("k", 0, 1),
    "publish": lambda store: store.publish("c", "m"),
    "messages": lambda store: anext(store.messages("c")),
}


@pytest.mark.parametrize("command", COMMANDS)
async def test_no_command_waits_for_ever_for_a_redis_that_fell_silent(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.redis_store._ANSWER_SECONDS", 0.1)
    async with restartable(durable=False) as server:
        store = Store.at(server.url)
        await store.ping()
        server.freeze()
        async with asyncio.timeout(5):
            with pytest.raises(RedisAway):
                await COMMANDS[command](store)
        server.thaw()
        await store.close()


def test_every_command_is_held_against_silence() -> None:
    others = {"at", "pool", "script", "waiting_list", "close"}
    public = {name for name in vars(Store) if not name.startswith("_")} - others
    assert public == {name for name in COMMANDS if name not in {"script", "script on its own line", "pop"}}


async def test_a_connection_to_what_is_no_primary_any_more_is_not_kept() -> None:
    write = "return redis.call('SET', 'k', 'v')"
    async with restartable(durable=False) as first, restartable(durable=False) as second:
        where = first

        async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            to_server, from_server = await asyncio.open_unix_connection(where.url.removeprefix("unix://"))

            async def passed(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                with suppress(OSError):
                    while data := await source.read(4096):
                        target.write(data)
                target.close()

            await asyncio.gather(passed(reader, from_server), passed(to_server, writer))

        async with await asyncio.start_server(lead, "127.0.0.1", 0) as name:
            store = Store.at(f"redis://127.0.0.1:{name.sockets[0].getsockname()[1]}/0")
            scripts = [store.script(write), store.script(write, own_line=True)]
            for script in scripts:
                await script(keys=[], args=[])
            async with Redis.from_url(first.url) as admin:
                await admin.execute_command("REPLICAOF", "127.0.0.1", "1")
            where = second
            for script in scripts:
                with pytest.raises(RedisAway):
                    await script(keys=[], args=[])
            for script in scripts:
                await script(keys=[], args=[])
            await store.close()


async def test_a_redis_that_is_not_there_is_away() -> None:
    store = Store.at(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(RedisAway):
        await store.get("key")
    await store.close()


def test_each_absence_is_said_once_however_soon_it_follows(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: seconds[0])
    absence = Absence("this")
    for seconds[0], worked in (
        (1.0, False),
        (1.1, False),
        (1.3, True),
        (3600.0, False),
        (3600.1, True),
        (3602.0, True),
    ):
        if worked:
            absence.over()
        else:
            absence.noticed(RedisAway("gone"))
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "this: Redis is away: gone",
        "this: Redis is away: gone",
        "this: Redis is back",
    ]


async def test_no_connection_to_a_demoted_primary_waits_for_the_next_reader() -> None:
    async with restartable(durable=False) as server, Redis.from_url(server.url) as admin:
        store = Store.at(server.url)
        await asyncio.gather(*(store.set(f"key-{number}", 1) for number in range(8)))
        await admin.execute_command("REPLICAOF", "127.0.0.1", "1")
        before = len(await admin.client_list())
        with pytest.raises(RedisAway):
            await store.set("key", 1)
        assert before > 3
        while len(await admin.client_list()) > 1:  # noqa: ASYNC110 - that a connection ended is not told
            await asyncio.sleep(0.01)
        await store.close()
