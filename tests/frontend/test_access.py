"""Who may do what: over real HTTP, through two frontends that share nothing but Redis."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastmcp.server.auth.providers.jwt import RSAKeyPair
from redis import Redis

from mcp_frontend import authentication, keys
from mcp_frontend.callers import desktop_caller
from mcp_frontend.keys import KeyRing
from shared.contract import OPERATIONS, Effect, Scope
from shared.order_records import OrderRecords, order_key
from shared.redis_keys import Keys
from shared.redis_store import Store
from tests.conftest import free_port
from tests.frontend.conftest import LEGACY, MODERN, Mode, Served, legacy_call, modern_call, modern_headers, serve
from tests.frontend.standin import SECRET, StandInWorker, worker_status
from tests.frontend.test_answers import ARGUMENTS

READ = frozenset({Scope.READ})
ALL = frozenset(Scope)
KEYS = Keys("main")


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def asked(response: httpx2.Response) -> dict[str, Any]:
    """The result of a call."""
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()["result"]
    return result


@dataclass
class Guarded:
    """Two frontends that want a key, and the ring their keys are on."""

    url: str
    one: Served
    other: Served
    ring: KeyRing
    store: Store

    async def key(self, name: str = "agent", scopes: frozenset[Scope] = ALL, **more: Any) -> str:
        key = await self.ring.add(name, scopes=scopes, **more)
        assert key is not None
        return key

    async def call(self, key: str, tool: str, *, served: Served | None = None, mode: Mode = "legacy") -> dict[str, Any]:
        call, headers = legacy_call(tool, ARGUMENTS[tool]), {}
        if mode == MODERN:
            call, headers = modern_call(tool, ARGUMENTS[tool]), modern_headers(tool)
        return asked(await (served or self.one).post(call, **bearer(key), **headers))

    async def error(self, key: str, tool: str, **more: Any) -> str:
        result = await self.call(key, tool, **more)
        assert result["isError"], result
        text: str = result["content"][0]["text"]
        return text

    async def status_code(self, key: str | None, served: Served | None = None) -> int:
        headers = bearer(key) if key is not None else {}
        return (await (served or self.one).post(legacy_call("get_status", {}), **headers)).status_code


@pytest.fixture
async def guarded(valkey: str) -> AsyncIterator[Guarded]:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(serve(valkey, authentication="keys"))
        other = await stack.enter_async_context(serve(valkey, authentication="keys"))
        store = Store.at(valkey)
        stack.push_async_callback(store.close)
        yield Guarded(valkey, one, other, KeyRing(store, KEYS, SECRET.encode()), store)


async def test_without_a_key_or_with_a_wrong_one_nothing_is_told_but_401(guarded: Guarded) -> None:
    key = await guarded.key()
    for wrong in (None, "nonsense", key[:-1], key[:-1] + "?", key.upper(), "ibkrmcp_aaaaaaaaaa_" + "x" * 43):
        headers = bearer(wrong) if wrong is not None else {}
        for served in (guarded.one, guarded.other):
            response = await served.post(legacy_call("get_status", {}), **headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Bearer")
            assert "accounts" not in response.text
    response = await guarded.one.post(legacy_call("get_status", {}), authorization="Basic " + key)
    assert response.status_code == 401


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_a_key_works_at_every_frontend_and_its_name_and_rights_reach_the_worker(
    guarded: Guarded, worker: StandInWorker, mode: Mode
) -> None:
    key = await guarded.key("claude", accounts=frozenset({"DU1234567"}))
    for served in (guarded.one, guarded.other):
        assert not (await guarded.call(key, "get_positions", served=served, mode=mode)).get("isError")
    for envelope in worker.envelopes:
        assert (envelope.caller, envelope.scopes, envelope.authenticated) == ("claude", ALL, True)
        assert envelope.accounts == frozenset({"DU1234567"})
    assert len(worker.envelopes) == 2


async def test_evil_hosts_and_origins_are_refused_before_any_key_is_looked_at(guarded: Guarded) -> None:
    key = await guarded.key()
    status = legacy_call("get_status", {})
    for headers in ({}, bearer(key), bearer("wrong")):
        assert (await guarded.one.post(status, host="evil.example", **headers)).status_code == 421
        assert (await guarded.one.post(status, origin="http://evil.example", **headers)).status_code == 403


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
async def test_a_reader_is_shown_no_order_tool_and_is_refused_one_by_name(
    guarded: Guarded, worker: StandInWorker, mode: Mode
) -> None:
    key = await guarded.key("reader", READ)
    async with guarded.one.client(mode=mode, auth=key) as client:
        listed = {tool.name for tool in await client.list_tools()}
    assert listed == {name for name, operation in OPERATIONS.items() if operation.marker.effect is Effect.READS}
    for tool in OPERATIONS.keys() - listed:
        error = await guarded.error(key, tool, mode=mode)
        assert error.startswith("NOT_PERMITTED: ")
        assert "scope" in error
    assert worker.envelopes == []


async def test_a_trader_is_shown_every_tool(guarded: Guarded) -> None:
    async with guarded.one.client(auth=await guarded.key()) as client:
        assert [tool.name for tool in await client.list_tools()] == list(OPERATIONS)


async def test_a_revoked_key_is_refused_everywhere_within_two_seconds(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await guarded.key()
    for served in (guarded.one, guarded.other):
        assert await guarded.status_code(key, served) == 200
    assert await guarded.ring.revoke("agent")
    monkeypatch.setattr(keys, "_now", lambda: time.monotonic() + 2.0)
    for served in (guarded.one, guarded.other):
        assert await guarded.status_code(key, served) == 401


async def test_a_key_made_anew_under_the_same_name_works_at_once_and_the_old_one_is_dead(guarded: Guarded) -> None:
    old = await guarded.key()
    assert await guarded.status_code(old) == 200
    await guarded.ring.revoke("agent")
    new = await guarded.key()
    assert await guarded.status_code(new) == 200
    assert await guarded.status_code(old) == 401


async def test_a_name_is_given_once(guarded: Guarded) -> None:
    await guarded.key()
    assert await guarded.ring.add("agent", scopes=ALL) is None


async def test_redis_knows_no_key_and_no_digest_that_is_one(guarded: Guarded) -> None:
    key = await guarded.key()
    with Redis.from_url(guarded.url) as redis:
        (text,) = redis.hgetall(KEYS.api_keys).values()
    assert key.split("_", 2)[2].encode() not in text


async def test_whoever_writes_to_redis_can_neither_make_a_key_nor_widen_one(
    guarded: Guarded, worker: StandInWorker
) -> None:
    reader = await guarded.key("reader", READ)
    trader = await guarded.key("trader")
    with Redis.from_url(guarded.url) as redis:
        stored = {
            json.loads(row.partition(b".")[2])["name"]: (field, row)
            for field, row in redis.hgetall(KEYS.api_keys).items()
        }
        field, row = stored["reader"]
        code, _, body = row.partition(b".")
        wider = body.replace(b'["read"]', b'["read","preview","trade"]')
        assert wider != body
        forged = KeyRing(guarded.store, KEYS, b"a secret of somebody else")
        key_of_theirs = await forged.add("thief", scopes=ALL)
        assert key_of_theirs is not None
        assert await guarded.status_code(key_of_theirs) == 401
        for text in (code + b"." + wider, b"." + wider, wider, stored["trader"][1], b"\xff.{}", b""):
            redis.hset(KEYS.api_keys, field, text)
            for served in (guarded.one, guarded.other):
                response = await served.post(
                    legacy_call("place_limit_order", ARGUMENTS["place_limit_order"]), **bearer(reader)
                )
                assert response.status_code == 401
        # The job's own signature lies in Redis as well; it must not do for a key.
        other_session = KeyRing(guarded.store, Keys("other"), SECRET.encode())
        assert await other_session.add("trader", scopes=ALL)
        redis.hset(KEYS.api_keys, stored["trader"][0], next(iter(redis.hgetall(Keys("other").api_keys).values())))
        await asyncio.sleep(0)
        assert (await guarded.ring.all())[0] == []
    assert worker.envelopes == []
    assert await guarded.status_code(trader, guarded.other) == 401


async def test_an_expired_key_is_refused(guarded: Guarded) -> None:
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    assert await guarded.status_code(await guarded.key("old", expires=now)) == 401
    assert await guarded.status_code(await guarded.key("new", expires=now + timedelta(hours=1))) == 200


async def test_a_rate_holds_across_both_frontends_and_never_holds_back_a_cancellation(
    guarded: Guarded, worker: StandInWorker
) -> None:
    key = await guarded.key(calls_per_minute=12)  # two at once, then one every five seconds
    results = [await guarded.call(key, "get_status", served=served) for served in (guarded.one, guarded.other) * 2]
    assert [result.get("isError", False) for result in results] == [False, False, True, True]
    assert "RATE_LIMITED: agent may make 12 calls a minute" in results[2]["content"][0]["text"]
    assert "Retry: after 5 s" in results[2]["content"][0]["text"]
    for served in (guarded.one, guarded.other) * 3:
        assert not (await guarded.call(key, "cancel_order", served=served)).get("isError")
    assert [envelope.operation for envelope in worker.envelopes] == ["cancel_order"] * 6
    free = await guarded.key("free")
    assert not (await guarded.call(free, "get_status")).get("isError")


async def test_a_key_of_one_account_sees_no_other_in_status_and_order_records(
    guarded: Guarded, worker: StandInWorker
) -> None:
    status = worker_status(accounts=["DU1234567", "DU7654321"])
    await guarded.store.set(KEYS.status, status.model_dump_json())
    records = OrderRecords(guarded.store, KEYS)
    with Redis.from_url(guarded.url) as redis:
        for perm, account in ((11, "DU1234567"), (22, "DU7654321")):
            own = order_key("other", f"order-{perm}")
            await records.enter(
                own, caller="other", client_order_id=f"order-{perm}", operation="place_market_order",
                arguments={"symbol": "AAPL", "action": "BUY", "quantity": 1}, deadline_ms=2**41,
            )  # fmt: skip
            redis.hset(KEYS.order(own), mapping={"place": f"{account}|265598", "stage": "SENDING"})
            redis.sadd(KEYS.order_named(f"perm:{perm}"), own)
            redis.sadd(KEYS.order_named("id:7"), own)
    narrow = await guarded.key("narrow", accounts=frozenset({"DU7654321"}))
    wide = await guarded.key("wide")

    async def told(key: str, tool: str, **arguments: Any) -> str:
        response = await guarded.one.post(legacy_call(tool, arguments), **bearer(key))
        return json.dumps(asked(response))

    assert "DU1234567" in await told(wide, "get_status")
    assert "DU1234567" not in await told(narrow, "get_status")
    assert "DU7654321" in await told(narrow, "get_status")
    for handle in ("perm:11", "order-11"):
        assert '"status": "NOT_FOUND"' in await told(narrow, "get_order", order=handle)
        assert "NOT_FOUND" in await told(narrow, "wait_for_order", order=handle, timeout=1)
    assert '"client_order_id": "order-22"' in await told(narrow, "get_order", order="perm:22")
    assert '"client_order_id": "order-22"' in await told(narrow, "get_order", order="7")
    assert '"client_order_id": "order-11"' in await told(wide, "get_order", order="perm:11")


async def test_a_live_account_is_not_shown_by_a_frontend_that_asks_nobody_and_was_not_told_the_mode(
    valkey: str, worker: StandInWorker
) -> None:
    keys = Keys("main")
    await worker.store.set(keys.status, worker_status(accounts=["U1234567"], trading_mode="live").model_dump_json())
    await OrderRecords(worker.store, keys).enter(
        order_key("other", "x"), caller="other", client_order_id="x", operation="place_market_order",
        arguments={"symbol": "AAPL", "action": "BUY", "quantity": 1}, deadline_ms=2**41,
    )  # fmt: skip
    with Redis.from_url(valkey) as redis:
        redis.hset(keys.order(order_key("other", "x")), mapping={"place": "U1234567|265598", "stage": "SENDING"})
        redis.sadd(keys.order_named("perm:11"), order_key("other", "x"))
    async with serve(valkey) as served, serve(valkey, desktop_caller) as vouched:
        for one, shown in ((served, False), (vouched, True)):
            assert ("U1234567" in (await one.post(legacy_call("get_status", {}))).text) is shown
            told = (await one.post(legacy_call("get_order", {"order": "perm:11"}))).text
            assert ("NOT_FOUND" not in told) is shown


async def test_while_redis_is_away_a_key_is_neither_accepted_nor_called_wrong() -> None:
    ring = KeyRing(Store.at("redis://127.0.0.1:1/0"), KEYS, SECRET.encode())
    assert await ring.caller("ibkrmcp_short") is None
    async with serve(f"redis://127.0.0.1:{free_port()}/0", authentication="keys") as served:
        response = await served.post(legacy_call("get_status", {}), **bearer("ibkrmcp_aaaaaaaaaa_" + "x" * 43))
        assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
        assert (await served.get("/livez")).status_code == 200


PAIR = RSAKeyPair.generate()
JWT: dict[str, Any] = {
    "authentication": "keys,jwt", "jwt_public_key": PAIR.public_key.replace("\n", "\\n"), "jwt_issuer": "https://id.example",
    "jwt_audience": "ibkr", "jwt_scope_prefix": "ibkr:", "jwt_accounts_claim": "accounts",
}  # fmt: skip


def token(**changes: Any) -> str:
    claims: dict[str, Any] = {
        "subject": "ada", "issuer": "https://id.example", "audience": "ibkr", "scopes": ["ibkr:read", "openid"],
        "additional_claims": {"accounts": ["du1234567"]},
    }  # fmt: skip
    return PAIR.create_token(**(claims | changes))


async def test_a_token_of_the_identity_provider_opens_what_its_scopes_and_accounts_say(
    valkey: str, worker: StandInWorker
) -> None:
    async with serve(valkey, **JWT) as served:
        headers = bearer(token())
        assert not asked(await served.post(legacy_call("get_positions", {}), **headers)).get("isError")
        refused = asked(await served.post(legacy_call("cancel_order", {"order_id": 7}), **headers))
        assert "NOT_PERMITTED: cancel_order needs the scope trade, which jwt:ada" in refused["content"][0]["text"]
    (envelope,) = worker.envelopes
    assert (envelope.caller, envelope.scopes, envelope.authenticated) == ("jwt:ada", READ, True)
    assert envelope.accounts == frozenset({"DU1234567"})


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": "somebody-else"}, {"issuer": "https://evil.example"}, {"expires_in_seconds": -100},
        {"additional_claims": {}}, {"additional_claims": {"accounts": []}},
        {"additional_claims": {"accounts": 5}}, {"additional_claims": {"accounts": ["DU1234567"], "sub": ""}},
    ],
    ids=str,
)  # fmt: skip
async def test_a_token_for_others_from_others_too_old_or_without_account_is_401(
    valkey: str, changes: dict[str, Any]
) -> None:
    async with serve(valkey, **JWT) as served:
        assert (await served.post(legacy_call("get_status", {}), **bearer(token(**changes)))).status_code == 401
        forged = RSAKeyPair.generate().create_token(subject="ada", issuer="https://id.example", audience="ibkr")
        assert (await served.post(legacy_call("get_status", {}), **bearer(forged))).status_code == 401


async def test_clients_are_told_where_to_get_a_token(valkey: str) -> None:
    discovery: dict[str, Any] = {
        "jwt_authorization_server": "https://id.example",
        "public_url": "https://bridge.example",
    }
    async with serve(valkey, **JWT, **discovery) as served:
        refused = await served.post(legacy_call("get_status", {}))
        assert "https://bridge.example/.well-known/oauth-protected-resource/mcp" in refused.headers["www-authenticate"]
        document = (await served.get("/.well-known/oauth-protected-resource/mcp")).json()
        assert document["authorization_servers"] == ["https://id.example/"]
        assert document["scopes_supported"] == ["ibkr:read", "ibkr:preview", "ibkr:trade"]
        assert (await served.post(legacy_call("get_status", {}), **bearer(token()))).status_code == 200


def test_a_subject_can_never_pass_for_a_key_or_break_a_line() -> None:
    name = authentication._caller_name
    assert name("claude") == "jwt:claude"
    assert name("x" * 500) != name("x" * 501)
    assert all(len(name(subject)) < 80 and "\n" not in name(subject) for subject in ("x" * 500, "a\nb", "\0"))
