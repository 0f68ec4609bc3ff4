"""Files that an answer told of: for the caller whose call made them, at any frontend, and for nobody else."""

from __future__ import annotations

import gzip

import pytest
from redis.asyncio import Redis

from mcp_frontend.callers import Caller
from shared.contract import Scope
from shared.files import KEEP, MOST_BYTES, FileShelf, TooLarge
from shared.redis_keys import Keys
from shared.redis_store import Store
from tests.frontend.conftest import serve
from tests.frontend.test_access import Guarded, bearer, guarded

CSV = "date,open\n2025-11-19,1.5\n"


async def test_a_file_is_served_by_any_frontend_to_its_caller_alone(valkey: str) -> None:
    store = Store.at(valkey)
    kept = await FileShelf(store, Keys("main")).put("local", "AAPL.csv", gzip.compress(CSV.encode()))
    async with (
        serve(valkey) as one,
        serve(valkey) as another,
        serve(valkey, lambda: Caller(name="someone-else", scopes=frozenset(Scope))) as foreign,
    ):
        for served in (one, another):
            answer = await served.get(kept.path)
            assert (answer.status_code, answer.text) == (200, CSV)
            assert answer.headers["content-type"].startswith("text/csv")
            assert 'filename="AAPL.csv"' in answer.headers["content-disposition"]
        plain = await one.get(kept.path, **{"accept-encoding": "identity"})
        assert (plain.text, "content-encoding" in plain.headers) == (CSV, False)
        refused = await foreign.get(kept.path)
        unknown = await one.get("/files/nothing")
        assert (refused.status_code, unknown.status_code) == (404, 404)
        assert refused.json() == unknown.json()
    await store.close()


async def test_a_file_expires_and_one_too_large_is_refused(valkey: str) -> None:
    store, keys = Store.at(valkey), Keys("main")
    shelf = FileShelf(store, keys)
    kept = await shelf.put("local", "a.csv", b"x")
    async with Redis.from_url(valkey) as admin:
        for key in (keys.files, keys.file(kept.path.rpartition("/")[2])):
            assert 0 < await admin.pttl(key) <= KEEP.total_seconds() * 1000
    with pytest.raises(TooLarge):
        await shelf.put("local", "b.csv", bytes(MOST_BYTES + 1))
    await store.close()


async def test_where_keys_are_asked_for_a_file_needs_the_key_that_made_it(guarded: Guarded) -> None:
    mine, foreign = await guarded.key("mine"), await guarded.key("foreign")
    kept = await FileShelf(guarded.store, Keys("main")).put("mine", "AAPL.csv", gzip.compress(CSV.encode()))
    for served in (guarded.one, guarded.other):
        assert (await served.get(kept.path, **bearer(mine))).text == CSV
        assert (await served.get(kept.path, **bearer(foreign))).status_code == 404
        assert (await served.get(kept.path)).status_code == 401
        assert (await served.get(kept.path, **bearer("made up"))).status_code == 401


__all__ = ["guarded"]
