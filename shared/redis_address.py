"""Where Redis is: one URL, also where Sentinels say which of several is the primary.

``redis://``, ``rediss://`` (TLS) and ``unix://`` are redis-py's own. ``sentinel://`` and, with TLS to all of them,
``sentinels://`` are ours: ``sentinel://user:password@host:26379,host:26379/NAME/DB``, with ``sentinel_username``,
``sentinel_password`` and ``ssl_ca_certs`` after a question mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.sentinel import Sentinel

_CONNECT_SECONDS: Final = 2
_SENTINEL_PORT: Final = 26379
_OF_SENTINELS: Final = {"sentinel_username": "username", "sentinel_password": "password"}
_CONNECTION: Final[dict[str, Any]] = {
    "socket_connect_timeout": _CONNECT_SECONDS,
    "health_check_interval": 15,
    "lib_name": None,
    "lib_version": None,
}


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """What a ``sentinel://`` URL says."""

    hosts: tuple[tuple[str, int], ...]
    name: str
    """Under which the Sentinels watch the primary."""
    options: dict[str, Any]
    """For connections to Redis."""
    sentinel_options: dict[str, Any]
    """For connections to the Sentinels."""


def checked(url: str) -> str:
    """The URL; raises ``ValueError`` where it is none of ours, without repeating the password in it."""
    scheme = urlsplit(url).scheme
    if scheme not in {"redis", "rediss", "unix", "sentinel", "sentinels"}:
        raise ValueError("must begin with redis://, rediss://, unix://, sentinel:// or sentinels://")
    if scheme.startswith("sentinel"):
        _sentinels(url)
    return url


def place(url: str) -> str:
    """Where it leads, without user and password."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2]
    if parts.scheme.startswith("sentinel"):
        return f"the primary {_sentinels(url).name} of the Sentinels at {hosts}"
    return f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path


def connect(url: str) -> tuple[Any, Sequence[Any]]:
    """A client of the primary, and of each Sentinel; none connects before it is used."""
    if not urlsplit(url).scheme.startswith("sentinel"):
        return cast("Any", Redis).from_url(url, **_CONNECTION), ()
    address = _sentinels(url)
    manager: Any = cast("Any", Sentinel)(
        address.hosts,
        sentinel_kwargs={**_CONNECTION, "socket_timeout": _CONNECT_SECONDS, **address.sentinel_options},
        **_CONNECTION,
        **address.options,
    )
    return manager.master_for(address.name), manager.sentinels


def _sentinels(url: str) -> SentinelAddress:
    parts = urlsplit(url)
    credentials, _, listed = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    name, _, db = parts.path.strip("/").partition("/")
    if not name or not listed or (db and not db.isdigit()):
        raise ValueError("must be like sentinel://:password@host:26379,host:26379/NAME/0")
    given = dict(parse_qsl(parts.query))
    if unknown := given.keys() - _OF_SENTINELS.keys() - {"ssl_ca_certs"}:
        raise ValueError(f"has options that are not known: {', '.join(sorted(unknown))}")
    tls: dict[str, Any] = {"ssl": True} if parts.scheme == "sentinels" else {}
    if "ssl_ca_certs" in given:
        tls["ssl_ca_certs"] = given["ssl_ca_certs"]
    own = {"username": unquote(username) or None, "password": unquote(password) or None, "db": int(db or 0)}
    theirs = {argument: given[option] for option, argument in _OF_SENTINELS.items() if option in given}
    return SentinelAddress(tuple(_host(one) for one in listed.split(",")), name, {**own, **tls}, {**theirs, **tls})


def _host(text: str) -> tuple[str, int]:
    try:
        one = urlsplit(f"//{text}")
        host, port = one.hostname, one.port
    except ValueError:
        host = port = None
    if not host:
        raise ValueError("must list Sentinels as host:port, separated by commas")
    return host, port or _SENTINEL_PORT
