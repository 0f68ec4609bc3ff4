"""Orders from the tool to the gateway's ledger and back: what is sent, and what is answered."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.contract.orders import OrderResult, OrderState
from shared.errors import InvalidArgument, UnknownContract, WrongAccount
from simulated_gateway import ManualClock

from .harness import TRADING_HOURS, Bridge, eventually, quiet_gateway

AAPL = 265598


async def test_a_limit_order_rests_with_every_field_told(bridge: Bridge) -> None:
    answer = await bridge.call(
        "place_limit_order", symbol="AAPL", action="BUY", quantity=10, limit_price=100, client_order_id="first"
    )
    assert (answer.status, answer.state) == ("Submitted", OrderState.WORKING)
    assert (answer.symbol, answer.con_id, answer.currency) == ("AAPL", AAPL, "USD")
    assert (answer.account, answer.action, answer.client_order_id) == ("DU1234567", "BUY", "first")
    assert (answer.quantity, answer.limit_price, answer.stop_price) == (10, 100, None)
    assert (answer.filled, answer.avg_fill_price) == (0, None)
    assert (answer.message, answer.warnings) == (None, [])
    assert answer.may_resubmit is False
    assert "cancel_order" in answer.next_step
    (order,) = bridge.control.orders()
    assert (answer.order_id, answer.perm_id) == (order.order_id, order.perm_id)


async def test_what_is_sent_always_says_time_in_force_hours_and_account(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=10, limit_price="100.10")
    (entry,) = bridge.placed()
    assert (entry.tif, entry.account, entry.outcome) == ("DAY", "DU1234567", "accepted")
    assert (entry.action, entry.quantity, entry.order_type) == ("BUY", 10, "LMT")
    assert (entry.limit_price, entry.stop_price, entry.con_id) == (Decimal("100.1"), None, AAPL)
    assert entry.order_ref.startswith("mcp-")
    assert not entry.what_if


@pytest.mark.parametrize("tif", ["DAY", "gtc", "IOC"])
async def test_the_time_in_force_reaches_the_gateway(bridge: Bridge, tif: str) -> None:
    await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=1, limit_price=100, tif=tif)
    assert bridge.placed()[0].tif == tif.upper()
    assert (await bridge.call("get_orders")).items[0].tif == tif.upper()


async def test_outside_hours_reaches_the_gateway(bridge: Bridge) -> None:
    await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=1, limit_price=100, outside_rth=True)
    assert (await bridge.call("get_orders")).items[0].outside_rth is True


async def test_a_market_order_fills_at_the_market(bridge: Bridge) -> None:
    ask = bridge.control.quote(AAPL).ask
    answer = await bridge.call("place_market_order", symbol="AAPL", action="BUY", quantity=5, client_order_id="m-1")

    async def again() -> OrderResult:
        return await bridge.call("place_market_order", symbol="AAPL", action="BUY", quantity=5, client_order_id="m-1")

    final = await eventually(again, lambda result: result.state is OrderState.FILLED)
    assert answer.state in {OrderState.WORKING, OrderState.FILLED}
    assert (final.status, final.filled, final.avg_fill_price) == ("Filled", 5, ask)
    assert (final.limit_price, final.stop_price, final.may_resubmit) == (None, None, False)
    assert len(bridge.placed()) == 1


async def test_a_sale_brings_the_short_to_the_gateway_as_a_positive_quantity(bridge: Bridge) -> None:
    await bridge.call("place_market_order", symbol="MSFT", action="sell", quantity="5")
    assert (bridge.placed()[0].action, bridge.placed()[0].quantity) == ("SELL", 5)


async def test_a_stop_resting_in_presubmitted_is_working(bridge: Bridge) -> None:
    answer = await bridge.call("place_stop_order", symbol="AAPL", action="SELL", quantity=10, stop_price=120)
    assert (answer.status, answer.state) == ("PreSubmitted", OrderState.WORKING)
    assert (answer.stop_price, answer.limit_price) == (120, None)
    assert (bridge.placed()[0].order_type, bridge.placed()[0].stop_price) == ("STP", 120)


async def test_a_stop_fills_when_its_price_is_reached(bridge: Bridge) -> None:
    await bridge.call("place_stop_order", symbol="AAPL", action="SELL", quantity=10, stop_price=120)
    bridge.control.move_price(AAPL, Decimal("119.50"))
    orders = await eventually(
        lambda: bridge.call("get_orders"), lambda listing: listing.items[0].state is OrderState.FILLED
    )
    assert orders.items[0].filled == 10


async def test_partial_fills_add_up_and_average(bridge: Bridge) -> None:
    answer = await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=10, limit_price=100)
    assert answer.perm_id is not None
    bridge.control.fill_order(answer.perm_id, Decimal(99), Decimal(4))
    (part,) = (await eventually(lambda: bridge.call("get_orders"), lambda listing: bool(listing.items[0].filled))).items
    assert (part.state, part.filled, part.remaining) == (OrderState.PARTIALLY_FILLED, 4, 6)
    assert part.avg_fill_price == 99
    bridge.control.fill_order(answer.perm_id, Decimal(100))
    (whole,) = (
        await eventually(lambda: bridge.call("get_orders"), lambda listing: listing.items[0].state is OrderState.FILLED)
    ).items
    assert (whole.filled, whole.remaining, whole.avg_fill_price) == (10, 0, Decimal("99.6"))


async def test_a_slow_fill_is_answered_as_partly_filled_or_working(bridge: Bridge) -> None:
    bridge.control.pace_fills(Decimal(2))
    answer = await bridge.call("place_market_order", symbol="AAPL", action="BUY", quantity=10, client_order_id="slow")
    assert answer.state in {OrderState.WORKING, OrderState.PARTIALLY_FILLED}
    assert answer.may_resubmit is False
    await eventually(lambda: bridge.call("get_orders"), lambda listing: listing.items[0].state is OrderState.FILLED)


async def test_after_hours_is_a_warning_and_the_order_works() -> None:
    evening = ManualClock(TRADING_HOURS.replace(hour=23), running=True)
    async with Bridge(quiet_gateway(exchange_hours=True), clock=evening) as bridge:
        answer = await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=10, limit_price=100)
        assert answer.state is OrderState.WORKING
        assert answer.may_resubmit is False
        listing = await eventually(lambda: bridge.call("get_orders"), lambda found: bool(found.items[0].warnings))
        assert "399" in listing.items[0].warnings[0] or "exchange" in listing.items[0].warnings[0].lower()
        assert listing.items[0].state is OrderState.WORKING


async def test_code_10349_is_a_remark_and_no_refusal(bridge: Bridge) -> None:
    bridge.control.hold_fills()
    answer = await bridge.call("place_market_order", symbol="AAPL", action="BUY", quantity=10, client_order_id="r")
    assert answer.order_id is not None
    bridge.control.send_notice(10349, "Order TIF was set to DAY based on order preset.", req_id=answer.order_id)
    listing = await eventually(lambda: bridge.call("get_orders"), lambda found: bool(found.items[0].warnings))
    assert listing.items[0].state is OrderState.WORKING
    assert "preset" in listing.items[0].warnings[0]
    assert listing.items[0].message is None


@pytest.mark.parametrize("code", [399, 404, 2109, 10311, 99999])
async def test_a_code_that_is_no_known_refusal_concludes_nothing(bridge: Bridge, code: int) -> None:
    answer = await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=10, limit_price=100)
    assert answer.order_id is not None
    bridge.control.send_notice(code, "Something about the order", req_id=answer.order_id)
    listing = await eventually(lambda: bridge.call("get_orders"), lambda found: bool(found.items[0].warnings))
    assert listing.items[0].state is OrderState.WORKING


async def test_a_rejection_is_told_in_plain_text(bridge: Bridge) -> None:
    bridge.control.refuse_next_order(201, "Order rejected - reason:<br>NOT ENOUGH<br/>MARGIN <BR>today")
    answer = await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=10, limit_price=100)
    assert (answer.status, answer.state) in {("REJECTED", OrderState.REJECTED), ("Inactive", OrderState.REJECTED)}
    assert answer.message is not None
    assert "MARGIN" in answer.message
    assert "<" not in answer.message
    assert answer.may_resubmit is True
    assert "new client_order_id" in answer.next_step
    assert len(bridge.placed()) == 1


async def test_the_precaution_on_an_orders_value_is_a_rejection(bridge: Bridge) -> None:
    answer = await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=5000, limit_price=200)
    assert answer.state is OrderState.REJECTED
    assert answer.message is not None
    assert "precautionary" in answer.message
    assert bridge.placed()[0].outcome.startswith("451")


@pytest.mark.parametrize("code", [110, 435, 451, 103, 10243])
async def test_the_gateways_refusal_of_a_new_order_is_a_rejection(bridge: Bridge, code: int) -> None:
    bridge.control.refuse_next_order(code, "No.")
    answer = await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=1, limit_price=100)
    assert answer.state is OrderState.REJECTED
    assert answer.may_resubmit is True


async def test_a_refused_order_is_listed_as_refused_or_not_at_all(bridge: Bridge) -> None:
    bridge.control.refuse_next_order(201, "Order rejected - reason:No.")
    await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=1, limit_price=100)
    rows = (await bridge.call("get_orders")).items
    assert {row.state for row in rows} <= {OrderState.REJECTED}


async def test_a_price_off_the_tick_is_refused_with_the_nearest_before_it_is_sent(bridge: Bridge) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=1, limit_price="100.001")
    assert "use 100 or 100.01" in str(refused.value)
    with pytest.raises(InvalidArgument, match="stop_price"):
        await bridge.call("place_stop_order", symbol="SAP", currency="EUR", action="SELL", quantity=1, stop_price=99.99)
    assert bridge.placed() == []


async def test_a_fraction_of_a_stock_is_refused_before_it_is_sent(bridge: Bridge) -> None:
    with pytest.raises(InvalidArgument, match=r"1\.5"):
        await bridge.call("place_limit_order", symbol="AAPL", action="BUY", quantity=1.5, limit_price=100)
    assert bridge.placed() == []


async def test_a_fraction_of_a_coin_is_sent_exactly(bridge: Bridge) -> None:
    await bridge.call(
        "place_limit_order", symbol="BTC", sec_type="CRYPTO", action="BUY", quantity="0.00012345", limit_price=50_000,
        tif="GTC",
    )  # fmt: skip
    assert bridge.placed()[0].quantity == Decimal("0.00012345")


async def test_an_index_cannot_be_bought(bridge: Bridge) -> None:
    with pytest.raises(InvalidArgument, match="index"):
        await bridge.call("place_market_order", symbol="SPX", sec_type="IND", action="BUY", quantity=1)
    assert bridge.placed() == []


async def test_an_unknown_contract_is_refused_before_it_is_sent(bridge: Bridge) -> None:
    with pytest.raises(UnknownContract):
        await bridge.call("place_market_order", symbol="NOSUCH", action="BUY", quantity=1)
    assert bridge.placed() == []


async def test_an_order_needs_its_account_named_where_there_are_several() -> None:
    async with Bridge(quiet_gateway(accounts=("DU1111111", "DU2222222"))) as bridge:
        order = {"symbol": "AAPL", "action": "BUY", "quantity": 1, "limit_price": 100}
        with pytest.raises(InvalidArgument, match="DU1111111, DU2222222"):
            await bridge.call("place_limit_order", **order)
        with pytest.raises(WrongAccount):
            await bridge.call("place_limit_order", **order, account="DU3333333")
        assert bridge.placed() == []
        answer = await bridge.call("place_limit_order", **order, account="DU2222222")
        assert answer.account == bridge.placed()[0].account == "DU2222222"


@pytest.mark.parametrize("contract", [{"con_id": 12087792}, {"symbol": "EUR.USD", "sec_type": "CASH"}])
async def test_forex_is_traded_at_its_own_exchange(bridge: Bridge, contract: dict[str, object]) -> None:
    answer = await bridge.call("place_limit_order", **contract, action="BUY", quantity=20_000, limit_price="1.05")
    assert (answer.symbol, answer.currency, answer.state) == ("EUR", "USD", OrderState.WORKING)
    assert bridge.placed()[0].outcome == "accepted"


async def test_a_share_class_written_the_other_way_is_told_in_the_warnings(bridge: Bridge) -> None:
    answer = await bridge.call("place_limit_order", symbol="BRK.B", action="BUY", quantity=1, limit_price=300)
    assert answer.symbol == "BRK B"
    assert any("BRK B" in warning for warning in answer.warnings)
