"""Answers that stay true for a while may be given to others who ask the same.

The contract says for how long (``share_for``), and only for what does not depend on who asks: never for accounts,
positions and orders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from pydantic_core import to_json

from shared.contract import Operation
from shared.redis_keys import Keys


def share_key(keys: Keys, operation: Operation, arguments: Mapping[str, object], *, authenticated: bool) -> str:
    """Where the answer to this question would lie; empty for what is never shared.

    The same question in the same words; two wordings of one question are two questions here, and joined in the worker.
    Nor is what an authenticated caller was told for others: of a live account the worker tells those alone.
    """
    if not operation.marker.share_for:
        return ""
    asked = to_json([operation.name, authenticated, sorted(arguments.items())])
    return keys.shared_answer(hashlib.blake2b(asked, digest_size=16).hexdigest())
