"""The values of an account by tag and currency, as account updates and account summaries show them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from .accounts import ZERO, Account, money
from .valuation import Valuation

#: Part of a stock's market value that is asked as margin.
_INITIAL_MARGIN = Decimal("0.30")
_MAINTENANCE_MARGIN = Decimal("0.25")
_LEVERAGE = Decimal(4)
#: The gateway's name for all currencies together.
BASE = "BASE"


@dataclass(frozen=True, slots=True)
class AccountValue:
    """One row: a tag, its value as text, and the currency, empty where it has none."""

    tag: str
    value: str
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """An account in base currency."""

    net_liquidation: Decimal
    cash: Decimal
    #: Long and short values added without sign.
    gross: Decimal
    stocks: Decimal
    options: Decimal
    futures_pnl: Decimal
    unrealized: Decimal
    realized: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal

    @property
    def available(self) -> Decimal:
        """What is left over the initial margin."""
        return self.net_liquidation - self.initial_margin

    @property
    def buying_power(self) -> Decimal:
        """What may be bought on margin."""
        return max(ZERO, self.available * _LEVERAGE)


@dataclass(slots=True)
class _Ledger:
    """One currency's part of an account, in that currency."""

    cash: Decimal = ZERO
    stocks: Decimal = ZERO
    options: Decimal = ZERO
    futures_pnl: Decimal = ZERO
    unrealized: Decimal = ZERO
    realized: Decimal = ZERO

    @property
    def net_liquidation(self) -> Decimal:
        return self.cash + self.stocks + self.options + self.futures_pnl


def _ledgers(account: Account, valuation: Valuation) -> dict[str, _Ledger]:
    ledgers = {currency: _Ledger(cash=cash) for currency, cash in account.cash.items()}
    for holding in account.holdings.values():
        ledger = ledgers.setdefault(holding.instrument.currency, _Ledger())
        valued = valuation.holding(holding)
        ledger.realized += valued.realized
        ledger.unrealized += valued.unrealized or ZERO
        match holding.instrument.sec_type:
            case "OPT":
                ledger.options += valued.value or ZERO
            case "FUT":
                ledger.futures_pnl += valued.unrealized or ZERO
            case "CASH":
                pass
            case _:
                ledger.stocks += valued.value or ZERO
    return ledgers


def totals(account: Account, valuation: Valuation) -> Totals:
    """The account in base currency."""
    combined = _in_base(_ledgers(account, valuation), valuation)
    gross = ZERO
    for holding in account.held():
        if holding.instrument.sec_type != "CASH":
            value = valuation.holding(holding).value or ZERO
            gross += abs(valuation.in_base(value, holding.instrument.currency))
    return Totals(
        net_liquidation=money(combined.net_liquidation),
        cash=money(combined.cash),
        gross=money(gross),
        stocks=money(combined.stocks),
        options=money(combined.options),
        futures_pnl=money(combined.futures_pnl),
        unrealized=money(combined.unrealized),
        realized=money(combined.realized),
        initial_margin=money(gross * _INITIAL_MARGIN),
        maintenance_margin=money(gross * _MAINTENANCE_MARGIN),
    )


def margin_of(value: Decimal) -> tuple[Decimal, Decimal]:
    """The initial and maintenance margin that a position of that value asks for."""
    return money(value * _INITIAL_MARGIN), money(value * _MAINTENANCE_MARGIN)


def _in_base(ledgers: dict[str, _Ledger], valuation: Valuation) -> _Ledger:
    combined = _Ledger()
    for currency, ledger in ledgers.items():
        rate = valuation.rate(currency)
        combined.cash += ledger.cash * rate
        combined.stocks += ledger.stocks * rate
        combined.options += ledger.options * rate
        combined.futures_pnl += ledger.futures_pnl * rate
        combined.unrealized += ledger.unrealized * rate
        combined.realized += ledger.realized * rate
    return combined


