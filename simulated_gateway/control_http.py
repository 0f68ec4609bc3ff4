"""The control port: HTTP and JSON on loopback, no library needed. Every route is a method of `Control`.

Questions are `GET /name?argument=value`, levers `POST /name` with a JSON object of arguments (or no body). Money and
quantities are strings or numbers. The answer is JSON; an error is `{"error": "…"}` with status 400, 404 or 405.

====  =====================  =========================================================================================
GET   /ledger                every order message received, refused ones too: number, time, kind (place, modify, cancel,
                             global cancel), client_id, order_id, order_ref, action, quantity, order_type, limit_price,
                             stop_price, tif, account, symbol, sec_type, con_id, what_if, perm_id, outcome.
                             Argument: since, to leave out the first so many
GET   /connections           clients with a session and their subscriptions
GET   /counters              messages by kind, errors sent and limits broken by code, most lines, most messages a second
GET   /orders                every order, live and ended
GET   /positions             what all accounts hold
GET   /faults                what is broken at present
GET   /quote                 con_id: prices now
POST  /move_price            con_id, price
POST  /beat                  match and publish now
POST  /advance               seconds, for a gateway with a manual clock
POST  /add_manual_order      symbol, action, quantity, order_type, limit_price, stop_price, account, tif, sec_type,
                             currency, con_id: an order typed in TWS; answers its permId
POST  /fill_order            perm_id, price, quantity
POST  /cancel_order          perm_id, reason: a cancel by the exchange
POST  /hold_fills            on
POST  /pace_fills            quantity in one beat, null for no pace
POST  /refuse_next_order     code, text
POST  /forget_next           kind (place, cancel), count: it takes effect, nobody is told
POST  /swallow_next_order    count: it never arrived
POST  /roll_back_order_ids   count
POST  /drop_links            client_id, or all: cut the connections
POST  /send_notice           code, text, req_id, client_id: 1100, 1101, 1102, …
POST  /refuse_connections    seconds, or until told
POST  /accept_connections
POST  /ignore_handshakes     on: accept and say nothing
POST  /mute                  while_mute (process, hold, discard)
POST  /unmute
POST  /slow_down             seconds that every answer is late
POST  /hold_client_id        client_id, seconds: error 326
POST  /hold_dead_client_ids  seconds that an id stays taken after its connection ended
POST  /release_client_ids
POST  /compete               on: error 10197
POST  /restart               seconds, roll_back_ids: end all connections, refuse new ones for a time
POST  /tell_next_id          client_id: send nextValidId unasked
POST  /clear_faults          repair everything but the door
====  =====================  =========================================================================================
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from http import HTTPStatus
from types import NoneType
from typing import Any, Literal, cast, get_args, get_origin
from urllib.parse import parse_qsl, urlsplit

from simulated_gateway.control import Control
from simulated_gateway.listening import Listener

_log = logging.getLogger(__name__)

QUESTIONS = frozenset({"ledger", "connections", "counters", "orders", "positions", "faults", "quote"})
LEVERS = frozenset(
    {
        *(
            "move_price",
            "beat",
            "advance",
            "add_manual_order",
            "fill_order",
            "cancel_order",
            "hold_fills",
            "pace_fills",
        ),
        *("refuse_next_order", "forget_next", "swallow_next_order", "roll_back_order_ids", "drop_links", "send_notice"),
        *("refuse_connections", "accept_connections", "ignore_handshakes", "mute", "unmute", "slow_down"),
        *("hold_client_id", "hold_dead_client_ids", "release_client_ids", "compete", "restart", "tell_next_id"),
        "clear_faults",
    }
)
_MAX_BODY = 1 << 20
_LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
#: What a lever may raise for arguments that make no sense.
_BAD_ARGUMENTS = (ValueError, TypeError, KeyError, InvalidOperation)


class _Answer(Exception):
    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class ControlServer:
    """Serves one `Control` on loopback."""

    def __init__(self, control: Control, host: str) -> None:
        self._control = control
        self._host = host
        self._listener = Listener(self._serve, "simulated gateway: control")

    @property
    def port(self) -> int | None:
        """Where it listens; None before it is open."""
        return self._listener.port

    async def open(self, port: int) -> None:
        """Begin to listen; port 0 lets the machine choose.

        Raises:
            OSError: the port is taken.
        """
        await self._listener.open(self._host, port)

    async def close(self) -> None:
        """Stop listening and end what is being answered."""
        await self._listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection: simple, and fast enough for levers."""
        try:
            status, body = await self._answer(reader)
            payload = json.dumps(to_json(body)).encode()
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + payload)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            _log.debug("a control client went away")
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[HTTPStatus, object]:
        try:
            method, target, arguments = await _read_request(reader)
            call = self._find(method, target)
            result = call(**convert_arguments(call, arguments))
            if inspect.isawaitable(result):
                result = await result
        except _Answer as answer:
            return answer.status, {"error": answer.text}
        except _BAD_ARGUMENTS as problem:
            return HTTPStatus.BAD_REQUEST, {"error": f"{type(problem).__name__}: {problem}"}
        return HTTPStatus.OK, {"result": result}

    def _find(self, method: str, name: str) -> Callable[..., Any]:
        if name not in QUESTIONS | LEVERS:
            raise _Answer(HTTPStatus.NOT_FOUND, f"there is no /{name}")
        wanted = "GET" if name in QUESTIONS else "POST"
        if method != wanted:
            raise _Answer(HTTPStatus.METHOD_NOT_ALLOWED, f"/{name} is {wanted}")
        found: Callable[..., Any] = getattr(self._control, name)
        return found


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, object]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    words = head[0].split(" ")
    if len(words) != 3:
        raise _Answer(HTTPStatus.BAD_REQUEST, "not an HTTP request")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    _refuse_strangers(headers)
    url = urlsplit(words[1])
    arguments: dict[str, object] = dict(parse_qsl(url.query))
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > _MAX_BODY:
        raise _Answer(HTTPStatus.BAD_REQUEST, "no such body")
    if body := await reader.readexactly(int(length)):
        document: Any = json.loads(body)
        if type(document) is not dict:
            raise _Answer(HTTPStatus.BAD_REQUEST, "the body is not a JSON object")
        arguments |= cast(dict[str, object], document)
    return words[0], url.path.strip("/"), arguments


