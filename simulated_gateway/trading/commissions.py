"""What a fill costs, by security type, in the instrument's currency."""

from decimal import Decimal

from simulated_gateway.instruments import Instrument

from .accounts import money, multiplier_of

_STOCK_UNIT, _STOCK_MINIMUM, _STOCK_MAXIMUM = Decimal("0.005"), Decimal("1.00"), Decimal("0.01")
#: Per contract.
_CONTRACT_FEES = {"OPT": Decimal("0.65"), "FUT": Decimal("2.25"), "FOP": Decimal("2.25")}
_FOREX_FEE = Decimal("2.00")
_CRYPTO_PART = Decimal("0.0018")


def commission(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """The commission of one fill; never negative, rounded to the cent."""
    quantity = abs(quantity)
    value = quantity * price * multiplier_of(instrument)
    if fee := _CONTRACT_FEES.get(instrument.sec_type):
        return money(fee * quantity)
    if instrument.sec_type == "CASH":
        return _FOREX_FEE
    if instrument.sec_type == "CRYPTO":
        return money(max(value * _CRYPTO_PART, Decimal("0.01")))
    return money(min(max(quantity * _STOCK_UNIT, _STOCK_MINIMUM), max(value * _STOCK_MAXIMUM, Decimal("0.01"))))
