"""Jobs that somebody put into Redis by hand: each is refused with an answer and a log line, and the worker lives on."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.contract import Scope
from shared.envelope import MAX_BODY, read_answer, seal
from shared.errors import BridgeError, NotPermitted, UnreadableJob, UnsignedJob
from shared.queue import arq_seam

from .harness import Bridge, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "a secret of the tests"
LIMIT: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 100}


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="signed")
async def signed_bridge() -> AsyncIterator[Bridge]:
    """A worker with a secret."""
    async with Bridge(job_signing_secret=SECRET) as opened:
        yield opened


def refusal(answer: str) -> BridgeError:
    """The error an answer carries."""
    with pytest.raises(BridgeError) as refused:
        read_answer(answer)
    return refused.value


async def _alive(bridge: Bridge) -> None:
    """The worker still serves, and nothing reached the gateway."""
    assert (await bridge.call("get_orders")).items == []
    assert bridge.control.ledger() == []


class _Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle from Redis was executed",))


def _job(**changes: object) -> bytes:
    return json.dumps({"t": None, "f": "call", "a": ["{}", ""], "k": {}, "et": 1} | changes).encode()


PAYLOADS: dict[str, bytes] = {
    "a pickle": pickle.dumps({"t": None, "f": "call", "a": (_Trap(), ""), "k": {}, "et": 1}),
    "nothing": b" ",
    "truncated JSON": _job()[:-5],
    "a number": b"5",
    "a list": b"[]",
    "a deep list": b"[" * 5_000,
    "bytes that are no text": b"\xff\xfe\x00",
    "another function": _job(f="os.system"),
    "a function that is no name": _job(f={"a": 1}),
    "keyword arguments": _job(k={"body": "{}"}),
    "no arguments": _job(a=[]),
    "three arguments": _job(a=["{}", "", ""]),
    "arguments that are no list": _job(a="ab"),
    "a body that is no text": _job(a=[{"v": 1}, ""]),
    "a signature that is no text": _job(a=["{}", None]),
    "a time that is no number": _job(et="now"),
    "a body that is no JSON": _job(a=["{", ""]),
    "a body that is a list": _job(a=["[]", ""]),
    "a body that is a text": _job(a=['"v"', ""]),
    "a body without a version": _job(a=["{}", ""]),
    "an oversized body": _job(a=['{"v":1,"x":"' + "x" * MAX_BODY + '"}', ""]),
    "a gigantic payload": _job(a=["x" * 2_000_000, ""]),
    "a version that is a text": _job(a=['{"v":"1"}', ""]),
    "an endless version": _job(a=['{"v":' + "9" * 5_000 + "}", ""]),
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("lane", ["queries", "orders"])
async def test_what_is_no_job_is_unreadable(
    shared_bridge: Bridge, payload: bytes, lane: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        error = refusal(await shared_bridge.put_raw(payload, lane=lane))
        await until(lambda: any("UNREADABLE_JOB" in record.getMessage() for record in caplog.records))
    assert isinstance(error, UnreadableJob)
    assert not any(record.exc_info for record in caplog.records)
    await _alive(shared_bridge)


async def test_an_unknown_operation_is_refused_by_name(shared_bridge: Bridge) -> None:
    error = refusal(await shared_bridge.put(shared_bridge.envelope("delete_everything")))
    assert isinstance(error, UnreadableJob)
    assert "delete_everything" in error.fact


async def test_an_operation_of_the_frontend_is_not_run_here(shared_bridge: Bridge) -> None:
    assert isinstance(refusal(await shared_bridge.put(shared_bridge.envelope("get_status"))), UnreadableJob)


async def test_a_newer_envelope_is_refused_by_its_version(shared_bridge: Bridge) -> None:
    error = refusal(await shared_bridge.put(shared_bridge.envelope("get_orders", v=3)))
    assert isinstance(error, UnreadableJob)
    assert "version 3" in error.fact


@pytest.mark.parametrize(
    "change",
    [
        {"deadline_ms": 0}, {"deadline_ms": -5}, {"deadline_ms": 10**30}, {"deadline_ms": "soon"},
        {"request_id": "a b"}, {"request_id": ""}, {"request_id": "x" * 65}, {"reply_to": "a:b"}, {"reply_to": ""},
        {"scopes": ["root"]}, {"caller": None}, {"arguments": []}, {"surplus": 1}, {"session": None},
    ],
    ids=str,
)  # fmt: skip
async def test_an_envelope_with_a_wrong_field_is_unreadable(shared_bridge: Bridge, change: dict[str, Any]) -> None:
    body, _ = seal(shared_bridge.envelope("get_orders"), b"")
    changed = json.dumps(json.loads(body) | change)
    answer = await shared_bridge.put_raw(arq_seam.encode_job(changed, "", 1))
    assert isinstance(refusal(answer), UnreadableJob)
    await _alive(shared_bridge)


async def test_another_sessions_job_is_refused(shared_bridge: Bridge) -> None:
    error = refusal(await shared_bridge.put(shared_bridge.envelope("get_orders", session="other")))
    assert isinstance(error, NotPermitted)


async def test_a_caller_who_may_only_read_may_not_trade(shared_bridge: Bridge) -> None:
    readers = frozenset({Scope.READ, Scope.PREVIEW})
    for tool, arguments in {"place_limit_order": LIMIT, "cancel_order": {"order_id": "1"}}.items():
        error = refusal(await shared_bridge.put(shared_bridge.envelope(tool, arguments=arguments, scopes=readers)))
        assert isinstance(error, NotPermitted)
        assert "trade" in error.fact
    await _alive(shared_bridge)


async def test_a_caller_who_may_only_trade_may_not_read(shared_bridge: Bridge) -> None:
    traders = frozenset({Scope.TRADE})
    for tool in ("get_orders", "get_positions"):
        assert isinstance(refusal(await shared_bridge.put(shared_bridge.envelope(tool, scopes=traders))), NotPermitted)


async def test_a_trade_in_the_lane_of_the_queries_is_refused(shared_bridge: Bridge) -> None:
    answer = await shared_bridge.put(shared_bridge.envelope("place_limit_order", arguments=LIMIT), lane="queries")
    assert isinstance(refusal(answer), UnreadableJob)
    await _alive(shared_bridge)


async def test_arguments_are_checked_again_here(shared_bridge: Bridge) -> None:
    hostile: list[dict[str, Any]] = [
        LIMIT | {"quantity": -1},
        LIMIT | {"symbol": "AAPL\0BUY"},
        LIMIT | {"transmit": True},
        LIMIT | {"quantity": {"$gt": 0}},
        LIMIT | {"symbol": ["AAPL"]},
        {},
    ]
    for arguments in hostile:
        error = refusal(await shared_bridge.put(shared_bridge.envelope("place_limit_order", arguments=arguments)))
        assert error.code == "INVALID_ARGUMENT"
    await _alive(shared_bridge)


async def test_with_a_secret_a_signed_job_is_served(signed: Bridge) -> None:
    await _alive(signed)
    read_answer(await signed.put(signed.envelope("get_orders")))


@pytest.mark.parametrize("secret", ["", "another secret of the tests"])
async def test_with_a_secret_every_other_signature_is_refused(signed: Bridge, secret: str) -> None:
    for tool, arguments in {"get_orders": {}, "place_limit_order": LIMIT}.items():
        answer = await signed.put(signed.envelope(tool, arguments=arguments), secret=secret)
        assert isinstance(refusal(answer), UnsignedJob)
    await _alive(signed)


async def test_with_a_secret_a_changed_body_is_refused(signed: Bridge) -> None:
    body, signature = seal(signed.envelope("place_limit_order", arguments=LIMIT), SECRET.encode())
    changed = body.replace('"quantity":1', '"quantity":9')
    assert changed != body
    answer = await signed.put_raw(arq_seam.encode_job(changed, signature, 1), lane="orders")
    assert isinstance(refusal(answer), UnsignedJob)
    await _alive(signed)


@pytest.mark.parametrize("signature", ["é", "0" * 64, "\0", "x" * 10_000])
async def test_with_a_secret_a_strange_signature_is_refused(signed: Bridge, signature: str) -> None:
    body, _ = seal(signed.envelope("get_orders"), b"")
    answer = await signed.put_raw(arq_seam.encode_job(body, signature, 1))
    assert isinstance(refusal(answer), UnsignedJob)
    await _alive(signed)


async def test_a_job_whose_name_is_no_text_does_not_stop_the_worker(shared_bridge: Bridge) -> None:
    await shared_bridge.enqueue_raw(b"\xff\xfe", _job())
    await _alive(shared_bridge)
    assert await shared_bridge.redis.zscore(shared_bridge.keys.queue, b"\xff\xfe") is None


@pytest.mark.parametrize("name", ["", " ", "main", "main::", "a b", "x" * 3_000, "ключ"])
async def test_a_job_with_a_strange_name_does_not_stop_the_worker(shared_bridge: Bridge, name: str) -> None:
    await shared_bridge.enqueue_raw(name.encode(), _job())
    await _alive(shared_bridge)


async def test_a_key_that_holds_no_text_does_not_stop_the_worker(shared_bridge: Bridge) -> None:
    await shared_bridge.redis.rpush(arq_seam.JOB + "main:x:list", "1")
    await shared_bridge.redis.zadd(shared_bridge.keys.queue, {"main:x:list": 1})
    await shared_bridge.redis.rpush(shared_bridge.keys.wake, "1")
    await _alive(shared_bridge)
    assert await shared_bridge.redis.zscore(shared_bridge.keys.queue, "main:x:list") is None
