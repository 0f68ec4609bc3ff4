"""Which of several gateway sessions a call is for; what is not certain is refused where money is meant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mcp_frontend.sessions import Chooser, Session
from mcp_frontend.settings import FrontendSettings
from mcp_frontend.status import RedisStatus
from shared import json_text
from shared.contract import OPERATIONS, Call, Scope
from shared.contract.status import LinkState
from shared.errors import InvalidArgument, QueueDown, Unavailable, WrongAccount
from shared.order_records import order_key
from shared.redis_keys import Keys
from shared.redis_store import Store
from tests.frontend.standin import worker_status

ORDER: dict[str, Any] = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 100}


class Logins:
    """Two sessions, and what their workers would have written."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.keys = {name: Keys(name) for name in ("main", "second")}
        self.sessions = [
            Session.at(store, keys, b"", RedisStatus(store, keys, readonly=False)) for keys in self.keys.values()
        ]

    async def says(self, session: str, *accounts: str, **more: Any) -> None:
        """The word of a worker that runs."""
        keys = self.keys[session]
        await self.store.set(keys.status, json_text.dumps(worker_status(accounts=list(accounts), **more)))
        await self.store.set(keys.heartbeat, "1", px=60_000)

    async def reconciled(self, session: str) -> None:
        """The worker compared this Redis with its gateway."""
        await self.store.set_field(self.keys[session].sentinel, "id", "1")

    async def order(self, session: str, name: str, number: int, perm: int, account: str) -> None:
        """An order's record, with its names."""
        keys, key = self.keys[session], order_key("tests", name)
        for field, value in {"stage": "SENDING", "caller": "tests", "place": f"{account}|1"}.items():
            await self.store.set_field(keys.order(key), field, value)
        for named in (f"id:{number}", f"perm:{perm}"):
            await self._name(keys.order_named(named), key)

    async def _name(self, name: str, key: str) -> None:
        await self.store.script("redis.call('SADD', KEYS[1], ARGV[1]) return 1")(keys=[name], args=[key])

    async def chosen(self, tool: str, *, accounts: frozenset[str] | None = None, **arguments: object) -> str:
        """The name of the session that a frontend just started would choose."""
        operation = OPERATIONS[tool]
        call = Call(
            caller="tests",
            scopes=frozenset(Scope),
            accounts=accounts,
            authenticated=True,
            request_id="a-test",
            deadline=datetime.now(UTC) + timedelta(seconds=10),
        )
        return (await Chooser(self.sessions)(operation, operation.parse(arguments), call)).name


@pytest.fixture
async def logins(valkey: str) -> AsyncIterator[Logins]:
    store = Store.at(valkey)
    yield Logins(store)
    await store.close()


async def test_an_order_without_an_account_waits_until_every_login_has_said_its_accounts(logins: Logins) -> None:
    await logins.says("main", "DU1111")
    with pytest.raises(Unavailable, match="session second has not said yet"):
        await logins.chosen("place_limit_order", **ORDER)
    await logins.says("second", "DU2222")
    with pytest.raises(InvalidArgument, match="account is needed: there are DU1111, DU2222"):
        await logins.chosen("place_limit_order", **ORDER)


async def test_a_known_account_is_served_while_the_other_login_is_silent(logins: Logins) -> None:
    await logins.says("second", "DU2222")
    assert await logins.chosen("place_limit_order", **ORDER, account="DU2222") == "second"
    assert await logins.chosen("get_positions", accounts=frozenset({"DU2222"})) == "second"
    with pytest.raises(Unavailable, match="whether DU1111 is one of its accounts"):
        await logins.chosen("get_positions", account="DU1111")


async def test_an_account_that_nobody_has_is_refused_with_those_there_are(logins: Logins) -> None:
    await logins.says("main", "DU1111")
    await logins.says("second", "DU2222")
    with pytest.raises(WrongAccount, match="DU9999 is not one of DU1111, DU2222"):
        await logins.chosen("get_positions", account="DU9999")
    with pytest.raises(WrongAccount, match="DU1111 is not one of DU2222"):
        await logins.chosen("get_positions", account="DU1111", accounts=frozenset({"DU2222"}))
    with pytest.raises(WrongAccount, match="none of the accounts open to tests"):
        await logins.chosen("get_positions", accounts=frozenset({"DU9999"}))


async def test_an_account_of_two_logins_belongs_to_the_first_whichever_is_ready(logins: Logins) -> None:
    await logins.says("main", "DU1111", link=LinkState.LINK_LOST)
    await logins.says("second", "DU1111")
    assert await logins.chosen("place_limit_order", **ORDER) == "main"
    assert await logins.chosen("get_positions", account="DU1111") == "main"
    assert await logins.chosen("get_stock_price", symbol="AAPL") == "second"


async def test_prices_come_only_from_logins_in_which_the_caller_has_accounts(logins: Logins) -> None:
    await logins.says("main", "DU1111")
    await logins.says("second", "DU2222", link=LinkState.LINK_LOST)
    assert await logins.chosen("get_stock_price", symbol="AAPL") == "main"
    assert await logins.chosen("get_stock_price", symbol="AAPL", accounts=frozenset({"DU2222"})) == "second"


async def test_an_order_is_cancelled_by_its_unique_names_while_another_logins_orders_are_not_known(
    logins: Logins,
) -> None:
    await logins.says("main", "DU1111")
    await logins.reconciled("main")
    await logins.order("main", "mine", 7, 1007, "DU1111")
    assert await logins.chosen("cancel_order", order_id="perm:1007") == "main"
    assert await logins.chosen("cancel_order", order_id="mine") == "main"
    with pytest.raises(Unavailable, match=r"session second are not known yet; 7 may be one"):
        await logins.chosen("cancel_order", order_id="7")
    await logins.reconciled("second")
    assert await logins.chosen("cancel_order", order_id="7") == "main"
    await logins.order("second", "yours", 7, 2007, "DU2222")
    with pytest.raises(InvalidArgument, match="order 7 could be"):
        await logins.chosen("cancel_order", order_id="7")
    assert await logins.chosen("cancel_order", order_id="7", accounts=frozenset({"DU2222"})) == "second"


async def test_a_repeat_without_the_account_finds_the_first_order(logins: Logins) -> None:
    await logins.says("main", "DU1111")
    await logins.says("second", "DU2222")
    await logins.order("second", "once", 1, 2001, "DU2222")
    only_main = frozenset({"DU1111"})
    assert await logins.chosen("place_limit_order", **ORDER, client_order_id="once", accounts=only_main) == "second"


async def test_without_redis_orders_are_refused_and_the_status_still_answers() -> None:
    store = Store.at("redis://127.0.0.1:1/0")
    logins = Logins(store)
    for tool, arguments in (("place_limit_order", ORDER), ("cancel_order", {"order_id": "7"})):
        with pytest.raises(QueueDown):
            await logins.chosen(tool, **arguments)
    assert await logins.chosen("get_status") == "main"
    await store.close()


@pytest.mark.parametrize("names", ["Second", "a b", "x" * 33, "second,second"])
def test_names_that_are_no_sessions_stop_the_frontend(names: str) -> None:
    with pytest.raises(ValueError, match="further_gateway_sessions"):
        FrontendSettings.model_validate({"further_gateway_sessions": names})


def test_the_home_session_named_again_is_served_once() -> None:
    settings = FrontendSettings.model_validate({"further_gateway_sessions": "main, second"})
    assert settings.sessions == ("main", "second")
