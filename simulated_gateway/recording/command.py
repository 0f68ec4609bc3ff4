"""`python -m simulated_gateway record`: a client's conversation with a gateway, written to a file."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from pathlib import Path

from shared.masking import Pseudonyms
from simulated_gateway.waiting import interrupted

from .disguise import Disguise
from .proxy import RecordingProxy, Upstream
from .tape import Tape

SALT_VARIABLE = "RECORDING_SALT"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--upstream", required=True, type=_address, help="the gateway, HOST:PORT")
    parser.add_argument("--listen", required=True, type=int, help="the port for the client; 0 lets the machine choose")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen")
    parser.add_argument("--out", required=True, type=Path, help="the file to write; it must not exist yet")
    parser.add_argument("--no-orders", action="store_true", help="leave out what is said about orders")
    parser.add_argument("--mask", action="append", default=[], metavar="NAME", help="a name to mask too, such as yours")


def _address(text: str) -> Upstream:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        message = f"{text} is not HOST:PORT"
        raise argparse.ArgumentTypeError(message)
    return Upstream(host, int(port))


def run(arguments: argparse.Namespace) -> int:
    """Record until interrupted; the exit code."""
    salt = os.environ.get(SALT_VARIABLE, "").encode() or secrets.token_bytes(16)
    names = Pseudonyms(salt, arguments.mask)
    try:
        asyncio.run(_run(arguments, names))
    except OSError as problem:
        print(f"recorder: {problem}", file=sys.stderr)
        return 1
    return 0


async def _run(arguments: argparse.Namespace, names: Pseudonyms) -> None:
    tape = Tape(arguments.out)
    orders = not arguments.no_orders
    async with RecordingProxy(arguments.upstream, tape, Disguise(names, orders=orders), orders=orders) as proxy:
        await proxy.open(arguments.host, arguments.listen)
        print(f"recording {arguments.upstream.host}:{arguments.upstream.port} into {arguments.out}", file=sys.stderr)
        print(f"connect the client to {arguments.host}:{proxy.port}", flush=True)
        await interrupted()
    masked = ", ".join(f"{count} {kind}" for kind, count in names.masked.items())
    print(f"{tape.messages:,} messages, {tape.bytes_written / 1e6:,.1f} MB; masked: {masked}", flush=True)
    if not orders:
        print("what was said about orders is left out", flush=True)
    print("balances, positions and prices are as they were: look at the file before you show it", flush=True)
