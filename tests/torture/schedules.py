"""A schedule: what is asked for and what breaks, when. It is data, made from a seed; it can be cut down and printed."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass, field, replace
from typing import Any

Step = dict[str, Any]
"""``t`` is when, in seconds; ``do`` is what; the rest says how. See ``SimulatedHouse.do``."""

LASTS = 24.0
"""Seconds in which everything of a schedule begins; afterwards all is mended and has to come out right."""

POINTS = ("claimed", "in-file", "begun", "sent", "acknowledged", "answered")
_SYMBOLS = {"AAPL": 100, "MSFT": 300, "IBM": 150}
"""With a price far below the market."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that decides a run."""

    seed: str
    workers: int = 1
    one_folder: bool = True
    """Whether the workers share their folder, as two on one machine do."""
    start: str = "2025-11-19T16:00:00+00:00"
    skews: dict[str, float] = field(default_factory=dict[str, float])
    """How far the clock of a machine is off, seconds; nothing where it is right."""
    steps: tuple[Step, ...] = ()

    def text(self) -> str:
        """As JSON, a step a line."""
        fields = {name: value for name, value in asdict(self).items() if name != "steps"}
        steps = ",\n  ".join(json.dumps(step) for step in self.steps)
        return f'{json.dumps(fields)[:-1]}, "steps": [\n  {steps}\n]}}'

    @classmethod
    def read(cls, text: str) -> Schedule:
        """The schedule that ``text`` gave."""
        fields = json.loads(text)
        return cls(**{**fields, "steps": tuple(fields["steps"])})

    def with_steps(self, steps: list[Step]) -> Schedule:
        """The same with other steps."""
        return replace(self, steps=tuple(steps))

    def with_one_worker(self) -> Schedule:
        """The same with a single worker."""
        return replace(self, workers=1)

    def with_right_clocks(self) -> Schedule:
        """The same with clocks that agree."""
        return replace(self, skews={})


def schedule(seed: str) -> Schedule:
    """The schedule of a seed."""
    rng = random.Random(f"schedule {seed}")
    workers = rng.choice((1, 1, 2))
    moments = _moments(rng)
    steps = [_fault(rng, moment, workers) for moment in moments]
    steps += _calls(rng, moments)
    steps.sort(key=lambda step: step["t"])
    midnight = rng.random() < 0.1
    return Schedule(
        seed,
        workers,
        rng.random() < 0.5,
        "2025-11-20T04:59:45+00:00" if midnight else "2025-11-19T16:00:00+00:00",
        _skews(rng),
        tuple(steps),
    )


def _moments(rng: random.Random) -> list[float]:
    """When something breaks: here and there, or all at about the same time."""
    count = rng.choice((1, 2, 2, 3, 3, 4, 5))
    if rng.random() < 0.5:
        return sorted(round(rng.uniform(1.0, LASTS - 6), 3) for _ in range(count))
    middle, spread = rng.uniform(3.0, LASTS - 8), rng.choice((0.02, 0.3, 1.5))
    return sorted(round(middle + rng.uniform(0, 1) * spread, 3) for _ in range(count))


def _skews(rng: random.Random) -> dict[str, float]:
    """How far the clocks of some machines are off, seconds."""
    if rng.random() < 0.85:
        return {}
    machines = ("w1", "w2", "f1", "f2", "redis", "gateway")
    return {machine: round(rng.gauss(0, 2), 2) for machine in machines if rng.random() < 0.4}


def _near(rng: random.Random, moments: list[float]) -> float:
    """Mostly about when something breaks."""
    if rng.random() < 0.25:
        return round(rng.uniform(0.5, LASTS - 2), 3)
    return round(max(0.3, rng.choice(moments) + rng.choice((rng.gauss(0, 0.01), rng.uniform(-0.5, 1.5)))), 3)


def _calls(rng: random.Random, moments: list[float]) -> list[Step]:
    steps: list[Step] = []
    names = [(rng.choice(("ann", "bob")), f"k{number}") for number in range(rng.randint(1, 4))]
    orders = {name: _order(rng) for name in names}
    if len(names) > 1 and rng.random() < 0.3:
        orders[names[0]] = orders[names[1]]  # equal orders under two keys
    for caller, name in names:
        tool, arguments = orders[caller, name]
        first = _near(rng, moments)
        for repeat in range(rng.choice((1, 1, 2, 3, 4))):
            at = first if repeat == 0 else round(first + rng.choice((0.0, 0.001, rng.uniform(0, 8))), 3)
            other = {"quantity": arguments["quantity"] + 1} if rng.random() < 0.06 and repeat else {}
            step = _call(rng, at, caller, tool, {"client_order_id": name} | arguments | other)
            steps.append(step)
        if rng.random() < 0.3:
            handle = {"order_id": name}
            steps.append(_call(rng, round(first + rng.uniform(0, 8), 3), caller, "cancel_order", handle))
        if rng.random() < 0.2:
            change: dict[str, Any] = {"order": name, "quantity": rng.randint(2, 9)}
            steps.append(_call(rng, round(first + rng.uniform(0, 8), 3), caller, "modify_order", change))
        if rng.random() < 0.3:
            tool = rng.choice(("get_order", "wait_for_order"))
            steps.append(_call(rng, round(first + rng.uniform(0, 8), 3), caller, tool, {"order": name}))
    if rng.random() < 0.15:
        steps.append(_call(rng, _near(rng, moments), "ann", "get_orders", {}))
    return steps


