"""Options of one expiration: which are listed, which lie around the money, and what their lines say."""

from __future__ import annotations

from decimal import Decimal

from ib_async import Contract

from broker_worker.contracts import ContractBook, Listed, Resolved, wire_contract
from broker_worker.gateway.waiting import Patience
from broker_worker.market_data.chains import around
from broker_worker.market_data.line import Line
from shared import clock
from shared.contract.market_data import OptionQuote
from shared.errors import InvalidArgument


class OptionList:
    """Finds an underlying's options, a whole expiration in one request."""

    def __init__(self, contracts: ContractBook) -> None:
        self._contracts = contracts

    async def listed(
        self, underlying: Resolved, expiration: str, trading_class: str | None, patience: Patience
    ) -> list[Listed]:
        """The options of one class; raises ``InvalidArgument`` where the class must be named."""
        of_future = underlying.contract.secType == "FUT"
        asked = Contract(
            symbol=underlying.contract.symbol,
            secType="FOP" if of_future else "OPT",
            exchange=underlying.contract.exchange if of_future else "SMART",
            currency=underlying.contract.currency,
            lastTradeDateOrContractMonth=expiration,
            tradingClass=trading_class or "",
        )
        found = [one for one in await self._contracts.listed(asked, patience) if one.expiry == expiration]
        classes = sorted({one.trading_class for one in found})
        if len(classes) > 1:
            raise InvalidArgument(
                f"several classes of options expire that day: {', '.join(classes)}", action="name one in trading_class"
            )
        return found

    def around_money(
        self, listed: list[Listed], price: Decimal | None, strikes: int, right: str | None
    ) -> dict[int, Resolved]:
        """The options at the strikes nearest to the price, by strike and right."""
        near = set(around(sorted({one.strike for one in listed if one.strike}), price, strikes))
        wanted = [one for one in listed if one.strike in near and right in {None, one.right}]
        wanted.sort(key=lambda one: (one.strike or Decimal(0), one.right))
        return {one.con_id: Resolved(wire_contract(one, one.exchange), one) for one in wanted}


def option_quote(line: Line) -> OptionQuote:
    """What an option's line says."""
    values, listed = line.values, line.resolved.listed
    return OptionQuote(
        con_id=listed.con_id,
        strike=listed.strike or Decimal(0),
        right=listed.right,
        bid=values.get("bid"),
        ask=values.get("ask"),
        last=values.get("last"),
        volume=values.get("volume"),
        implied_volatility=values.get("implied_volatility"),
        delta=values.get("delta"),
        gamma=values.get("gamma"),
        vega=values.get("vega"),
        theta=values.get("theta"),
        data_kind=line.shown_kind,
        timestamp=line.updated or clock.now(),
    )
