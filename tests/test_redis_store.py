"""The store under cancellation, silence and loss."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from shared.redis_store import RedisAway, Store
from tests.conftest import free_port


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


async def test_a_redis_that_is_not_there_is_away() -> None:
    store = Store.at(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(RedisAway):
        await store.get("key")
    await store.close()
