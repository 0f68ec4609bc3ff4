"""``python -m demo`` runs the whole bridge against the simulated gateway until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys


def main() -> int:
    """Read the command line and the environment, and run; the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # until children run there is nothing to stop, and nothing to say
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--frontends", type=int, default=1, metavar="N", help="so many, on SERVER_PORT and the next ports")
    how.add_argument("--stdio", action="store_true", help="serve one client over standard input and output instead")
    arguments = parser.parse_args()
    if not 1 <= arguments.frontends <= 8:
        parser.error("--frontends must be 1 to 8")

    from demo.supervisor import run  # noqa: PLC0415 - takes a moment, in which Ctrl-C already ends this quietly

    return run(frontends=arguments.frontends, stdio=arguments.stdio)


if __name__ == "__main__":
    sys.exit(main())
