"""`python -m simulated_gateway`: a stand-in for IB Gateway on this machine.

`record` writes down what a client and any gateway say to each other, `replay` answers a client from such a file.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from simulated_gateway.clock import Clock, ManualClock, SystemClock
from simulated_gateway.config import HIGHEST_VERSION, GatewayConfig
from simulated_gateway.gateway import SimulatedGateway
from simulated_gateway.playing import command as playing
from simulated_gateway.recording import command as recording
from simulated_gateway.waiting import interrupted


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulated_gateway", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="command")
    recording.add_arguments(commands.add_parser("record", help="stand between a client and a gateway, and record"))
    playing.add_arguments(commands.add_parser("replay", help="answer a client from a recording"))
    parser.add_argument("--host", default="127.0.0.1", help="where to listen")
    parser.add_argument("--port", type=int, default=4004, help="the API's port; 0 lets the machine choose")
    parser.add_argument("--control-port", type=int, help="the control port (HTTP and JSON); none by default")
    parser.add_argument("--accounts", default="DU1234567", help="account numbers, comma separated; D… is paper")
    parser.add_argument("--seed", type=int, default=1, help="of the market")
    parser.add_argument("--server-version", type=int, default=HIGHEST_VERSION, help="the highest to negotiate")
    parser.add_argument("--read-only", action="store_true", help="the API's own read-only mode")
    parser.add_argument("--state", type=Path, help="a file that keeps orders and accounts over restarts")
    parser.add_argument("--exchange-hours", action="store_true", help="let orders wait for the exchange to open")
    parser.add_argument("--still", action="store_true", help="no price moves unless the control port moves it")
    parser.add_argument("--at", type=_moment, help="the time to start at, such as 2025-06-10T14:00:00+00:00")
    parser.add_argument("--precaution", type=Decimal, default=Decimal(100_000), help="largest order value; 0 for none")
    parser.add_argument("--verbose", action="store_true", help="log more")
    return parser.parse_args(argv)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        message = f"{text} has no time zone; write it as {text}+00:00"
        raise argparse.ArgumentTypeError(message)
    return moment


def _config(arguments: argparse.Namespace) -> GatewayConfig:
    return GatewayConfig(
        host=arguments.host,
        port=arguments.port,
        control_port=arguments.control_port,
        accounts=tuple(code.strip() for code in arguments.accounts.split(",") if code.strip()),
        seed=arguments.seed,
        server_version=arguments.server_version,
        read_only=arguments.read_only,
        state_file=arguments.state,
        exchange_hours=arguments.exchange_hours,
        market_moves=not arguments.still,
        precaution_value=arguments.precaution or None,
    )


async def _run(config: GatewayConfig, clock: Clock) -> None:
    async with SimulatedGateway(config, clock) as gateway:
        control = f", control on {config.host}:{gateway.control_port}" if gateway.control_port else ""
        print(
            f"simulated gateway listening on {config.host}:{gateway.port} ({','.join(config.accounts)}){control}",
            flush=True,
        )
        await interrupted()


def main(argv: Sequence[str] | None = None) -> int:
    """Run until interrupted; the exit code."""
    arguments = _arguments(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(
        level=logging.DEBUG if arguments.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    if arguments.command is not None:
        return recording.run(arguments) if arguments.command == "record" else playing.run(arguments)
    try:
        config = _config(arguments)
        clock = SystemClock() if arguments.at is None else ManualClock(arguments.at, running=True)
        asyncio.run(_run(config, clock))
    except (ValueError, OSError) as problem:
        print(f"simulated gateway: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
