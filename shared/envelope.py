"""A tool call as it travels from a frontend to the worker, and the answer as it comes back.

The body is JSON text and is signed as the bytes it is, so that no two writers need agree on a canonical form.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from shared import json_text
from shared.contract import Scope
from shared.errors import BridgeError, UnreadableJob, UnsignedJob, from_wire

VERSION: Final = 2
"""Of the envelope. A worker refuses a newer one by number; it reads every older one.

2 adds ``accounts`` and ``authenticated``: a worker that does not know them must not serve a caller they restrict.
"""

MAX_BODY = 64 * 1024
"""Characters of a body; no tool needs a tenth of it."""


_UNTRACED: Final = {"traceparent"}


class Envelope(BaseModel):
    """Everything the worker needs to know of a call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1, 2]
    session: str
    """The gateway session the job is for."""
    operation: str
    arguments: dict[str, Any]
    """As the client sent them, checked by the frontend, checked again by the worker."""
    caller: str
    scopes: frozenset[Scope]
    accounts: frozenset[str] | None = None
    """The accounts the caller may see and trade; None: all."""
    authenticated: bool = False
    """Whether somebody vouched for the caller; a live account is served to nobody else."""
    deadline_ms: int = Field(gt=0, lt=2**42)
    """Unix milliseconds; past it the job is not begun."""
    request_id: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")
    reply_to: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")
    """Name of the frontend process that waits; its reply channel derives from it."""
    traceparent: str = Field(default="", max_length=128)
    """The frontend's span where traces are on (W3C); left out where they are off, so that older workers read it."""

    @property
    def deadline(self) -> datetime:
        """The deadline as an aware time in UTC."""
        return datetime.fromtimestamp(self.deadline_ms / 1000, UTC)


def seal(envelope: Envelope, secret: bytes) -> tuple[str, str]:
    """The body and its signature; without a secret the signature is empty."""
    body = envelope.model_dump_json(exclude=None if envelope.traceparent else _UNTRACED)
    return body, _sign(body, secret)


def unseal(body: object, signature: object, secret: bytes) -> Envelope:
    """The envelope of a job taken from Redis, where anybody may have put it.

    Raises ``UnsignedJob`` where there is a secret and the signature is not its, and ``UnreadableJob`` for anything
    that is not an envelope of a known version.
    """
    if not isinstance(body, str) or not isinstance(signature, str) or len(body) > MAX_BODY:
        raise UnreadableJob("the job is not an envelope of at most 64 KiB")
    if secret and not hmac.compare_digest(_sign(body, secret).encode(), signature.encode(errors="replace")):
        raise UnsignedJob("the job's signature is missing or wrong")
    try:
        return Envelope.model_validate_json(body)
    except ValueError as error:
        if (version := _version(body)) > VERSION:
            reason = f"the job has envelope version {version}; this release reads up to {VERSION}"
        else:
            reason = "the job is not a valid envelope"
        raise UnreadableJob(reason) from error


def _version(body: str) -> int:
    """The version an envelope says it has, whatever else it is; 0 for what says none."""
    try:
        data: Any = from_json(body)
        version: object = data["v"]
    except (ValueError, KeyError, TypeError):
        return 0
    return version if isinstance(version, int) else 0


def _sign(body: str, secret: bytes) -> str:
    return hmac.digest(secret, body.encode(), "sha256").hex() if secret else ""


_RESULT = '{"result":'
_ERROR = '{"error":'


def result_text(result: BaseModel) -> str:
    """A finished answer."""
    return f"{_RESULT}{json_text.dumps(result)}}}"


def error_text(error: BridgeError) -> str:
    """A refusal."""
    return f"{_ERROR}{json_text.dumps(error.to_wire())}}}"


def read_answer(text: str) -> tuple[str, Mapping[str, Any]]:
    """The result as compact JSON text and as a mapping with plain JSON numbers; raises the error it carries."""
    if text.startswith(_ERROR):
        raise from_wire(from_json(text)["error"])
    return text[len(_RESULT) : -1], from_json(text)["result"]
