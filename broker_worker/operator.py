"""What a person does about orders from the command line: read the audit, and say what became of an unknown order."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from datetime import UTC, datetime

from broker_worker.orders.journal import Journal
from broker_worker.replaying import command as replaying
from broker_worker.settings import WorkerSettings
from shared.audit import Audit, Decision
from shared.contract.orders import OrderState
from shared.order_records import StoredOrder, order_key
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store

OUTCOMES = {
    "filled": OrderState.FILLED,
    "cancelled": OrderState.CANCELLED,
    "rejected": OrderState.REJECTED,
    "never-sent": OrderState.EXPIRED,
}


def command_line(description: str | None) -> argparse.ArgumentParser:
    """The worker's command line: nothing, ``doctor``, ``audit``, ``resolve`` or ``replay``."""
    parser = argparse.ArgumentParser(prog="python -m broker_worker", description=description)
    commands = parser.add_subparsers(dest="command", metavar="command")
    replaying.add_arguments(commands.add_parser("replay", help="run recorded jobs against a recorded gateway"))
    commands.add_parser("doctor", help="look what is wrong with the installation; changes nothing")
    audit = commands.add_parser("audit", help="show the decisions about orders, oldest first")
    audit.add_argument("--last", type=int, default=50, help="how many entries (default 50)")
    audit.add_argument("--since", type=_aware, help="only from this time on, such as 2026-11-22T14:00:00Z")
    audit.add_argument("--order", help="only of this order key")
    audit.add_argument("--json", action="store_true", help="one JSON object a line")
    resolve = commands.add_parser("resolve", help="say what became of an order whose state is UNKNOWN")
    resolve.add_argument("order", nargs="?", help="its key; without one, the unknown orders are listed")
    resolve.add_argument("--client-order-id", help="or the name its caller gave it")
    resolve.add_argument("--caller", default="local", help="and who that caller is (default local)")
    resolve.add_argument("--outcome", choices=sorted(OUTCOMES), help="what became of it, as TWS or a statement shows")
    resolve.add_argument("--by", help="who decides")
    resolve.add_argument("--reason", help="how you know")
    return parser


def run(arguments: argparse.Namespace, settings: WorkerSettings) -> int:
    """Carry a command out; the exit code."""
    try:
        return asyncio.run(_run(arguments, settings))
    except RedisAway as error:
        print(f"Redis cannot be reached: {error}", file=sys.stderr)
        return 1


async def _run(arguments: argparse.Namespace, settings: WorkerSettings) -> int:
    store, keys = Store.at(settings.redis_url), Keys(settings.gateway_session)
    try:
        if arguments.command == "audit":
            return await _audit(arguments, Audit(store, keys))
        return await _resolve(arguments, Journal(store, keys), Audit(store, keys))
    finally:
        await store.close()


async def _audit(arguments: argparse.Namespace, audit: Audit) -> int:
    for entry in await audit.read(since=arguments.since, most=arguments.last):
        if arguments.order and entry["key"] != arguments.order:
            continue
        _say(json.dumps(entry) if arguments.json else _line(entry))
    return 0


def _line(entry: dict[str, str]) -> str:
    what = f"{entry['operation']} {entry['outcome']}"
    told = [text for text in (_asked(entry["arguments"]), entry["detail"][:300]) if text]
    head = f"{entry['at']}  {entry['by']}  {entry['caller']}  {what}  {entry['key']}"
    return "\n    ".join(_plain(line) for line in (head, *told))


def _plain(text: str) -> str:
    """On one line, and without anything that a terminal obeys: callers choose some of these words."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _asked(arguments: str) -> str:
    """What a call asked for, on one line."""
    return " ".join(f"{name}={value}" for name, value in json.loads(arguments).items())[:300]


async def _resolve(arguments: argparse.Namespace, journal: Journal, audit: Audit) -> int:
    if not arguments.order and not arguments.client_order_id:
        return _list(await journal.unknown_orders())
    key = arguments.order or order_key(arguments.caller, arguments.client_order_id)
    if not (arguments.outcome and arguments.by and arguments.reason):
        _say("resolve needs --outcome, --by and --reason: they stand in the audit", error=True)
        return 2
    state = OUTCOMES[arguments.outcome]
    if not await journal.resolve(key, state, f"{arguments.by}: {arguments.reason}"):
        _say(f"order {key} is not UNKNOWN; nothing was changed", error=True)
        return 1
    await audit.write(
        Decision(
            by="operator",
            caller=arguments.by,
            operation="resolve",
            request_id="",
            arguments={},
            outcome=state.value,
            detail=arguments.reason,
            key=key,
        )
    )
    _say(f"order {key} is now {state.value}; it no longer blocks others")
    return 0


def _list(unknown: list[StoredOrder]) -> int:
    for order in unknown:
        _say(f"{order.key}  {order.caller}  {order.client_order_id}  {order.fields.get('order', '')}")
    if not unknown:
        _say("no order is UNKNOWN")
    return 0


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("needs a time zone, for example Z")
    return moment.astimezone(UTC)


def _say(text: str, *, error: bool = False) -> None:
    print(text, file=sys.stderr if error else sys.stdout)
