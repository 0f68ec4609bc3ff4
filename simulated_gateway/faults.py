"""What is broken on purpose, and for how long. Set by `Control`, looked at by everything else."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from simulated_gateway.trading.orders import Refusal

WhileMute = Literal["process", "hold", "discard"]
Forgotten = Literal["place", "cancel"]


@dataclass(slots=True)
class Faults:
    """The gateway's present faults; none to begin with."""

    #: Nothing is answered. What arrives meanwhile is processed, held back until it speaks again, or thrown away.
    mute: bool = False
    while_mute: WhileMute = "process"
    #: Connections are accepted and then ignored, as by a gateway that still waits for its sign-in.
    no_handshake: bool = False
    #: Seconds that every answer is late.
    answer_delay: float = 0.0
    #: Another session of the same user has the live market data: error 10197.
    competing_session: bool = False
    #: The next new orders are refused with these.
    refuse_orders: deque[Refusal] = field(default_factory=deque[Refusal])
    #: How many of the next new orders, or cancels, take effect without a word.
    forget: dict[Forgotten, int] = field(default_factory=lambda: {"place": 0, "cancel": 0})
    #: How many of the next new orders never arrive.
    swallow_orders: int = 0
    #: Nothing fills.
    hold_fills: bool = False
    #: No more than this of an order fills in one beat; None for the size of the quote.
    fill_pace: Decimal | None = None
    #: Seconds that the client id of a connection that ended stays taken.
    dead_client_hold: float = 0.0
    #: Client ids that are taken by nobody, with the monotonic moment they become free.
    held_client_ids: dict[int, float] = field(default_factory=dict[int, float])

    def take_forgotten(self, kind: Forgotten) -> bool:
        """Whether this message takes effect without a word."""
        if self.forget[kind] <= 0:
            return False
        self.forget[kind] -= 1
        return True

    def take_swallowed(self) -> bool:
        """Whether this new order never arrived."""
        if self.swallow_orders <= 0:
            return False
        self.swallow_orders -= 1
        return True