def _refuse_strangers(headers: Mapping[str, str]) -> None:
    """A page in a browser on this machine must not reach the levers."""
    host = headers.get("host", "127.0.0.1")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if "origin" in headers or name not in _LOCAL_NAMES:
        raise _Answer(HTTPStatus.FORBIDDEN, "the control port is for this machine's own programs")


def convert_arguments(call: Callable[..., Any], arguments: Mapping[str, object]) -> dict[str, object]:
    """The arguments as the method's annotations want them.

    Raises:
        TypeError: an argument is unknown, missing, or of the wrong kind.
    """
    signature = inspect.signature(call, eval_str=True)
    unknown = arguments.keys() - signature.parameters.keys()
    if unknown:
        message = f"unknown arguments: {', '.join(sorted(unknown))}"
        raise TypeError(message)
    converted = {name: _convert(value, signature.parameters[name].annotation) for name, value in arguments.items()}
    signature.bind(**converted)
    return converted


_YES, _NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


def _convert(value: object, wanted: Any) -> object:
    kinds = get_args(wanted) if get_origin(wanted) not in {None, Literal} else (wanted,)
    if value is None and NoneType in kinds:
        return None
    kind = next(one for one in kinds if one is not NoneType)
    if get_origin(kind) is Literal:
        if value in get_args(kind):
            return value
        message = f"{value!r} is none of {', '.join(get_args(kind))}"
        raise TypeError(message)
    text = str(value).lower() if kind is bool else str(value)
    if kind is bool:
        if text not in _YES | _NO:
            message = f"{value!r} is neither true nor false"
            raise TypeError(message)
        return text in _YES
    converted: object = kind(text)
    return converted


def to_json(value: Any) -> object:
    """A value of the control's answers as JSON knows it: decimals as text, times in ISO 8601."""
    if isinstance(value, Mapping | list | tuple | set | frozenset | deque) or is_dataclass(value):
        return _container_to_json(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, datetime) else value


def _container_to_json(value: Any) -> object:
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "items"):
        return {str(key): to_json(item) for key, item in value.items()}
    return [to_json(item) for item in value]
