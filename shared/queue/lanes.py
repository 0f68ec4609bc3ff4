"""How many jobs run at once: orders and queries apart, and of each caller no more than its share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from shared import json_text
from shared.queue import scripts

CLAIM_AT_ONCE = 32
"""Jobs of one lane in one claim: all that can begin before an order that comes just after it."""


@dataclass(slots=True)
class Lane:
    """The slots of one kind of jobs, and where those lie in the queue."""

    minimum: int
    maximum: int
    slots: int
    of_one_caller: int
    """Slots that one caller's jobs may take: the others are there for whoever else comes, however long those last."""
    running_of: Counter[str] = field(default_factory=Counter[str])
    """By the caller's tag."""
    running: int = 0
    more: bool = False
    """Whether the last claim took all it asked for: there may be more to take as soon as a slot is free."""

    @property
    def free(self) -> int:
        """How many jobs to claim for it now."""
        return min(max(self.slots - self.running, 0), CLAIM_AT_ONCE)


class Lanes:
    """Both lanes. A query that waits at the gateway costs next to nothing here, and may share what others wait for."""

    def __init__(
        self, *, slots: int = 512, of_one_caller: int = 64, trade_slots: int = 16, trades_of_one_caller: int = 12
    ) -> None:
        self.trades = Lane(0, scripts.LANE_BOUNDARY, trade_slots, trades_of_one_caller)
        self.queries = Lane(scripts.LANE_BOUNDARY, scripts.CLAIMED, slots, of_one_caller)

    @property
    def both(self) -> tuple[Lane, Lane]:
        """In the order in which they are claimed."""
        return self.trades, self.queries

    def admits_query(self, raw_id: bytes) -> bool:
        """Whether there is a slot for this one now."""
        return bool(self.queries.free) and self.queries.running_of[_tag(raw_id)] < self.queries.of_one_caller

    def begin(self, raw_id: bytes, *, trades: bool) -> None:
        """A job takes a slot."""
        lane = self._lane(trades=trades)
        lane.running += 1
        lane.running_of[_tag(raw_id)] += 1

    def end(self, raw_id: bytes, *, trades: bool) -> bool:
        """It gives the slot back; whether others may have waited for it."""
        lane, tag = self._lane(trades=trades), _tag(raw_id)
        lane.running -= 1
        passed_over = lane.running_of[tag] >= lane.of_one_caller
        lane.running_of[tag] -= 1
        if not lane.running_of[tag]:
            del lane.running_of[tag]
        return lane.more or passed_over

    def near_their_share(self) -> str:
        """As JSON, how many jobs run of those callers whom one claim could bring past their share."""
        near = {
            tag: count
            for lane in self.both
            for tag, count in lane.running_of.items()
            if count > lane.of_one_caller - CLAIM_AT_ONCE
        }
        return json_text.dumps(near)

    def _lane(self, *, trades: bool) -> Lane:
        return self.trades if trades else self.queries


def _tag(raw_id: bytes) -> str:
    """Whose a job is, as the scripts read it from the job's id."""
    parts = raw_id.decode(errors="replace").rsplit(":", 2)
    return parts[1] if len(parts) == 3 else ""