def _call(rng: random.Random, at: float, caller: str, tool: str, arguments: dict[str, Any]) -> Step:
    step: Step = {"t": at, "do": "call", "frontend": rng.choice(("f1", "f2")), "caller": caller, "tool": tool}
    step["arguments"] = arguments
    if rng.random() < 0.12:
        step["leaves_after"] = round(rng.choice((rng.uniform(0, 0.1), rng.uniform(0, 12))), 4)
    return step


def _order(rng: random.Random) -> tuple[str, dict[str, Any]]:
    symbol = rng.choice(sorted(_SYMBOLS))
    common = {"symbol": symbol, "action": rng.choice(("BUY", "BUY", "SELL")), "quantity": rng.randint(1, 5)}
    kind = rng.random()
    if kind < 0.2:
        return "place_market_order", common
    if kind < 0.3:
        return "place_stop_order", common | {"action": "SELL", "stop_price": _SYMBOLS[symbol] / 2}
    if kind < 0.4:
        return "place_limit_order", common | {"action": "BUY", "limit_price": _SYMBOLS[symbol] * 3}
    return "place_limit_order", common | {"action": "BUY", "limit_price": _SYMBOLS[symbol] / 2 + rng.randint(0, 5)}


def _fault(rng: random.Random, at: float, workers: int) -> Step:
    who = rng.choice([f"w{number + 1}" for number in range(workers)])
    kind = rng.choice(_KINDS)
    if kind == "process":
        return {"t": at} | _process_fault(rng, who)
    if kind == "redis":
        return {"t": at, "do": "redis"} | _redis_fault(rng, who)
    if kind == "disk":
        return {"t": at, "do": "slow_disk", "who": who, "seconds": round(rng.uniform(0.05, 3), 3)}
    if kind == "fill":
        return {"t": at, "do": "gateway", "what": rng.choice(("pace_fills", "cancel_all", "fill_all"))}
    return {"t": at, "do": "gateway"} | _gateway_fault(rng)


_KINDS = ("process",) * 9 + ("redis",) * 7 + ("gateway",) * 7 + ("disk", "fill")


def _process_fault(rng: random.Random, who: str) -> Step:
    back = round(rng.uniform(0.3, 6), 3)
    ghost = round(rng.uniform(0.5, 6), 3) if rng.random() < 0.15 else 0.0
    choice = rng.random()
    if choice < 0.3:
        return {"do": "kill_at", "who": who, "point": rng.choice(POINTS), "back": back, "ghost": ghost}
    if choice < 0.5:
        return {"do": "kill_after", "who": who, "steps": int(2 ** rng.uniform(0, 8)), "back": back, "ghost": ghost}
    if choice < 0.57:
        return {"do": "kill", "who": who, "back": back, "ghost": ghost}
    if choice < 0.63:
        steps = int(2 ** rng.uniform(0, 8))
        return {"do": "stop_after", "who": who, "steps": steps, "seconds": round(rng.uniform(0.5, 9), 3)}
    if choice < 0.75:
        return {"do": "stop_at", "who": who, "point": rng.choice(POINTS), "seconds": round(rng.uniform(0.5, 9), 3)}
    if choice < 0.85:
        return {"do": "stop", "who": who, "seconds": round(rng.uniform(0.5, 9), 3)}
    if choice < 0.92:
        return {"do": "terminate", "who": who, "back": back}
    frontend = rng.choice(("f1", "f2"))
    if choice < 0.97:
        return {"do": "kill", "who": frontend, "back": back, "ghost": 0.0}
    return {"do": "stop", "who": frontend, "seconds": round(rng.uniform(0.5, 9), 3)}


def _redis_fault(rng: random.Random, who: str) -> Step:
    choice, seconds = rng.random(), round(rng.uniform(0.1, 6), 3)
    process = rng.choice((who, who, "f1", "f2"))
    if choice < 0.35:
        return {"what": "lose_reply", "who": process, "count": rng.choice((1, 1, 2, 5))}
    if choice < 0.5:
        return {"what": "cut", "who": rng.choice((process, None))}
    if choice < 0.65:
        return {"what": "restart", "seconds": seconds}
    if choice < 0.75:
        return {"what": "wipe_restart", "seconds": seconds}
    if choice < 0.8:
        return {"what": "wipe"}
    if choice < 0.86:
        return {"what": "roll_back", "lost": round(rng.uniform(0.1, 5), 3), "seconds": seconds}
    if choice < 0.91:
        return {"what": "hang", "seconds": seconds}
    return {"what": "slow", "late": round(rng.uniform(0.05, 1.5), 3), "seconds": seconds}


def _gateway_fault(rng: random.Random) -> Step:
    choice, seconds = rng.random(), round(rng.uniform(0.5, 10), 3)
    if choice < 0.2:
        return {"what": "mute", "mode": rng.choice(("process", "hold", "discard")), "seconds": seconds}
    if choice < 0.3:
        return {"what": "slow", "late": round(rng.uniform(0.1, 5), 3), "seconds": seconds}
    if choice < 0.45:
        return {"what": "cut"}
    if choice < 0.6:
        return {"what": "restart", "seconds": seconds, "roll_back": rng.randint(0, 3)}
    if choice < 0.7:
        return {"what": "stall", "seconds": seconds}
    if choice < 0.78:
        return {"what": "lose_servers", "seconds": seconds}
    if choice < 0.84:
        return {"what": "hold_id", "seconds": seconds}
    if choice < 0.9:
        return {"what": "swallow"}
    if choice < 0.95:
        return {"what": "forget"}
    return {"what": "refuse", "code": rng.choice((201, 110, 103))}
