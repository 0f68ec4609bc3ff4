"""Everything that can be broken in the house, each by a step of a schedule."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from .patches import current_process
from .simulation import Died, Process

if TYPE_CHECKING:
    from .house import SimulatedHouse
    from .schedules import Step

_ONE = Decimal(1)
_WAITING = frozenset({"lose_reply", "swallow", "forget", "refuse"})
"""Faults that wait for something to befall."""
_HEALTHY_DISK = (0.0001, 0.002)
_DRAINED = 25.0
"""Seconds after which a worker that was told to stop must be gone."""


class Levers:
    """Breaks things, and mends them all."""

    def __init__(self, house: SimulatedHouse) -> None:
        self._house = house
        self._simulation = house.simulation
        self._armed: dict[str, list[Step]] = {}
        self._mended = False
        self.broken: list[tuple[float, float]] = []
        """When something was broken, from and to."""

    def pull(self, step: Step) -> None:
        """Carry out a step that breaks something."""
        self._house.say(f"! {step}")
        self._note(step)
        getattr(self, f"_do_{step['do']}")(step)

    def mend(self) -> None:
        """Repair everything; processes that do not run are the house's to start."""
        self._mended = True
        self._armed.clear()
        redis, gateway = self._house.redis, self._house.gateway
        redis.late, redis.lose_replies = 0.0, {}
        redis.start()
        gateway.stalled_until = gateway.refuses_until = 0.0
        gateway.process.call_soon(gateway.gateway.control.clear_faults)
        for process in self._simulation.processes:
            process.stopped_until, process.watch, process.disk_seconds = 0.0, None, _HEALTHY_DISK

    def _note(self, step: Step) -> None:
        seconds = max(float(step.get("seconds", 0)), float(step.get("back", 0)) + float(step.get("ghost", 0)))
        if step.get("what") in _WAITING:
            seconds = math.inf
        self.broken.append((self._simulation.now, self._simulation.now + seconds))

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        self._simulation.at(self._simulation.now + seconds, do)

    # --- processes

    def reach(self, point: str) -> None:
        """A process passes a fail point."""
        process = current_process()
        if process is None or process.closing:
            return
        self._house.say(f"{process.name} reaches {point}")
        for step in self._armed.get(process.name, []):
            if step["point"] == point:
                self._armed[process.name].remove(step)
                self._strike(step, process)
                return

    def _strike(self, step: Step, process: Process) -> None:
        self._note(step)
        if step["do"] == "kill_at":
            self._do_kill(step)
            raise Died
        process.stopped_until = self._simulation.now + step["seconds"]
        self._house.say(f"{process.name} stands still")
        process.stop_here()
        self._house.say(f"{process.name} goes on")

    def _process(self, name: str) -> Process | None:
        found = self._house.workers.get(name) or self._house.frontends.get(name)
        return found.process if found is not None else None

    def _do_kill(self, step: Step) -> None:
        self._house.kill(step["who"], step["ghost"])
        self._later(step["back"], lambda: self._house.start(step["who"]))

    def _do_kill_at(self, step: Step) -> None:
        self._armed.setdefault(step["who"], []).append(step)

    _do_stop_at = _do_kill_at

    def _do_kill_after(self, step: Step) -> None:
        """In the middle of whatever it does: after so many steps of its loop."""
        self._after_steps(step, self._do_kill)

    def _do_stop_after(self, step: Step) -> None:
        self._after_steps(step, self._do_stop)

    def _after_steps(self, step: Step, strike: Callable[[Step], None]) -> None:
        process = self._process(step["who"])
        if process is None:
            return
        last = process.steps + step["steps"]

        def watch() -> None:
            if process.steps >= last and not self._mended:
                process.watch = None
                self._note(step)
                strike(step)

        process.watch = watch

    def _do_stop(self, step: Step) -> None:
        process = self._process(step["who"])
        if process is not None:
            process.stopped_until = self._simulation.now + step["seconds"]

    def _do_terminate(self, step: Step) -> None:
        worker = self._house.workers.get(step["who"])
        if worker is None:
            return
        worker.process.call_soon(worker.stop.set)
        told_at = self._simulation.now

        def look() -> None:
            if self._house.workers.get(step["who"]) is not worker:
                self._house.start(step["who"])
            elif self._simulation.now - max(told_at, worker.process.stopped_until) > _DRAINED:
                self._house.complain(f"{step['who']} did not end in time")
            else:
                self._later(0.5, look)

        self._later(step["back"], look)

    def _do_slow_disk(self, step: Step) -> None:
        process = self._process(step["who"])
        if process is not None:
            process.disk_seconds = (0.0, step["seconds"])

    # --- Redis and the gateway

    def _do_redis(self, step: Step) -> None:
        redis, what, seconds = self._house.redis, step["what"], step.get("seconds", 0)
        match what:
            case "lose_reply":
                redis.lose_replies[step["who"]] = redis.lose_replies.get(step["who"], 0) + step["count"]
            case "cut":
                redis.break_connections(step["who"])
            case "restart":
                redis.stop()
                self._later(seconds, redis.start)
            case "wipe_restart":
                redis.stop()
                redis.wipe()
                self._later(seconds, redis.start)
            case "roll_back":
                redis.stop()
                redis.roll_back(step["lost"])
                self._later(seconds, redis.start)
            case "wipe":
                redis.wipe()
            case "hang":
                redis.process.stopped_until = self._simulation.now + seconds
            case _:
                redis.late = step["late"]
                self._later(seconds, lambda: setattr(redis, "late", 0.0))

    def _do_gateway(self, step: Step) -> None:
        # Inside the gateway's process, as its control port would.
        self._house.gateway.process.call_soon(self._break_gateway, step)

    def _break_gateway(self, step: Step) -> None:
        gateway, seconds = self._house.gateway, step.get("seconds", 0)
        control, until = gateway.gateway.control, self._simulation.now + seconds
        match step["what"]:
            case "mute":
                control.mute(step["mode"])
                gateway.process.call_later(seconds, self._unmute)
            case "slow":
                control.slow_down(step["late"])
                gateway.process.call_later(seconds, control.slow_down, 0)
            case "cut":
                gateway.cut()
            case "restart":
                gateway.refuses_until = until
                control.roll_back_order_ids(step["roll_back"])
                gateway.cut()
            case "stall":
                gateway.stalled_until = until
            case "lose_servers":
                control.send_notice(1100)
                gateway.process.call_later(seconds, control.send_notice, 1102)
            case "hold_id":
                control.hold_client_id(1, seconds)
                gateway.cut()
            case "swallow":
                control.swallow_next_order()
            case "forget":
                control.forget_next()
            case "refuse":
                control.refuse_next_order(step["code"])
            case "pace_fills":
                control.pace_fills(_ONE)
            case _:
                self._touch_orders(step["what"])

    def _unmute(self) -> None:
        self._house.gateway.gateway.control.unmute()
        self._house.gateway.cut()  # a TCP connection does not lose what was written and live on

    def _touch_orders(self, what: str) -> None:
        control = self._house.gateway.gateway.control
        for order in control.orders():
            if order.ended_at is None:
                if what == "cancel_all":
                    control.cancel_order(order.perm_id)
                else:
                    control.fill_order(order.perm_id, order.limit_price or order.stop_price or _ONE)
