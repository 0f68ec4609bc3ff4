"""What a position's change tells of several orders is told only where it could not have come about otherwise."""

from __future__ import annotations

import itertools
from decimal import Decimal

from broker_worker.orders.position_evidence import Share, split

BOXES = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 3)]
"""Of what an order may have filled: at least and at most."""


def shares(*ranges: tuple[bool, int, int]) -> list[Share]:
    return [
        Share(str(number), buys, Decimal(least), Decimal(most)) for number, (buys, least, most) in enumerate(ranges)
    ]


def ways(of: list[Share], moved: int) -> list[dict[str, Decimal]]:
    """Every way in which whole fills add up to the change."""
    amounts = [range(int(share.least), int(share.most) + 1) for share in of]
    found = [
        dict(zip((share.key for share in of), map(Decimal, one), strict=True)) for one in itertools.product(*amounts)
    ]
    return [one for one in found if sum(share.moves(one[share.key]) for share in of) == moved]


def test_what_is_told_is_the_only_way_and_the_ends_are_always_told() -> None:
    for boxes in itertools.product(itertools.product((True, False), BOXES), repeat=3):
        orders = shares(*((buys, least, most) for buys, (least, most) in boxes))
        possible = [moved for moved in range(-10, 11) if ways(orders, moved)]
        for moved in range(-10, 11):
            told = split(Decimal(moved), orders)
            assert told is None or [told] == ways(orders, moved)
        assert split(Decimal(possible[0]), orders) is not None
        assert split(Decimal(possible[-1]), orders) is not None


def test_of_one_order_in_doubt_any_fill_is_told_and_of_two_none_in_between() -> None:
    assert split(Decimal(5), shares((True, 0, 4), (True, 3, 3))) == {"0": Decimal(2), "1": Decimal(3)}
    assert split(Decimal(3), shares((True, 0, 3), (True, 0, 3))) is None


def test_a_change_that_the_orders_cannot_have_made_tells_nothing() -> None:
    assert split(Decimal(4), shares((True, 0, 3))) is None
    assert split(Decimal(-1), shares((True, 0, 3))) is None
