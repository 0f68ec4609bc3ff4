"""``python -m shared.probe URL``: ends with 0 if the URL answers 200 within three seconds. For health checks."""

from __future__ import annotations

import sys
import urllib.request


def main(url: str) -> int:
    """The exit code."""
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310 - an operator's own address
            return 0 if answer.status == 200 else 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
