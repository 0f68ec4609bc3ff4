"""Whether a run kept the promises: the gateway's ledger against the records, the answers that were given, the audit."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

from fakeredis import FakeRedis

from broker_worker.orders.position_evidence import EXCHANGE_DAY
from shared.order_records import REF_PREFIX, order_key
from tests.orders import invariant

from .house import KEYS, Asked, SimulatedHouse

Row = dict[str, Any]

AT_THE_GATEWAY = frozenset({"WORKING", "PARTIALLY_FILLED", "FILLED", "CANCELLED"})
NOTHING_DONE = frozenset({"WORKER_DOWN", "QUEUE_DOWN", "BUSY", "GATEWAY_UNAVAILABLE", "UNAVAILABLE"})
"""Errors that say of their own call that it sent nothing."""
LONGEST_ANSWER = 25.5
_PROBE = {"symbol": "SPY", "action": "BUY", "quantity": 1, "limit_price": 100, "client_order_id": "probe"}


def reach(house: SimulatedHouse) -> list[str]:
    """Everything that is wrong; nothing if all is well. Asks the house, which has to be mended."""
    received = [asdict(entry) for entry in house.gateway.gateway.control.ledger()]
    # What the gateway turned away at the door is not an order: it is nowhere to be seen afterwards.
    ledger = [entry for entry in received if entry["perm_id"]]
    views = [asdict(view) for view in house.gateway.gateway.control.orders()]
    names = sorted({(asked.caller, asked.name) for asked in house.asked if asked.places})
    stories = {one: _question(house, one[0], "get_order", {"order": one[1]}) for one in names}
    probe = _question(house, "probe", "place_limit_order", _PROBE)
    wrong = [] if probe and probe["state"] == "WORKING" else [f"the next order is answered {probe}"]
    sent = Counter(entry["order_ref"] for entry in received if entry["kind"] == "place")
    wrong += [f"{count} orders of one key: {ref}" for ref, count in sent.items() if count > 1]
    wrong += _orders(house, ledger, views, stories)
    for caller, name in names:
        wrong += _answers(house, caller, name, ledger, views)
    wrong += _twins(house, ledger, views)
    wrong += _audit(house)
    wrong += _slow(house)
    return wrong


def _question(house: SimulatedHouse, caller: str, tool: str, arguments: dict[str, Any]) -> Row | None:
    asked = house.ask("f1", caller, tool, arguments)
    assert asked is not None
    house.simulation.run(lambda: asked.answered_at is not None, 30)
    return asked.answer


def _orders(
    house: SimulatedHouse, ledger: list[Row], views: list[Row], stories: dict[tuple[str, str], Row | None]
) -> Iterator[str]:
    """At most one order a key, every key in a state that the ledger confirms."""
    known = {order_key(caller, name) for caller, name in stories}
    for entry in ledger:
        if entry["kind"] == "place" and entry["order_ref"].startswith(REF_PREFIX) and entry["order_ref"] not in known:
            yield f"an order nobody asked for: {entry}"
    for (caller, name), story in stories.items():
        key = order_key(caller, name)
        if story is None:
            yield f"{caller} {name}: no story"
            continue
        mine = [entry for entry in ledger if entry["order_ref"] == key]
        if story["status"] == "NOT_FOUND" and not mine:
            continue
        doubtful = [name] if _doubt_is_fair(house, key) else []
        of_yesterday = [name] if doubtful and story["state"] == "CANCELLED" and _begun_yesterday(house, key) else []
        try:
            invariant.check(
                mine, views, {name: story}, in_doubt=doubtful, over_since_midnight=of_yesterday, caller=caller
            )
        except AssertionError as error:
            yield f"{caller} {error}"


def _begun(house: SimulatedHouse, key: str) -> float | None:
    """When it was begun, Unix seconds."""
    begun: Any = FakeRedis(server=house.redis.server).hget(KEYS.order(key), "begun_ms")
    return None if begun is None else int(begun) / 1000


def _doubt_is_fair(house: SimulatedHouse, key: str) -> bool:
    """Whether something was broken about when the order was begun."""
    begun = _begun(house, key)
    if begun is None:
        return False
    moment = begun - house.epoch - house.simulation.skews.get("redis", 0.0)
    return any(since - 1 < moment + 25 and moment - 1 < until for since, until in house.levers.broken)


def _begun_yesterday(house: SimulatedHouse, key: str) -> bool:
    """Whether midnight has passed at the exchange since: then only the positions tell."""
    begun, now = _begun(house, key), house.epoch + house.simulation.now
    return begun is not None and _exchange_day(begun) < _exchange_day(now)


def _exchange_day(moment: float) -> date:
    return datetime.fromtimestamp(moment, EXCHANGE_DAY).date()


def _answers(house: SimulatedHouse, caller: str, name: str, ledger: list[Row], views: list[Row]) -> Iterator[str]:
    """Nobody was told what is not true."""
    key = order_key(caller, name)
    calls = [asked for asked in house.asked if asked.places and (asked.caller, asked.name) == (caller, name)]
    entry = next((row for row in ledger if row["order_ref"] == key and row["kind"] == "place"), None)
    view = next((row for row in views if row["order_ref"] == key), None)
    for asked in calls:
        if asked.answered_at is not None:
            for what in itertools.chain(
                _false_words(house, asked, entry, view), _false_absence(house, asked, calls, entry)
            ):
                told = asked.answer or asked.error
                yield f"{caller} {name} #{asked.number}: {what}; ledger {entry}; gateway {view}; told {told!r}"


def _false_words(house: SimulatedHouse, asked: Asked, entry: Row | None, view: Row | None) -> Iterator[str]:
    code = asked.error.code if asked.error is not None else ""
    if code == "INTERNAL":
        yield "a defect"
    if asked.answer is None:
        return
    told = asked.answer
    state = told["state"]
    same = entry is None or _same(asked, entry)
    by_position = state == "CANCELLED" and _begun_yesterday(house, order_key(asked.caller, asked.name))
    if state in AT_THE_GATEWAY and entry is None and not by_position:
        yield "told of an order that the gateway never had"
    if state in AT_THE_GATEWAY and not same:
        yield "told of another order under its name"
    if state == "FILLED" and (view is None or view["status"] != "Filled"):
        yield "told FILLED, and it is not"
    if told["perm_id"] is not None and (view is None or told["perm_id"] != view["perm_id"]):
        yield "told another permId"
    if told["may_resubmit"] and (state in {"UNKNOWN", "PENDING", "WORKING", "PARTIALLY_FILLED", "FILLED"}):
        yield "a second order is invited"


def _same(asked: Asked, entry: Row) -> bool:
    arguments = asked.arguments
    return bool(entry["action"] == arguments["action"] and entry["quantity"] == Decimal(str(arguments["quantity"])))


def _false_absence(house: SimulatedHouse, asked: Asked, calls: list[Asked], entry: Row | None) -> Iterator[str]:
    """Told that nothing was sent of what is in the ledger."""
    if entry is None or not _same(asked, entry) or asked.answered_at is None:
        return
    arrived = entry["time"].timestamp() - house.epoch - house.simulation.skews.get("gateway", 0.0)
    others = [one for one in calls if one is not asked and _same(one, entry) and one.at <= arrived]
    code = asked.error.code if asked.error is not None else ""
    if code in NOTHING_DONE and not [one for one in others if one.error is None or one.error.code not in NOTHING_DONE]:
        yield f"told {code}, and it was sent"
    never = asked.answer is not None and asked.answer["state"] == "EXPIRED"
    held = asked.answer is not None and "held back" in (asked.answer["message"] or "")
    if (never or held) and arrived <= asked.answered_at:
        yield "told that it was never sent when it had arrived"
    elif (never or held) and not [one for one in others if (one.answered_at or 1e9) > asked.answered_at]:
        yield "told that it was never sent, and no later call sent it"


def _twins(house: SimulatedHouse, ledger: list[Row], views: list[Row]) -> Iterator[str]:
    """No second order with the content of one that lives or has filled, under whatever name."""
    if house.redis.lossy:
        return  # what Redis forgot and only the gateway knows is not known by its content
    ended_without = {view["perm_id"] for view in views if view["ended_at"] is not None and not view["filled"]}
    content = itemgetter("account", "con_id", "action", "quantity", "order_type", "limit_price", "stop_price")
    seen: dict[tuple[Any, ...], Row] = {}
    for entry in ledger:
        if entry["kind"] != "place" or entry["perm_id"] in ended_without:
            continue
        first = seen.setdefault(content(entry), entry)
        if first is not entry:
            yield f"the same order twice, under two names: {first} {entry}"


def _audit(house: SimulatedHouse) -> Iterator[str]:
    """One entry for each call, whoever decided it; a Redis that forgets may forget that too."""
    redis: Any = FakeRedis(server=house.redis.server)
    decided = Counter(fields[b"request_id"].decode() for _, fields in redis.xrange(KEYS.audit))
    for asked in house.asked:
        trades = asked.places or asked.tool in {"cancel_order", "modify_order"}
        entries = decided[asked.request_id]
        by_gateway = asked.answer is not None and asked.answer.get("perm_id") is not None
        if trades and by_gateway and not entries and not house.redis.lossy and asked.request_id not in house.unaudited:
            yield f"#{asked.number}: no audit entry"
        if entries > 1 and not house.redis.lossy:
            yield f"#{asked.number}: {entries} audit entries"


def _slow(house: SimulatedHouse) -> Iterator[str]:
    """Every call is answered in time by a frontend that runs."""
    stood_still = any(step["do"] == "stop" and step["who"].startswith("f") for step in house.schedule.steps)
    for asked in house.asked:
        if asked.answered_at is not None and asked.answered_at - asked.at > LONGEST_ANSWER and not stood_still:
            yield f"#{asked.number} was answered after {asked.answered_at - asked.at:.1f} s"
