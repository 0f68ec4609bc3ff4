"""What the positions tell of orders of an earlier day, of which the gateway shows no trace.

The gateway's lists begin at midnight. An order of before that stands on none of them is over, or never arrived; what it
filled has moved the position since it was begun. The orders of one account and contract are judged together, with what
every other order there has filled meanwhile: what the position moved is their sum. At its two ends the sum can be made
up in one way only: everything filled that moves the position there, and nothing else. In between it tells of one order
where no other is open to doubt. Of several it then tells nothing, and each of them stays UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from broker_worker.orders.book import OrderBook
from broker_worker.orders.journal import Journal
from broker_worker.orders.record import OrderRecord, rebuilt
from broker_worker.positions import PositionBook
from shared import clock, json_text
from shared.order_records import Stage, StoredOrder

EXCHANGE_DAY = ZoneInfo("America/New_York")
"""The gateway's lists of executions and completed orders begin at this zone's midnight."""
STILL_ARRIVING = timedelta(minutes=5)
"""After an order was begun: until then one not acknowledged may still be on its way, and a position proves nothing."""
_NEVER_SENT = frozenset({Stage.QUEUED, Stage.HELD, Stage.UNSENT})
_FOLLOWS_MS = 1000
"""By then a position shows the last fill of an order that is over."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of an order."""

    event: str
    record: OrderRecord | None
    """None where the order was certainly never sent."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An open order of which the gateway shows no trace."""

    stored: StoredOrder
    record: OrderRecord

    @property
    def begun(self) -> datetime:
        """When it was begun."""
        return datetime.fromtimestamp(self.stored.number("begun_ms") / 1000, UTC)

    def of_a_day_before(self, now: datetime) -> bool:
        """Whether the gateway would not show it now, had it ended on the day on which it was begun."""
        return self.begun.astimezone(EXCHANGE_DAY).date() < now.astimezone(EXCHANGE_DAY).date()


@dataclass(frozen=True, slots=True)
class Share:
    """What one order may have filled of what the position moved."""

    key: str
    buys: bool
    least: Decimal
    most: Decimal

    @classmethod
    def open(cls, key: str, record: OrderRecord) -> Share:
        """Of an order that may have filled more than is known."""
        return cls(key, record.action == "BUY", record.filled, max(record.quantity, record.filled))

    def moves(self, filled: Decimal) -> Decimal:
        """By how much a fill moves the position."""
        return filled if self.buys else -filled


class PositionEvidence:
    """Judges orders without a trace."""

    def __init__(self, book: OrderBook, positions: PositionBook, journal: Journal) -> None:
        self._book = book
        self._positions = positions
        self._journal = journal
        self.look_again: datetime | None = None
        """When an order that cannot be judged yet can be."""

    async def judge(self, absent: Iterable[StoredOrder]) -> list[tuple[StoredOrder, Verdict]]:
        """What became of these orders: all that are open and of which the gateway shows no trace."""
        places: dict[str, list[Doubt]] = {}
        for stored in absent:
            doubt = Doubt(stored, self._book.by_ref(stored.key) or rebuilt(stored))
            places.setdefault(doubt.record.place, []).append(doubt)
        verdicts: list[tuple[StoredOrder, Verdict]] = []
        for doubts in places.values():
            filled = await self._filled(doubts)
            verdicts += [(doubt.stored, _verdict(doubt.record, filled.get(doubt.stored.key))) for doubt in doubts]
        return verdicts

    async def _filled(self, doubts: Sequence[Doubt]) -> Mapping[str, Decimal]:
        """How much the orders of an earlier day among these of one place have filled, where the position tells."""
        now = clock.now()
        old = sorted((doubt for doubt in doubts if doubt.of_a_day_before(now)), key=lambda doubt: doubt.begun)
        waits = [doubt.begun + STILL_ARRIVING for doubt in old if not doubt.record.perm_ids]
        if waits and now < max(waits):
            self.look_again = min(self.look_again or max(waits), max(waits))
            return {}
        if not old or "position_before" not in old[0].stored.fields or self._positions.missing:
            return {}
        record, first = old[0].record, old[0].stored
        shares = [Share.open(doubt.stored.key, doubt.record) for doubt in doubts]
        shares += await self._others(record.place, {doubt.stored.key for doubt in doubts}, first.number("begun_ms"))
        moved = self._positions.quantity(record.account, record.con_id) - Decimal(first.fields["position_before"])
        filled = split(moved, shares) or {}
        return {doubt.stored.key: filled[doubt.stored.key] for doubt in old if doubt.stored.key in filled}

    async def _others(self, place: str, doubtful: Collection[str], since_ms: int) -> list[Share]:
        """What every other order known at this place may have filled since."""
        stored = {order.key: order for order in await self._journal.at(place)}
        shown = {key: record for record in self._book if record.place == place and (key := record.key) is not None}
        shares: list[Share] = []
        for key, record in ({key: rebuilt(order) for key, order in stored.items()} | shown).items():
            known = stored.get(key) or StoredOrder(key, {})
            over_ms = known.number("over_ms")
            if key in doubtful or known.stage in _NEVER_SENT or (over_ms and over_ms + _FOLLOWS_MS < since_ms):
                continue
            share = Share.open(key, record)
            if (key in shown and not record.lost) or (known.stage is Stage.KNOWN and over_ms):
                share = replace(share, most=record.filled)
            # Of an order that was there before, and of one whose beginning is not known, some may have filled before.
            shares.append(share if known.number("begun_ms") >= since_ms else replace(share, least=Decimal(0)))
        return shares


def split(moved: Decimal, shares: Sequence[Share]) -> Mapping[str, Decimal] | None:
    """How much each order has filled, where that follows from what the position moved; see the module."""
    for buys in (True, False):
        filled = {share.key: share.most if share.buys is buys else share.least for share in shares}
        if moved == sum(share.moves(filled[share.key]) for share in shares):
            return filled
    doubtful = [share for share in shares if share.least != share.most]
    if len(doubtful) != 1:
        return None
    rest = moved - sum(share.moves(share.least) for share in shares)
    filled = {share.key: share.least for share in shares}
    filled[doubtful[0].key] += doubtful[0].moves(rest)
    return filled if doubtful[0].least < filled[doubtful[0].key] < doubtful[0].most else None


def _verdict(record: OrderRecord, filled: Decimal | None) -> Verdict:
    """What is to be said of an order that filled so much and no more; None where that is not known."""
    if filled is None:
        record.lost = True
        return Verdict("lost sight of", record)
    further = filled > record.filled
    record.note_filled(filled, None)
    if record.quantity and filled >= record.quantity:
        record.note_status("Filled")
        return Verdict("filled, by the evidence of the position", record)
    record.note_status("Cancelled")
    shows = f"{json_text.decimal_text(filled)} filled" if further else "no further fill"
    record.refusal = f"it ended on an earlier day; the position shows {shows}"
    return Verdict("over, by the evidence of the position", record)
