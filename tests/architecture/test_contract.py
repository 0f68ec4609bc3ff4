"""The contract is whole: every tool is declared once, answered once, described, and typed."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from broker_worker.accounts import AccountDesk
from broker_worker.bootstrap import check_served
from broker_worker.contract_desk import ContractDesk
from broker_worker.market_data.desk import MarketDataDesk
from broker_worker.orders.desk import OrderDesk
from shared.contract import OPERATIONS, TOOLSETS, Call, Effect, Operation, Toolset, operations_of
from shared.contract.accounts import AccountTools
from shared.contract.arguments import ContractQuery
from shared.contract.contracts import ContractTools
from shared.contract.handlers import check_handler
from shared.contract.market_data import MarketDataTools
from shared.contract.operation import PATIENCE, reads
from shared.contract.orders import OrderTools

ROOT = Path(__file__).resolve().parents[2]
TEN_AND_STATUS = {
    "get_account_summary", "get_positions", "get_orders", "get_stock_price", "get_historical_data", "get_option_chain",
    "place_limit_order", "place_market_order", "place_stop_order", "cancel_order", "search_contracts", "get_status",
}  # fmt: skip
HANDLERS: dict[type[Toolset], type[Toolset]] = {
    AccountTools: AccountDesk,
    OrderTools: OrderDesk,
    MarketDataTools: MarketDataDesk,
    ContractTools: ContractDesk,
}

each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def handler(cls: type[Toolset]) -> Toolset:
    """An instance whose methods can be looked at and not called."""
    made: Toolset = cls.__new__(cls)
    return made


def test_the_promised_tools_exist() -> None:
    assert OPERATIONS.keys() >= TEN_AND_STATUS


def test_no_name_is_declared_twice() -> None:
    names = [operation.name for toolset in TOOLSETS for operation in operations_of(toolset)]
    assert len(names) == len(set(names))


def test_everything_the_worker_answers_is_implemented_as_declared() -> None:
    check_served({toolset: handler(cls) for toolset, cls in HANDLERS.items()})


def test_an_area_that_nobody_answers_stops_the_start_and_is_named() -> None:
    missing = {toolset: handler(cls) for toolset, cls in HANDLERS.items() if toolset is not OrderTools}
    with pytest.raises(TypeError, match=r"nobody answers get_orders.*nobody answers cancel_order"):
        check_served(missing)


def test_a_missing_method_stops_the_start() -> None:
    class Half(ContractTools):
        pass

    with pytest.raises(TypeError, match="search_contracts"):
        Half()  # type: ignore[abstract]


class Wrong(ContractTools):
    """Each subclass is wrong in its own way."""

    get_contract_details = ContractDesk.get_contract_details


def _wrong(method: Any) -> Toolset:
    return handler(type("Wrong", (Wrong,), {"search_contracts": method}))


async def _renamed(self: Any, call: Call, wanted: str) -> None: ...
async def _surplus(self: Any, call: Call, pattern: str, more: int = 0) -> None: ...
async def _defaulted(self: Any, call: Call, pattern: str = "x") -> None: ...
async def _lacking(self: Any, call: Call) -> None: ...
async def _keyword(self: Any, call: Call, *, pattern: str) -> None: ...
def _plain(self: Any, call: Call, pattern: str) -> None: ...


@pytest.mark.parametrize("method", [_renamed, _surplus, _defaulted, _lacking, _keyword, _plain])
def test_a_method_of_another_shape_is_named_at_the_start(method: Any) -> None:
    (mistake,) = check_handler(_wrong(method), ContractTools)
    assert mistake.startswith("search_contracts")


def test_a_handler_of_another_area_is_named_at_the_start() -> None:
    assert check_handler(handler(ContractDesk), AccountTools) == ["ContractDesk does not implement AccountTools"]


@each_operation
def test_every_tool_is_described_for_an_agent(operation: Operation) -> None:
    assert operation.description.endswith(".")
    assert len(operation.description) < 400
    for name, field in operation.input_schema["properties"].items():
        assert field.get("description"), name
        assert "anyOf" not in field, name
        assert "type" in field or "enum" in field, name
    for name, field in operation.output_schema["properties"].items():
        assert field.get("description"), name


@each_operation
def test_every_tool_is_answered_in_time_by_somebody(operation: Operation) -> None:
    marker = operation.marker
    assert marker.answered_by in {"worker", "frontend"}
    assert 0 < marker.time_limit <= PATIENCE
    assert issubclass(operation.result, BaseModel)


@each_operation
def test_what_trades_is_never_shared_and_is_marked_destructive(operation: Operation) -> None:
    marker = operation.marker
    if marker.effect is Effect.TRADES:
        assert (marker.share_for, marker.destructive) == (0, True)
    else:
        assert marker.destructive is False
    if operation.toolset in {AccountTools, OrderTools}:
        assert marker.share_for == 0


@each_operation
def test_the_first_parameter_is_the_call_and_no_tool_shows_it(operation: Operation) -> None:
    parameters = list(inspect.signature(getattr(operation.toolset, operation.name)).parameters)
    assert parameters[:2] == ["self", "call"]
    assert "call" not in operation.argument_names


@each_operation
def test_a_tool_with_a_contract_takes_all_that_names_one(operation: Operation) -> None:
    if ContractQuery in operation.groups.values():
        assert set(ContractQuery.model_fields) <= set(operation.argument_names)


@pytest.mark.parametrize(
    "declare",
    [
        lambda: reads(time_limit=0),
        lambda: reads(time_limit=PATIENCE + 1),
    ],
)
def test_a_time_limit_past_patience_cannot_be_declared(declare: Any) -> None:
    with pytest.raises(ValueError, match="time_limit"):
        declare()


def test_a_public_method_without_marker_cannot_be_declared() -> None:
    class Careless(Toolset):
        async def get_nothing(self, call: Call) -> BaseModel:
            """Nothing."""
            return BaseModel()

    with pytest.raises(TypeError, match=r"Careless\.get_nothing needs a marker"):
        operations_of(Careless)


def test_a_public_method_without_call_cannot_be_declared() -> None:
    class Careless(Toolset):
        @reads()
        async def get_nothing(self) -> BaseModel:
            """Nothing."""
            return BaseModel()

    with pytest.raises(TypeError, match="must take call: Call first"):
        operations_of(Careless)
