"""Two logins at IBKR behind one address: two gateways, a worker for each, and frontends that serve both."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

import pytest

from tests.conftest import free_port

from .house import READY_SECONDS, Answer, House
from .processes import ROOT, Process, until

FIRST, SECOND = "DU1234567", "DU7654321"
ORDER = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 100}


class TwoLogins(House):
    """A house with a second gateway and a second worker."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        port, self._second_control = free_port(), free_port()
        ports = ["--port", str(port), "--control-port", str(self._second_control)]
        state = ["--still", "--accounts", SECOND, "--state", str(folder / "second-gateway.json")]
        self.second_gateway = self._process("second-gateway", ["simulated_gateway", *ports, *state], folder)
        second = {"GATEWAY_SESSION": "second", "IBKR_GATEWAY_PAPER_PORT": str(port)}
        self.second_worker = self._process("second-worker", ["broker_worker"], folder, **second)
        self.start_valkey()
        self.keys = {name: self._key(name, accounts) for name, accounts in (("all", []), ("second", [SECOND]))}
        self.key = self.keys["all"]

    def more(self) -> dict[str, str]:
        return {"FURTHER_GATEWAY_SESSIONS": "second", "AUTHENTICATION": "keys"}

    @property
    def processes(self) -> tuple[Process, ...]:
        return (self.second_gateway, self.second_worker, *super().processes)

    def serves(self, frontend: int = 0) -> bool:
        return bool(self.status(frontend)["ready"])

    def asked_by(self, key: str, tool: str, **arguments: object) -> Answer:
        """A question by the holder of another key."""
        before, self.key = self.key, self.keys[key]
        try:
            return self.ask(tool, arguments)
        finally:
            self.key = before

    def second_ledger(self) -> list[Answer]:
        """Every order message the second gateway received."""
        with urlopen(f"http://127.0.0.1:{self._second_control}/ledger?since=0", timeout=10) as response:
            entries: list[Answer] = json.load(response)["result"]
        return entries

    def placed(self) -> dict[str, list[str]]:
        """The accounts of the orders that each gateway was told to place."""
        ledgers = {"main": self.ledger(), "second": self.second_ledger()}
        return {
            name: [entry["account"] for entry in ledger if entry["kind"] == "place"] for name, ledger in ledgers.items()
        }

    def file(self, path: str) -> bytes:
        """A file that an answer told of."""
        address = self.endpoints[0].removesuffix("/mcp") + path
        request = Request(address, headers={"authorization": f"Bearer {self.key}"})
        with urlopen(request, timeout=10) as response:
            content: bytes = response.read()
        return content

    def _key(self, name: str, accounts: list[str]) -> str:
        limited = ["--accounts", ",".join(accounts)] if accounts else []
        command = [sys.executable, "-m", "mcp_frontend", "keys", "add", name, "--scopes", "read,trade", *limited]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout.strip()


@pytest.fixture(scope="module")
def built_house() -> Iterator[TwoLogins]:
    with TemporaryDirectory(prefix="two-logins-") as folder:
        house = TwoLogins(Path(folder))
        try:
            yield house
        finally:
            house.close()


@pytest.fixture
def logins(built_house: TwoLogins) -> TwoLogins:
    """Both gateways, both workers and both frontends serve."""
    built_house.mend()
    return built_house


def test_the_status_shows_every_login(logins: TwoLogins) -> None:
    status = logins.status()
    assert (status["session"], status["worker"]["accounts"]) == ("main", [FIRST])
    (second,) = status["further_sessions"]
    assert (second["session"], second["accounts"], second["ready"]) == ("second", [SECOND], True)
    assert "main: Ready" in status["message"]
    assert "second: Ready" in status["message"]


def test_the_account_chooses_the_gateway_and_without_one_the_choice_is_named(logins: TwoLogins) -> None:
    for account in (FIRST, SECOND):
        assert logins.ask("get_account_summary", {"account": account}, frontend=1)["account"] == account
    for tool in ("get_account_summary", "get_positions", "get_orders"):
        refused = logins.ask(tool)["error"]
        assert refused.startswith("INVALID_ARGUMENT: account is needed")
        assert FIRST in refused
        assert SECOND in refused
    assert logins.ask("get_positions", {"account": "DU9999999"})["error"].startswith("WRONG_ACCOUNT")


