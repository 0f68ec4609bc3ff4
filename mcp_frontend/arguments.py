"""What a call's arguments must be before any tool looks at them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.errors import InvalidArgument

MAX_CHARACTERS = 16_000
"""Of a call's arguments as JSON; no tool needs a tenth, and the envelope around them may be 64 KiB."""


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Return if the arguments can travel as JSON; raises ``InvalidArgument``."""
    try:
        size = len(json.dumps(arguments, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        raise InvalidArgument("the arguments contain half a character (a lone surrogate)") from None
    if size > MAX_CHARACTERS:
        raise InvalidArgument(f"the arguments have {size} characters; at most {MAX_CHARACTERS} are read")
