"""Price increments by market rule, taken from the contracts that name the rule. TWS API: `reqMarketRule`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cache

from simulated_gateway.instruments import Instrument
from simulated_gateway.listings import FUTURES, LISTINGS

#: Options on everything name this rule; they are made on demand and cannot be listed.
_OPTION_RULE = {109: Decimal("0.01")}


@cache
def _increments() -> dict[int, Decimal]:
    found = dict(_OPTION_RULE)
    named: list[Instrument] = [*LISTINGS, *(product.pattern for product in FUTURES)]
    for instrument in named:
        for rule in filter(None, instrument.market_rule_ids.split(",")):
            smallest = found.get(int(rule), instrument.min_tick)
            found[int(rule)] = min(smallest, instrument.min_tick)
    return found


def increments(rule_id: int) -> Sequence[tuple[Decimal, Decimal]] | None:
    """From which price on which increment applies, ascending; None for an unknown rule."""
    increment = _increments().get(rule_id)
    return None if increment is None else [(Decimal(0), increment)]