def summary_values(account: Account, valuation: Valuation) -> list[AccountValue]:
    """The tags that reqAccountSummary knows, without the ledgers. Amounts in base currency."""
    figures = totals(account, valuation)
    amounts = {
        "NetLiquidation": figures.net_liquidation,
        "TotalCashValue": figures.cash,
        "SettledCash": figures.cash,
        "AccruedCash": ZERO,
        "BuyingPower": figures.buying_power,
        "EquityWithLoanValue": figures.net_liquidation,
        "PreviousDayEquityWithLoanValue": figures.net_liquidation - figures.unrealized,
        "GrossPositionValue": figures.gross,
        "RegTEquity": figures.net_liquidation,
        "RegTMargin": figures.initial_margin,
        "SMA": figures.available,
        "InitMarginReq": figures.initial_margin,
        "MaintMarginReq": figures.maintenance_margin,
        "AvailableFunds": figures.available,
        "ExcessLiquidity": figures.net_liquidation - figures.maintenance_margin,
        "FullInitMarginReq": figures.initial_margin,
        "FullMaintMarginReq": figures.maintenance_margin,
        "FullAvailableFunds": figures.available,
        "FullExcessLiquidity": figures.net_liquidation - figures.maintenance_margin,
        "LookAheadInitMarginReq": figures.initial_margin,
        "LookAheadMaintMarginReq": figures.maintenance_margin,
        "LookAheadAvailableFunds": figures.available,
        "LookAheadExcessLiquidity": figures.net_liquidation - figures.maintenance_margin,
    }
    rows = [AccountValue("AccountType", "INDIVIDUAL"), AccountValue("Cushion", _cushion(figures))]
    rows += [AccountValue("DayTradesRemaining", "-1"), AccountValue("LookAheadNextChange", "0")]
    rows += [AccountValue("HighestSeverity", ""), AccountValue("Leverage", _leverage(figures))]
    rows += [AccountValue(tag, _text(amount), valuation.base_currency) for tag, amount in amounts.items()]
    return rows


def ledger_values(account: Account, valuation: Valuation) -> list[AccountValue]:
    """The ledger of each currency, and of all of them as BASE. TWS API: `$LEDGER:ALL`."""
    ledgers = _ledgers(account, valuation)
    rows = list(_ledger_rows(BASE, valuation.base_currency, _in_base(ledgers, valuation), Decimal(1)))
    for currency in sorted(ledgers):
        rows += _ledger_rows(currency, currency, ledgers[currency], valuation.rate(currency))
    return rows


def _ledger_rows(currency: str, real_currency: str, ledger: _Ledger, rate: Decimal) -> Iterator[AccountValue]:
    amounts = {
        "CashBalance": ledger.cash,
        "TotalCashBalance": ledger.cash,
        "AccruedCash": ZERO,
        "StockMarketValue": ledger.stocks,
        "OptionMarketValue": ledger.options,
        "FutureOptionValue": ZERO,
        "FuturesPNL": ledger.futures_pnl,
        "NetLiquidationByCurrency": ledger.net_liquidation,
        "UnrealizedPnL": ledger.unrealized,
        "RealizedPnL": ledger.realized,
        "MutualFundValue": ZERO,
        "FundValue": ZERO,
        "IssuerOptionValue": ZERO,
        "CorporateBondValue": ZERO,
        "TBondValue": ZERO,
        "TBillValue": ZERO,
        "NetDividend": ZERO,
    }
    yield AccountValue("Currency", currency, currency)
    yield AccountValue("RealCurrency", real_currency, currency)
    yield AccountValue("ExchangeRate", format(rate.quantize(Decimal("0.0000001")), "f"), currency)
    for tag, amount in amounts.items():
        yield AccountValue(tag, _text(amount), currency)


def update_values(account: Account, valuation: Valuation) -> list[AccountValue]:
    """Everything that reqAccountUpdates sends, ledgers included."""
    rows = [AccountValue("AccountCode", account.code), AccountValue("AccountOrGroup", account.code, BASE)]
    rows += [AccountValue("AccountReady", "true"), *summary_values(account, valuation)]
    return rows + ledger_values(account, valuation)


def _text(amount: Decimal) -> str:
    return format(money(amount), "f")


def _cushion(figures: Totals) -> str:
    if not figures.net_liquidation:
        return "0"
    left = (figures.net_liquidation - figures.maintenance_margin) / figures.net_liquidation
    return format(left.quantize(Decimal("0.000001")), "f")


def _leverage(figures: Totals) -> str:
    if not figures.net_liquidation:
        return "0"
    return format((figures.gross / figures.net_liquidation).quantize(Decimal("0.01")), "f")
