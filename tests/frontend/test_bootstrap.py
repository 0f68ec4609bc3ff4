"""A frontend that does not fit its contract does not start."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from mcp_frontend.bootstrap import check_served
from mcp_frontend.order_records import RecordedOrders
from mcp_frontend.status import RedisStatus
from shared.contract import OPERATIONS, Call
from shared.contract.handlers import check_handler
from shared.contract.order_records import OrderRecordTools
from shared.contract.status import BridgeStatus, StatusTools
from shared.order_records import OrderRecords
from shared.redis_keys import Keys
from shared.redis_store import Store

STORE = Store.at("redis://127.0.0.1:1/0")
STATUS = RedisStatus(STORE, Keys("main"), readonly=False)


def test_every_operation_is_served() -> None:
    check_served(OPERATIONS, {StatusTools: STATUS, OrderRecordTools: RecordedOrders(OrderRecords(STORE, Keys("main")))})


def test_an_operation_nobody_answers_is_named() -> None:
    with pytest.raises(TypeError, match="nobody answers get_status"):
        check_served(OPERATIONS, {})


def test_a_method_with_other_parameters_is_named() -> None:
    class Renamed(StatusTools):
        async def get_status(self, request: Call) -> BridgeStatus:
            raise NotImplementedError

    class Blocking(StatusTools):
        def get_status(self, call: Call) -> Any:
            raise NotImplementedError

    assert check_handler(Renamed(), StatusTools) == ["get_status takes (request) where the contract says (call)"]
    assert check_handler(Blocking(), StatusTools) == ["get_status is not an async method"]
    assert check_handler(STATUS, StatusTools) == []


def test_the_frontend_never_imports_what_belongs_to_the_gateway() -> None:
    code = (
        "import sys, mcp_frontend.__main__;"
        "sys.exit(bool({'ib_async', 'broker_worker', 'simulated_gateway'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
