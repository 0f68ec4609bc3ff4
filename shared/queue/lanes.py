"""How many jobs run at once: orders and queries apart, and of each caller no more than its share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from shared import json_text
from shared.queue import scripts

CLAIM_AT_ONCE = 16
"""Jobs of one lane in one claim: the answers of the first are on their way while the next are run."""
ONE_CALLERS_SHARE = 0.75
"""Of a lane's slots. The others are there for whoever else comes, however long the jobs of the first take."""


@dataclass(slots=True)
class Lane:
    """The slots of one kind of jobs, and where those lie in the queue."""

    minimum: int
    maximum: int
    slots: int
    of_one_caller: int
    running: int = 0
    more: bool = False
    """Whether the last claim took all it asked for: there may be more to take as soon as a slot is free."""

    @property
    def free(self) -> int:
        """How many jobs to claim for it now."""
        return min(max(self.slots - self.running, 0), CLAIM_AT_ONCE)


class Lanes:
    """Both lanes, and whose jobs are in them."""

    def __init__(self, *, slots: int, trade_slots: int, one_callers_share: float) -> None:
        def share(of: int) -> int:
            return max(1, int(of * one_callers_share))

        self.trades = Lane(0, scripts.LANE_BOUNDARY, trade_slots, share(trade_slots))
        self.queries = Lane(scripts.LANE_BOUNDARY, scripts.CLAIMED, slots, share(slots))
        self._running_of: Counter[str] = Counter()
        """By the caller's tag, which is another for a caller's orders."""

    @property
    def both(self) -> tuple[Lane, Lane]:
        """In the order in which they are claimed."""
        return self.trades, self.queries

    def admits_query(self, raw_id: bytes) -> bool:
        """Whether there is a slot for this one now."""
        return bool(self.queries.free) and self._running_of[_tag(raw_id)] < self.queries.of_one_caller

    def begin(self, raw_id: bytes, *, trades: bool) -> None:
        """A job takes a slot."""
        self._lane(trades=trades).running += 1
        self._running_of[_tag(raw_id)] += 1

    def end(self, raw_id: bytes, *, trades: bool) -> bool:
        """It gives the slot back; whether others may have waited for it."""
        lane, tag = self._lane(trades=trades), _tag(raw_id)
        lane.running -= 1
        passed_over = self._running_of[tag] >= lane.of_one_caller
        self._running_of[tag] -= 1
        if not self._running_of[tag]:
            del self._running_of[tag]
        return lane.more or passed_over

    def near_their_share(self) -> str:
        """As JSON, how many jobs run of those callers whom one claim could bring past their share."""
        least = min(lane.of_one_caller for lane in self.both) - CLAIM_AT_ONCE
        return json_text.dumps({tag: count for tag, count in self._running_of.items() if count > least})

    def _lane(self, *, trades: bool) -> Lane:
        return self.trades if trades else self.queries


def _tag(raw_id: bytes) -> str:
    """Whose a job is, as the scripts read it from the job's id."""
    parts = raw_id.decode(errors="replace").rsplit(":", 2)
    return parts[1] if len(parts) == 3 else ""