def test_an_order_reaches_the_gateway_of_its_account_and_no_other(logins: TwoLogins) -> None:
    before = logins.placed()
    assert logins.ask("place_limit_order", ORDER)["error"].startswith("INVALID_ARGUMENT: account is needed")
    for account in (FIRST, SECOND):
        placed = logins.ask("place_limit_order", ORDER | {"account": account, "client_order_id": f"to-{account}"})
        assert (placed["account"], placed["state"]) == (account, "WORKING")
    after = logins.placed()
    assert after["main"] == [*before["main"], FIRST]
    assert after["second"] == [*before["second"], SECOND]


def test_every_name_of_an_order_finds_its_gateway(logins: TwoLogins) -> None:
    order = ORDER | {"account": SECOND, "limit_price": 90, "client_order_id": "found"}
    placed = logins.ask("place_limit_order", order, frontend=0)
    perm = f"perm:{placed['perm_id']}"
    assert logins.ask("get_order", {"order": perm}, frontend=1)["client_order_id"] == "found"
    assert logins.ask("modify_order", {"order": "found", "limit_price": 91}, frontend=1)["account"] == SECOND
    cancelled = logins.ask("cancel_order", {"order_id": perm}, frontend=1)
    assert cancelled["status"] in {"Cancelled", "PendingCancel"}
    assert logins.ask("wait_for_order", {"order": "found"})["state"] == "CANCELLED"
    assert logins.ask("cancel_order", {"order_id": "never-placed"})["status"] == "NOT_FOUND"


def test_a_number_that_both_gateways_gave_is_refused_with_both_accounts(logins: TwoLogins) -> None:
    def place(account: str) -> Answer:
        return logins.ask("place_limit_order", ORDER | {"account": account, "limit_price": 80})

    orders = {account: place(account) for account in (FIRST, SECOND)}
    while orders[FIRST]["order_id"] != orders[SECOND]["order_id"]:
        behind = min(orders, key=lambda account: orders[account]["order_id"])
        orders[behind] = place(behind)
    number = orders[FIRST]["order_id"]
    refused = logins.ask("cancel_order", {"order_id": number})["error"]
    assert f"could be one in {FIRST}; one in {SECOND}" in refused
    assert logins.asked_by("second", "get_order", order=number)["account"] == SECOND


def test_a_name_used_in_one_account_is_never_used_again_in_the_other(logins: TwoLogins) -> None:
    first = logins.ask("place_limit_order", ORDER | {"account": FIRST, "client_order_id": "once"})
    before = logins.placed()
    again = logins.ask("place_limit_order", ORDER | {"account": SECOND, "client_order_id": "once"})["error"]
    assert again.startswith("KEY_REUSED")
    same = logins.ask("place_limit_order", ORDER | {"account": FIRST, "client_order_id": "once"}, frontend=1)
    assert same["perm_id"] == first["perm_id"]
    assert logins.placed() == before


def test_a_key_of_one_account_needs_no_argument_and_sees_no_other_login(logins: TwoLogins) -> None:
    assert logins.asked_by("second", "get_account_summary")["account"] == SECOND
    status = logins.asked_by("second", "get_status")
    assert (status["session"], status["worker"]["accounts"]) == ("second", [SECOND])
    assert status["further_sessions"] == []
    assert FIRST not in logins.asked_by("second", "get_positions", account=FIRST)["error"].replace(
        f"account {FIRST}", ""
    )


def test_prices_come_from_whichever_login_is_ready_and_accounts_from_their_own(logins: TwoLogins) -> None:
    assert logins.ask("get_stock_price", {"symbol": "AAPL"})["symbol"] == "AAPL"
    logins.gateway.kill()
    until(lambda: not logins.status()["ready"], READY_SECONDS, "not ready", seen=logins.status)
    assert logins.status()["further_sessions"][0]["ready"] is True
    until(lambda: "bid" in logins.ask("get_stock_price", {"symbol": "MSFT"}), READY_SECONDS, "a price")
    assert logins.ask("get_account_summary", {"account": SECOND})["account"] == SECOND
    assert logins.ask("get_account_summary", {"account": FIRST})["error"].startswith("GATEWAY_UNAVAILABLE")


def test_the_status_page_and_the_metrics_tell_of_both(logins: TwoLogins) -> None:
    metrics = logins.file("/metrics").decode()
    for session in ("main", "second"):
        assert f'ibkr_worker_running{{session="{session}"}} 1.0' in metrics
    home, other = logins.file("/").decode(), logins.file("/?session=second").decode()
    assert "gateway session main" in home
    assert "gateway session second" in other
    assert 'href="/?session=second"' in home
