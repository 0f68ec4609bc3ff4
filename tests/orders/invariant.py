"""The one promise, checked against the gateway's own ledger: at most one order a key, and every key accounted for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from shared.order_records import REF_PREFIX, order_key

Row = Mapping[str, Any]
"""A line of the ledger, one of the gateway's orders, or what get_order said, as JSON has it."""

WORKING = frozenset({"WORKING", "PARTIALLY_FILLED"})
CONFIRMED_BY = {
    "ApiPending": WORKING,
    "PreSubmitted": WORKING,
    "Submitted": WORKING,
    "Filled": frozenset({"FILLED"}),
    "Cancelled": frozenset({"CANCELLED"}),
    "Inactive": frozenset({"REJECTED", "CANCELLED"}),
}
"""The states that the gateway's own word for an order allows."""

NEVER_SENT = frozenset({"EXPIRED", "REJECTED"})
"""The states of an order of which the gateway has no trace."""


def check(
    ledger: Iterable[Row],
    orders: Iterable[Row],
    stories: Mapping[str, Row],
    *,
    in_doubt: Collection[str] = (),
    over_since_midnight: Collection[str] = (),
    caller: str = "local",
) -> None:
    """Return if it holds. ``stories`` are the answers of get_order by client_order_id.

    ``in_doubt`` are those whose fault fell between BEGIN and the acknowledgement. Of those ``over_since_midnight`` only
    the positions tell: where they did not move it ended without a fill, if it ever arrived.
    """
    received: dict[str, list[Row]] = {}
    for entry in ledger:
        if entry["kind"] == "place" and str(entry["order_ref"]).startswith(REF_PREFIX):
            received.setdefault(entry["order_ref"], []).append(entry)
    for ref, entries in received.items():
        assert len(entries) == 1, f"{len(entries)} orders of one key: {entries}"
        assert ref in {order_key(caller, name) for name in stories}, f"an order nobody asked about: {entries[0]}"
    views = {view["order_ref"]: view for view in orders if view["order_ref"]}
    for name, story in stories.items():
        key = order_key(caller, name)
        received_as = received[key][0] if key in received else None
        try:
            if received_as is None and name in over_since_midnight:
                assert (story["state"], story["filled"]) == ("CANCELLED", 0), "no fill, and over"
                continue
            _confirmed(received_as, views.get(key), story, doubtful=name in in_doubt)
        except AssertionError as error:
            message = f"{name}: {error}; ledger {received_as}; gateway {views.get(key)}; told {dict(story)}"
            raise AssertionError(message) from None


def _confirmed(entry: Row | None, view: Row | None, story: Row, *, doubtful: bool) -> None:
    state = story["state"]
    if entry is None:
        assert state in NEVER_SENT or (state == "UNKNOWN" and doubtful), "the ledger has no such order"
        assert not (state == "UNKNOWN" and story["may_resubmit"]), "in doubt, and a second order is invited"
        return
    if view is None or entry["outcome"] != "accepted":
        assert state == "REJECTED", "the gateway refused it"
        return
    assert state in CONFIRMED_BY[view["status"]], "the gateway knows better"
    assert Decimal(str(story["filled"])) == Decimal(str(view["filled"])), "filled otherwise"
    live = state in WORKING or Decimal(str(view["filled"])) > 0
    assert not (live and story["may_resubmit"]), "it lives or has filled, and a second order is invited"
