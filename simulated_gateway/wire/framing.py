"""Frames: a 4-byte big-endian length, then fields that each end with NUL.

TWS API: the V100+ handshake and message encoding of `EClient` and `EReader`.
"""

import asyncio
import re
import struct
from collections.abc import Sequence
from decimal import Decimal

#: What one field of a message may be before it is written as text.
Field = str | int | bool | Decimal | None
#: One message: its fields in wire order, the message id first.
Message = Sequence[Field]

LENGTH_BYTES = 4
#: No request comes near this; a longer one is not this protocol.
MAX_FRAME_BYTES = 1 << 20
#: An absent double. TWS API: `UNSET_DOUBLE`.
UNSET_DOUBLE = "1.7976931348623157E308"
#: An absent integer. TWS API: `UNSET_INTEGER`.
UNSET_INTEGER = "2147483647"

_VERSIONS = re.compile(rb"^v(\d+)(?:\.\.(\d+))?")


class MalformedFrame(Exception):
    """The bytes are not a frame of this protocol."""


def encode_field(value: Field) -> str:
    """One field as the gateway writes it: numbers without exponent, flags as 1 and 0, nothing for None."""
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case Decimal():
            return format_decimal(value)
        case _:
            return str(value).replace("\0", "")


def format_decimal(value: Decimal) -> str:
    """A Decimal in plain digits, without an exponent and without trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


def encode_frame(message: Message) -> bytes:
    """A whole message, length included."""
    payload = b"".join(encode_field(value).encode() + b"\0" for value in message)
    return struct.pack(">I", len(payload)) + payload


def decode_fields(payload: bytes) -> list[str]:
    """The fields of a received payload, message id first.

    Raises:
        MalformedFrame: it is empty, does not end with NUL, or does not begin with a message id.
    """
    if not payload.endswith(b"\0"):
        message = "a frame that does not end with NUL"
        raise MalformedFrame(message)
    fields = payload[:-1].decode(errors="backslashreplace").split("\0")
    if not fields[0].isascii() or not fields[0].isdigit():
        message = f"a frame that begins with {fields[0][:20]!r} instead of a message id"
        raise MalformedFrame(message)
    return fields


async def read_payload(reader: asyncio.StreamReader) -> bytes | None:
    """The next payload, or None where the peer has closed.

    Raises:
        MalformedFrame: the length is zero or absurd, or the stream ends inside a frame.
    """
    try:
        header = await reader.readexactly(LENGTH_BYTES)
        (length,) = struct.unpack(">I", header)
        if not 0 < length <= MAX_FRAME_BYTES:
            message = f"a frame of {length} bytes"
            raise MalformedFrame(message)
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        if error.expected == LENGTH_BYTES and not error.partial:
            return None
        message = "the stream ended inside a frame"
        raise MalformedFrame(message) from error


async def read_client_versions(reader: asyncio.StreamReader) -> tuple[int, int] | None:
    r"""The lowest and highest version a client offers: `API\0`, then one frame `v157..178`, options after a space.

    Returns None where the peer closed without a word.

    Raises:
        MalformedFrame: anything else.
    """
    try:
        prefix = await reader.readexactly(4)
    except asyncio.IncompleteReadError:
        return None
    if prefix != b"API\0":
        message = "a handshake that does not begin with API"
        raise MalformedFrame(message)
    payload = await read_payload(reader)
    if payload is None:
        return None
    found = _VERSIONS.match(payload)
    if found is None:
        message = f"a handshake that offers {payload[:30]!r}"
        raise MalformedFrame(message)
    lowest = int(found[1])
    return lowest, int(found[2] or lowest)
