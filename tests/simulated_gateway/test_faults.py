"""Everything that can be broken on purpose, as clients meet it."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from ib_async import IB

from simulated_gateway import ManualClock, SimulatedGateway

from .clients import AAPL, aapl, calls, connected, errors_of, limit, market, raw, settled, unstarted, until


async def test_a_cut_link_ends_the_clients_session(gateway: SimulatedGateway) -> None:
    async with connected(gateway, 1) as ib, raw(gateway, client_id=2) as other:
        gone = asyncio.Event()
        ib.disconnectedEvent += gone.set
        assert gateway.control.drop_links(client_id=1) == 1
        async with asyncio.timeout(3):
            await gone.wait()
        other.send(49, 1)
        assert (await other.frame())[0] == "49"
        assert gateway.control.drop_links() == 1
        assert await other.at_end()


@pytest.mark.parametrize("code", [1100, 1102, 1300, 2103, 2110])
async def test_a_notice_reaches_every_client(gateway: SimulatedGateway, code: int) -> None:
    async with raw(gateway, client_id=1) as one, raw(gateway, client_id=2) as two:
        gateway.control.send_notice(code)
        for client in (one, two):
            error = await client.message(4)
            assert error[2:4] == ["-1", str(code)]
            assert error[4]


async def test_after_1101_subscriptions_are_lost_and_after_1102_kept(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        ticker = ib.reqMktData(aapl())
        await until(ib, lambda: ticker.bid > 0)
        gateway.control.send_notice(1102)
        gateway.control.move_price(AAPL, Decimal(111))
        await until(ib, lambda: ticker.bid == 111)
        gateway.control.send_notice(1101)
        assert [stream for stream in gateway.control.connections()[0].streams if stream[0] == "market data"] == []


async def test_refused_connections_are_refused_by_the_machine_and_accepted_again(gateway: SimulatedGateway) -> None:
    port = gateway.port
    gateway.control.refuse_connections()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await gateway.control.accept_connections()
    assert gateway.port == port
    async with raw(gateway):
        pass


async def test_refused_connections_are_accepted_again_after_their_time(
    gateway: SimulatedGateway, clock: ManualClock
) -> None:
    gateway.control.refuse_connections(seconds=60)
    clock.advance(59)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", gateway.port)
    clock.advance(2)
    async with asyncio.timeout(3):
        while True:
            try:
                async with raw(gateway):
                    return
            except ConnectionRefusedError:
                await asyncio.sleep(0)


async def test_a_mute_gateway_takes_orders_and_says_nothing(gateway: SimulatedGateway) -> None:
    async with raw(gateway) as client, connected(gateway, 1) as ib:
        gateway.control.mute()
        ib.placeOrder(aapl(), limit("BUY", 1, 100, orderRef="lost"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ib.reqCurrentTimeAsync(), 0.1)
        assert [order.order_ref for order in gateway.control.orders()] == ["lost"]
        gateway.control.unmute()
        client.send(49, 1)
        assert (await client.frame())[0] == "49"
        [trade] = ib.openTrades()
        assert trade.orderStatus.status == "PendingSubmit"


async def test_a_gateway_that_hangs_takes_orders_when_it_wakes(gateway: SimulatedGateway) -> None:
    async with connected(gateway, 1) as ib:
        gateway.control.mute("hold")
        trade = ib.placeOrder(aapl(), limit("BUY", 1, 100))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ib.reqCurrentTimeAsync(), 0.1)
        assert gateway.control.ledger() == []
        gateway.control.unmute()
        await settled(ib, trade, "Submitted")
        assert len(gateway.control.ledger()) == 1


async def test_a_gateway_that_discards_never_had_the_order(gateway: SimulatedGateway) -> None:
    async with connected(gateway, 1) as ib:
        gateway.control.mute("discard")
        ib.placeOrder(aapl(), limit("BUY", 1, 100))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ib.reqCurrentTimeAsync(), 0.1)
        gateway.control.unmute()
        assert gateway.control.ledger() == []
        assert await ib.reqAllOpenOrdersAsync() is not None
        assert gateway.control.orders() == []


async def test_a_gateway_before_its_sign_in_accepts_and_never_shakes_hands(gateway: SimulatedGateway) -> None:
    gateway.control.ignore_handshakes()
    with pytest.raises(TimeoutError):
        await IB().connectAsync("127.0.0.1", gateway.port, clientId=1, timeout=0.1)
    gateway.control.ignore_handshakes(False)
    async with connected(gateway):
        pass


async def test_slow_answers_come_late_and_in_order(gateway: SimulatedGateway, clock: ManualClock) -> None:
    async with raw(gateway) as client:
        gateway.control.slow_down(30)
        client.send(49, 1)
        client.send(8, 1, 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.frame(), 0.1)
        clock.advance(30)
        assert [(await client.frame())[0] for _ in range(2)] == ["49", "9"]


async def test_the_next_order_is_refused_with_the_given_words(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        gateway.control.refuse_next_order(201, "Order rejected - reason:<br>No.")
        errors = errors_of(ib)
        refused = ib.placeOrder(aapl(), limit("BUY", 1, 100))
        await until(ib, lambda: bool(errors))
        assert errors == [(refused.order.orderId, 201, "Order rejected - reason:<br>No.")]
        await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 100)), "Submitted")


async def test_a_forgotten_order_lives_but_nobody_is_told_until_they_ask(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        gateway.control.forget_next()
        trade = ib.placeOrder(aapl(), market("BUY", 4, orderRef="forgotten"))
        await ib.reqCurrentTimeAsync()
        assert trade.orderStatus.status == "PendingSubmit"
        [view] = gateway.control.orders()
        assert (view.status, view.silent) == ("Filled", True)
        fills = await ib.reqExecutionsAsync()
        assert [fill.execution.orderRef for fill in fills] == ["forgotten"]


async def test_a_forgotten_cancel_takes_effect_in_silence(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        trade = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 100)), "Submitted")
        gateway.control.forget_next("cancel")
        ib.cancelOrder(trade.order)
        await ib.reqCurrentTimeAsync()
        assert trade.orderStatus.status == "PendingCancel"
        assert gateway.control.orders()[0].status == "Cancelled"


async def test_a_swallowed_order_never_arrived(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        gateway.control.swallow_next_order()
        trade = ib.placeOrder(aapl(), market("BUY", 4))
        await ib.reqCurrentTimeAsync()
        assert trade.orderStatus.status == "PendingSubmit"
        assert gateway.control.ledger() == []
        assert gateway.control.orders() == []


async def test_a_dead_client_holds_its_id_for_a_while(gateway: SimulatedGateway, clock: ManualClock) -> None:
    gateway.control.hold_dead_client_ids(60)
    async with connected(gateway, 4):
        pass
    async with unstarted(gateway) as ghosted:
        await ghosted.shake_hands("v157..178")
        ghosted.send(71, 2, 4, "")
        assert (await ghosted.message(4))[3] == "326"
    clock.advance(61)
    async with connected(gateway, 4):
        pass


async def test_a_held_client_id_can_be_released(gateway: SimulatedGateway) -> None:
    gateway.control.hold_client_id(4, 1000)
    async with unstarted(gateway) as client:
        await client.shake_hands("v157..178")
        client.send(71, 2, 4, "")
        assert (await client.message(4))[3] == "326"
    gateway.control.release_client_ids()
    async with connected(gateway, 4):
        pass


async def test_order_ids_roll_back_over_a_restart_and_perm_ids_do_not(gateway: SimulatedGateway) -> None:
    async with connected(gateway, 4) as ib:
        await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 999, orderId=20)), "Filled")
    gateway.control.restart(roll_back_ids=5)
    await gateway.control.accept_connections()
    async with connected(gateway, 4) as ib:
        trade = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 100, orderId=20)), "Submitted")
        first, second = gateway.control.orders()
        assert (first.order_id, second.order_id) == (20, 20)
        assert trade.order.permId == second.perm_id > first.perm_id


async def test_a_restart_ends_the_sessions_and_keeps_the_orders(gateway: SimulatedGateway) -> None:
    async with connected(gateway, 4) as ib:
        await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 100)), "Submitted")
        gone = asyncio.Event()
        ib.disconnectedEvent += gone.set
        gateway.control.restart(seconds=30)
        async with asyncio.timeout(3):
            await gone.wait()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", gateway.port)
    await gateway.control.accept_connections()
    async with connected(gateway, 4) as ib:
        assert len(ib.openTrades()) == 1


async def test_an_order_that_the_exchange_cancels_is_told(gateway: SimulatedGateway) -> None:
    async with connected(gateway) as ib:
        trade = await settled(ib, ib.placeOrder(aapl(), limit("BUY", 1, 100)), "Submitted")
        errors = errors_of(ib)
        gateway.control.cancel_order(trade.order.permId, "The exchange is closed")
        await settled(ib, trade, "Cancelled")
        await until(ib, lambda: bool(errors))
        assert errors[0][1:] == (202, "Order Canceled - reason:The exchange is closed")


async def test_cleared_faults_leave_a_gateway_that_works(gateway: SimulatedGateway) -> None:
    control = gateway.control
    control.mute()
    control.slow_down(9)
    control.compete()
    control.hold_fills()
    control.swallow_next_order()
    control.ignore_handshakes()
    control.clear_faults()
    async with connected(gateway) as ib:
        await settled(ib, ib.placeOrder(aapl(), market("BUY", 1)), "Filled")
        calls(ib).reqIds(1)
