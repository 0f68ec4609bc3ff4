"""A frontend that would be open by accident does not start, and the command that makes keys."""

from __future__ import annotations

import argparse
import asyncio
import sys
from asyncio.subprocess import PIPE
from typing import Any

import pytest

from mcp_frontend import keys_command
from mcp_frontend.exposure import refusals
from mcp_frontend.keys import KeyRing
from mcp_frontend.settings import FrontendSettings
from shared.contract import Scope
from shared.redis_keys import Keys
from shared.redis_store import Store
from tests.frontend.standin import SECRET
from tests.frontend.test_process import environment

SIGNED = {"job_signing_secret": SECRET}
LIVE = {"ibkr_trading_mode": "live"}
JWT = {"authentication": "jwt", "jwt_jwks_uri": "https://id.example/keys", "jwt_issuer": "i", "jwt_audience": "a"}
OPEN = {"server_host": "0.0.0.0"}

MAY_START: list[dict[str, Any]] = [
    {},
    SIGNED,
    {**SIGNED, **LIVE, "authentication": "keys"},
    {**SIGNED, **OPEN, "authentication": "keys"},
    {**OPEN, "allow_unauthenticated_network": True},
    {**SIGNED, **LIVE, **JWT},
    {**OPEN, "published_on": "127.0.0.1"},
]
MAY_NOT: list[tuple[dict[str, Any], str]] = [
    (OPEN, "ALLOW_UNAUTHENTICATED_NETWORK"),
    ({**OPEN, "published_on": "0.0.0.0"}, "ALLOW_UNAUTHENTICATED_NETWORK"),
    ({"published_on": "192.0.2.7"}, "ALLOW_UNAUTHENTICATED_NETWORK"),
    ({"server_host": "::"}, "ALLOW_UNAUTHENTICATED_NETWORK"),
    ({"server_host": "192.0.2.7"}, "AUTHENTICATION=keys"),
    (LIVE, "JOB_SIGNING_SECRET"),
    ({**SIGNED, **LIVE}, "AUTHENTICATION is needed for live"),
    ({**SIGNED, **LIVE, **OPEN, "allow_unauthenticated_network": True}, "AUTHENTICATION is needed for live"),
    ({"authentication": "keys"}, "JOB_SIGNING_SECRET"),
    ({"authentication": "jwt"}, "JWT_JWKS_URI or JWT_PUBLIC_KEY"),
    ({**JWT, "jwt_public_key": "x"}, "not both"),
    ({**JWT, "jwt_issuer": ""}, "JWT_ISSUER"),
    ({**JWT, "jwt_audience": ""}, "JWT_AUDIENCE"),
]


@pytest.mark.parametrize("given", MAY_START, ids=str)
def test_what_is_closed_or_meant_to_be_open_may_start(given: dict[str, Any]) -> None:
    assert refusals(FrontendSettings(**given), over_http=True) == []


@pytest.mark.parametrize(("given", "named"), MAY_NOT, ids=str)
def test_what_is_open_by_accident_may_not_and_is_told_what_to_set(given: dict[str, Any], named: str) -> None:
    assert named in "\n".join(refusals(FrontendSettings(**given), over_http=True))


def test_a_desktop_host_needs_no_key_and_for_live_only_the_secret() -> None:
    assert refusals(FrontendSettings(**LIVE, **SIGNED), over_http=False) == []  # type: ignore[arg-type]
    assert refusals(FrontendSettings(**LIVE), over_http=False) != []  # type: ignore[arg-type]


async def frontend(*arguments: str, env: dict[str, str]) -> tuple[int, str, str]:
    """The process's exit code, and what it said on both its outputs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mcp_frontend", *arguments, env=env, stdout=PIPE, stderr=PIPE
    )
    said, told = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, said.decode(), told.decode()


async def test_the_process_says_why_it_does_not_start(valkey: str) -> None:
    for more in ({"SERVER_HOST": "0.0.0.0"}, {"IBKR_TRADING_MODE": "live"}):
        code, _, told = await frontend(env=environment(valkey, **more))
        assert code == 1
        assert "AUTHENTICATION" in told
        assert "Traceback" not in told


async def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(valkey: str) -> None:
    env = environment(valkey)
    more = ("--scopes", "read,trade", "--accounts", "du1234567", "--rate", "60", "--days", "30")
    code, key, told = await frontend("keys", "add", "claude", *more, env=env)
    assert (code, key.count("\n")) == (0, 1)
    assert "Authorization: Bearer" in told
    store = Store.at(valkey)
    ring = KeyRing(store, Keys("main"), SECRET.encode())
    caller = await ring.caller(key.strip())
    assert caller is not None
    assert (caller.name, caller.scopes) == ("claude", frozenset({Scope.READ, Scope.TRADE}))
    assert (caller.accounts, caller.calls_per_minute) == (frozenset({"DU1234567"}), 60)
    (again, _, why), (_, listed, _) = await asyncio.gather(
        frontend("keys", "add", "claude", env=env), frontend("keys", "list", env=env)
    )
    assert (again, "revoke it first" in why) == (1, True)
    assert "claude" in listed
    assert "read,trade" in listed
    assert key.strip()[-43:] not in listed
    assert (await frontend("keys", "revoke", "claude", env=env))[0] == 0
    assert await KeyRing(store, Keys("main"), SECRET.encode()).caller(key.strip()) is None
    await store.close()


@pytest.mark.parametrize(
    "words",
    [
        ["add", "local"], ["add", "a b"], ["add", "A"], ["add"], ["add", "x", "--scopes", "root"],
        ["add", "x", "--accounts", ","], ["add", "x", "--rate", "0"], ["add", "x", "--days", "-1"], [],
    ],
    ids=" ".join,
)  # fmt: skip
def test_the_command_refuses_what_it_does_not_understand(words: list[str]) -> None:
    parser = argparse.ArgumentParser()
    keys_command.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(words)


@pytest.mark.parametrize(
    ("given", "words", "code", "why"),
    [
        (SIGNED, ["revoke", "nobody"], 1, "there is no key named nobody"),
        ({}, ["add", "x"], 2, "JOB_SIGNING_SECRET"),
        ({**SIGNED, "redis_url": "redis://127.0.0.1:1/0"}, ["list"], 1, "Redis cannot be reached"),
    ],
    ids=["a name nobody has", "no secret", "no Redis"],
)
def test_the_command_says_what_it_cannot_do(
    valkey: str, capsys: pytest.CaptureFixture[str], given: dict[str, Any], words: list[str], code: int, why: str
) -> None:
    parser = argparse.ArgumentParser()
    keys_command.add_arguments(parser)
    settings = FrontendSettings.model_validate({"redis_url": valkey, **given})
    assert keys_command.run(parser.parse_args(words), settings) == code
    assert why in capsys.readouterr().err
