"""``python -m mcp_frontend keys``: make, list and revoke API keys."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from datetime import UTC, datetime, timedelta

from mcp_frontend.keys import CACHE_SECONDS, NAME, KeyRecord, KeyRing
from mcp_frontend.settings import FrontendSettings
from shared.contract import Scope
from shared.redis_keys import Keys
from shared.redis_store import RedisAway, Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What follows ``keys`` on the command line."""
    commands = parser.add_subparsers(dest="keys_command", metavar="command", required=True)
    add = commands.add_parser("add", help="make a key; it is shown once")
    add.add_argument("name", type=_name, help="stands in logs and audit; orders belong to it")
    add.add_argument("--scopes", type=_scopes, default="read", help="of read,preview,trade (default read)")
    add.add_argument("--accounts", type=_accounts, help="only these, comma-separated (default all)")
    add.add_argument("--rate", type=_count, default=0, help="calls a minute through all frontends (default no limit)")
    add.add_argument("--days", type=_count, help="valid for so long (default until revoked)")
    commands.add_parser("list", help="show every key but its secret")
    commands.add_parser("revoke", help="make a key worthless").add_argument("name")


def run(arguments: argparse.Namespace, settings: FrontendSettings) -> int:
    """Carry a command out; the exit code."""
    secret = settings.job_signing_secret.get_secret_value().encode()
    if not secret:
        _say("set JOB_SIGNING_SECRET, the same as the frontends' and the worker's: keys are signed with it")
        return 2
    try:
        return asyncio.run(_run(arguments, settings, secret))
    except RedisAway as error:
        _say(f"Redis cannot be reached: {error}")
        return 1


async def _run(arguments: argparse.Namespace, settings: FrontendSettings, secret: bytes) -> int:
    store = Store.at(settings.redis_url)
    ring = KeyRing(store, Keys(settings.gateway_session), secret)
    try:
        if arguments.keys_command == "add":
            return await _add(arguments, ring)
        if arguments.keys_command == "revoke":
            return await _revoke(arguments.name, ring)
        return await _list(ring)
    finally:
        await store.close()


async def _add(arguments: argparse.Namespace, ring: KeyRing) -> int:
    expires = datetime.now(UTC) + timedelta(days=arguments.days) if arguments.days else None
    key = await ring.add(
        arguments.name,
        scopes=arguments.scopes,
        accounts=arguments.accounts,
        calls_per_minute=arguments.rate,
        expires=expires,
    )
    if key is None:
        _say(f"there is a key named {arguments.name}; revoke it first")
        return 1
    _say("The key, shown this once; clients send it as the header Authorization: Bearer KEY.")
    print(key)  # alone on standard output, for whoever puts it into a file
    return 0


async def _revoke(name: str, ring: KeyRing) -> int:
    if not await ring.revoke(name):
        _say(f"there is no key named {name}")
        return 1
    _say(f"{name} is revoked; within {CACHE_SECONDS:.0f} s every frontend refuses it")
    return 0


async def _list(ring: KeyRing) -> int:
    records, foreign = await ring.all()
    print(f"{'name':<24}{'scopes':<22}{'accounts':<24}{'rate':<8}{'created':<12}expires")
    for record in records:
        print(_row(record))
    if foreign:
        _say(f"{foreign} more are not signed with this JOB_SIGNING_SECRET, and are refused")
    return 0


def _row(record: KeyRecord) -> str:
    scopes = ",".join(scope.value for scope in Scope if scope in record.scopes)
    accounts = "all" if record.accounts is None else ",".join(sorted(record.accounts))
    rate = str(record.calls_per_minute) if record.calls_per_minute else "-"
    until = "never" if record.expires is None else f"{record.expires:%Y-%m-%d}"
    over = " (expired)" if record.expired else ""
    return f"{record.name:<24}{scopes:<22}{accounts:<24}{rate:<8}{f'{record.created:%Y-%m-%d}':<12}{until}{over}"


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text) or text == "local":
        raise argparse.ArgumentTypeError("up to 32 of a-z 0-9 . _ -, and not local")
    return text


def _scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(Scope(part.strip()) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("of read, preview, trade, comma-separated") from None


def _accounts(text: str) -> frozenset[str]:
    names = frozenset(part.strip().upper() for part in text.split(",") if part.strip())
    if not names or not all(re.fullmatch(r"[A-Z0-9]{4,16}", name) for name in names):
        raise argparse.ArgumentTypeError("account numbers such as DU1234567, comma-separated")
    return names


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 100_000:
        raise argparse.ArgumentTypeError("a whole number from 1 to 100000")
    return int(text)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
