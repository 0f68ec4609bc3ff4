"""From an open pair of streams to a session and to its end: handshake, startApi, then one message after the other."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from simulated_gateway.config import LOWEST_VERSION
from simulated_gateway.wire import errors, session_messages
from simulated_gateway.wire.framing import MalformedFrame, decode_fields, read_client_versions, read_payload
from simulated_gateway.wire.layout import UnreadableMessage, read_record
from simulated_gateway.wire.requests import REQUEST_KINDS
from simulated_gateway.wire.times import hello_time

from .connection import Connection, Sink
from .dispatch import dispatch
from .session import Session

if TYPE_CHECKING:
    from simulated_gateway.brokerage import Brokerage

_log = logging.getLogger(__name__)

_START_API = 71
#: How long a connection may live without having started its session.
_PATIENCE_SECONDS = 60.0
_CHUNK = 1 << 16


async def receive(brokerage: Brokerage, reader: asyncio.StreamReader, sink: Sink, name: str) -> None:
    """Serve one client until either side ends. Whatever it sends, only its own connection can suffer."""
    connection = Connection(sink, brokerage.clock, brokerage.faults, brokerage.config.limits.unread_bytes, name)
    brokerage.connections.add(connection)
    session: Session | None = None
    try:
        session = await _admit(brokerage, reader, connection)
        if session is not None:
            await _converse(session, reader)
    except MalformedFrame as problem:
        _log.warning("%s sent %s: connection closed", name, problem)
    except (ConnectionError, TimeoutError) as problem:
        _log.info("%s is gone: %s", name, problem or type(problem).__name__)
    finally:
        brokerage.connections.discard(connection)
        if session is not None:
            brokerage.left(session)
            await session.close()
        connection.close()


async def _admit(brokerage: Brokerage, reader: asyncio.StreamReader, connection: Connection) -> Session | None:
    """The handshake and startApi; None where the client may not, or does not, come in."""
    await brokerage.until_it_listens()
    if brokerage.faults.no_handshake:
        await _ignore(reader)
        return None
    async with asyncio.timeout(_PATIENCE_SECONDS):
        offered = await read_client_versions(reader)
        if offered is None:
            return None
        version = min(offered[1], brokerage.config.server_version)
        if version < max(offered[0], LOWEST_VERSION):
            _log.warning("%s speaks versions %d to %d: connection closed", connection.name, *offered)
            return None
        connection.send(session_messages.server_hello(version, hello_time(brokerage.clock.now())))
        client_id = await _started_by(brokerage, reader, version)
    return None if client_id is None else _start(brokerage, connection, version, client_id)


async def _ignore(reader: asyncio.StreamReader) -> None:
    while await reader.read(_CHUNK):
        pass


async def _started_by(brokerage: Brokerage, reader: asyncio.StreamReader, version: int) -> int | None:
    """The client id of startApi; the real gateway ignores whatever comes before it."""
    while (payload := await read_payload(reader)) is not None:
        await brokerage.until_it_listens()
        fields = decode_fields(payload)
        if int(fields[0]) == _START_API:
            try:
                return read_record(REQUEST_KINDS[_START_API].layout, fields[1:], version).integer("client_id")
            except UnreadableMessage as problem:
                raise MalformedFrame(str(problem)) from problem
    return None


def _start(brokerage: Brokerage, connection: Connection, version: int, client_id: int) -> Session | None:
    session = Session(brokerage, connection, version, client_id, brokerage.clock.now())
    if brokerage.client_id_taken(client_id):
        session.error(session_messages.NO_REQUEST, 326, errors.CLIENT_ID_IN_USE)
        return None
    if len(brokerage.sessions) >= brokerage.config.limits.clients:
        brokerage.counters.violations[326] += 1
        _log.warning("%s is one client too many: connection closed", connection.name)
        return None
    connection.name = f"client {client_id} ({connection.name})"
    brokerage.joined(session)
    brokerage.counters.receive(client_id, "startApi")
    session.send_message(session_messages.managed_accounts(brokerage.config.accounts))
    next_id = brokerage.book.identifiers.next_order_id(client_id)
    session.send_message(session_messages.next_valid_id(next_id))
    for code, text in errors.FARM_NOTICES.items():
        session.error(session_messages.NO_REQUEST, code, text)
    return session


async def _converse(session: Session, reader: asyncio.StreamReader) -> None:
    brokerage = session.brokerage
    while not session.connection.closed and (payload := await read_payload(reader)) is not None:
        await brokerage.until_it_listens()
        if brokerage.faults.mute and brokerage.faults.while_mute == "discard":
            continue
        fields = decode_fields(payload)
        with brokerage.kept_before_told():
            dispatch(session, fields)
