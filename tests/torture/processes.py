"""The same schedules with real processes: a real Valkey, real kills and stops, a real clock, at a faster pace."""

from __future__ import annotations

import heapq
import itertools
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from urllib.error import URLError

from shared.queue import scripts
from tests.end_to_end.house import Answer
from tests.end_to_end.processes import Process, until
from tests.orders.fault_house import FaultHouse

from .schedules import Schedule, Step, schedule

PACE = 0.35
"""Of the schedule's own time."""
MOST_SECONDS = 30.0
"""For a schedule's steps; then all is mended."""
READY_SECONDS = 60.0
SETTLE_SECONDS = 20.0
_NAMES = {"client_order_id", "order_id", "order"}
_FRONTENDS = {"f1": 0, "f2": 1}


class RealHouse:
    """One house of processes in which one schedule after the other is played."""

    def __init__(self, folder: Path) -> None:
        self.house = FaultHouse(folder)
        self._standby: Process | None = None
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._asking: list[Future[Answer]] = []
        self._noticed: set[int] = set()
        self._stalled_until = 0.0
        """When the gateway goes on, where it stands still."""

    def play(self, played: Schedule) -> str | None:
        """Play a schedule; what was wrong, or None."""
        house = self.house
        try:
            self._prepare(played)
            names = self._run(played)
            self._mend(armed=any(step["do"] in {"kill_at", "stop_at"} for step in played.steps))
            house.in_doubt |= names
            self._until_it_holds()
            self._tidy(names)
        except (AssertionError, OSError, StopIteration) as error:
            tails = "\n".join(f"--- {name}\n{tail}" for name, tail in house.tails().items())
            return f"{type(error).__name__}: {error}\n{tails}"
        return None

    def close(self) -> None:
        """End everything."""
        if self._standby is not None:
            self._standby.kill()
        self.house.close()

    # --- before

    def _prepare(self, played: Schedule) -> None:
        house = self.house
        self._let_go()  # whatever a schedule that failed has left
        house.mend()
        armed = [step for step in played.steps if step["do"] in {"kill_at", "stop_at"} and step["who"] == "w1"]
        house.worker.kill()
        actions = {step["point"]: step["do"].removesuffix("_at") for step in armed}
        points = ",".join(f"{point}={action}" for point, action in actions.items())
        house.worker = house.another_worker("worker", **({"FAIL_POINTS": points} if points else {}))
        house.worker.start()
        if played.workers > 1:
            self._standby = house.another_worker("standby")
            self._standby.start()
        until(house.serves, READY_SECONDS, "the house before the schedule", house.status)

    # --- while it is played

    def _run(self, played: Schedule) -> set[str]:
        began = time.monotonic()
        names: set[str] = set()
        for step in played.steps:
            if step["do"] == "call":
                names |= self._named(played, step)
            self._at(began + step["t"] * PACE, partial(self._do, played, step))
        end = began + MOST_SECONDS
        while self._agenda and time.monotonic() < end:
            self._watch(played)
            moment, _, do = self._agenda[0]
            if (wait := moment - time.monotonic()) > 0:
                time.sleep(min(wait, 0.05))
                continue
            heapq.heappop(self._agenda)
            do()
        self._agenda.clear()
        return names

    def _at(self, moment: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._agenda, (moment, next(self._numbers), do))

    def _later(self, seconds: float, do: Callable[[], object]) -> None:
        self._at(time.monotonic() + seconds * PACE, do)

    def _named(self, played: Schedule, step: Step) -> set[str]:
        """The name of the order a call is to place, known to the house from now on."""
        arguments = self._arguments(played, step)
        if not step["tool"].startswith("place_"):
            return set()
        name: str = arguments["client_order_id"]
        if name not in self.house.asked:
            self.house.asked.append(name)
        return {name}

    def _arguments(self, played: Schedule, step: Step) -> dict[str, Any]:
        return {
            field: f"{played.seed}-{step['caller']}-{value}" if field in _NAMES else value
            for field, value in step["arguments"].items()
        }

    def _do(self, played: Schedule, step: Step) -> None:
        if step["do"] == "call":
            arguments, frontend = self._arguments(played, step), _FRONTENDS[step["frontend"]]
            ask = self.house._asking.submit
            self._asking.append(ask(self._ask, step["tool"], arguments, frontend))
        elif step["do"] == "redis":
            self._break_redis(step)
        elif step["do"] == "gateway":
            self._break_gateway(step)
        elif step["do"] in {"kill", "kill_after"}:
            self._kill(step["who"], step["back"])
        elif step["do"] == "terminate":
            self._terminate(step["who"], step["back"])
        elif step["do"] in {"stop", "stop_after"}:
            self._stop(step["who"], step["seconds"])

    def _ask(self, tool: str, arguments: dict[str, Any], frontend: int) -> Answer:
        try:
            return self.house.ask(tool, arguments, frontend=frontend)
        except (URLError, OSError) as error:
            return {"error": f"no answer: {error}"}

    def _process(self, who: str) -> Process | None:
        if who in _FRONTENDS:
            return self.house.frontends[_FRONTENDS[who]]
        return self.house.worker if who == "w1" else self._standby

    def _signal(self, who: str, number: signal.Signals) -> None:
        process = self._process(who)
        if process is not None and process.running:
            process.signal(number)

    def _terminate(self, who: str, back: float) -> None:
        process = self._process(who)
        if process is not None and process.running:
            process.signal(signal.SIGTERM)
            self._later(back, lambda: self._start_when_gone(who, process))

    def _kill(self, who: str, back: float) -> None:
        process = self._process(who)
        if process is not None:
            process.kill()
            self._later(back, lambda: self._start(who))

    def _start(self, who: str) -> None:
        """Start it again, as a supervisor would; a worker without fail points."""
        process = self._process(who)
        if process is None or process.running:
            return
        if who == "w1":
            self.house.worker = process = self.house.another_worker("worker")
        process.start()

    def _start_when_gone(self, who: str, process: Process) -> None:
        if process.running:
            self._later(1, lambda: self._start_when_gone(who, process))
        else:
            self._start(who)

    def _stop(self, who: str, seconds: float) -> None:
        self._signal(who, signal.SIGSTOP)
        self._later(seconds, lambda: self._signal(who, signal.SIGCONT))

    def _watch(self, played: Schedule) -> None:
        """What an armed worker has done to itself."""
        worker = self.house.worker
        armed = [step for step in played.steps if step["do"] in {"kill_at", "stop_at"} and step["who"] == "w1"]
        if not armed:
            return
        if not worker.running and worker.pid not in self._noticed:
            self._noticed.add(worker.pid)
            self._later(armed[0].get("back", 1.0), lambda: self._start("w1"))
        elif worker.running and worker.pid not in self._noticed and _has_stopped(worker):
            self._noticed.add(worker.pid)
            self._later(armed[0].get("seconds", 1.0), lambda: self._signal("w1", signal.SIGCONT))

    def _break_redis(self, step: Step) -> None:
        house, what = self.house, step["what"]
        if what in {"lose_reply", "cut"}:
            worker = not (step["who"] or "f1").startswith("f")
            line = house.worker_line if worker else house.frontend_line
            line.lose_reply_to(scripts.FINISH if worker else scripts.ENQUEUE, then_cut=what == "cut")
            self._later(1, line.mend)
        elif what == "restart":
            house.valkey.terminate()
            self._later(step["seconds"], self._start_valkey)
        elif what in {"wipe", "wipe_restart"}:
            if house.valkey.is_running():
                house.lose_redis()
        elif house.valkey.is_running():
            valkey = cast("Any", house.valkey)._process.pid
            os.kill(valkey, signal.SIGSTOP)
            self._later(step["seconds"], lambda: _go_on(valkey))

    def _start_valkey(self) -> None:
        if not self.house.valkey.is_running():
            self.house.start_valkey()

    def _control(self, lever: str, **how: Any) -> None:
        """Pull a lever of the gateway, or as soon as it goes on: who stands still hears nothing."""
        if time.monotonic() < self._stalled_until:
            self._at(self._stalled_until, partial(self._control, lever, **how))
        else:
            self.house.control(lever, **how)

    def _break_gateway(self, step: Step) -> None:
        control, what = self._control, step["what"]
        if what == "mute":
            control("mute", while_mute=step["mode"])
            self._later(step["seconds"], self._unmute)
        elif what == "slow":
            control("slow_down", seconds=step["late"])
            self._later(step["seconds"], lambda: control("slow_down", seconds=0))
        elif what == "restart":
            control("restart", seconds=step["seconds"] * PACE, roll_back_ids=step["roll_back"])
        elif what == "stall":
            self._stop_gateway(time.monotonic() + step["seconds"] * PACE)
        elif what == "lose_servers":
            control("send_notice", code=1100)
            self._later(step["seconds"], lambda: control("send_notice", code=1102))
        elif what == "hold_id":
            control("hold_client_id", client_id=1, seconds=step["seconds"] * PACE)
            control("drop_links")
        elif what == "refuse":
            control("refuse_next_order", code=step["code"])
        elif what in {"swallow", "forget"}:
            control({"swallow": "swallow_next_order", "forget": "forget_next"}[what])
        else:
            control("drop_links")

    def _stop_gateway(self, until_then: float) -> None:
        self._stalled_until = max(self._stalled_until, until_then)
        self.house.gateway.signal(signal.SIGSTOP)
        self._at(until_then, self._continue_gateway)

    def _continue_gateway(self) -> None:
        if time.monotonic() >= self._stalled_until:
            self.house.gateway.signal(signal.SIGCONT)

    def _unmute(self) -> None:
        self._control("unmute")
        self._control("drop_links")

    # --- afterwards

    def _mend(self, *, armed: bool) -> None:
        """Mend everything, and wait for every answer."""
        house = self.house
        self._let_go()
        if armed:  # what it has not come to yet, it may come to now
            house.worker.kill()
        if not house.worker.running:
            house.worker = house.another_worker("worker")
        house.mend()
        for one in self._asking:
            one.result(READY_SECONDS)
        self._asking.clear()

    def _let_go(self) -> None:
        """Everything that stands still goes on, and there is one worker again."""
        house = self.house
        for process in (*house.processes, *([self._standby] if self._standby else [])):
            if process.running:
                process.signal(signal.SIGCONT)
        self._stalled_until = 0.0
        if house.valkey is not None and house.valkey.is_running():
            _go_on(cast("Any", house.valkey)._process.pid)
        if self._standby is not None:
            self._standby.kill()
            self._standby = None

    def _until_it_holds(self) -> None:
        """The invariant, once every record is up to date."""
        end = time.monotonic() + SETTLE_SECONDS
        house = self.house
        while True:
            house._forgettable |= {name for name in house.asked if house.story(name)["status"] == "NOT_FOUND"}
            try:
                return house.check()
            except AssertionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def _tidy(self, names: set[str]) -> None:
        """Leave nothing behind that would stand in the next schedule's way: working orders, unknown ones."""
        house = self.house
        for order in house.gateway_says("orders"):
            if order["ended_at"] is None:
                with suppress(URLError):
                    house.control("cancel_order", perm_id=order["perm_id"])
        for name in names:
            if house.story(name)["state"] == "UNKNOWN":
                why = ["--outcome", "never-sent", "--by", "torture", "--reason", "the ledger has none"]
                house.operate("resolve", "--client-order-id", name, *why)


def _has_stopped(process: Process) -> bool:
    return os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None


def _go_on(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def play_all(seeds: list[str], say: Callable[[str], None]) -> list[str]:
    """Play the schedules of these seeds; those that failed."""
    failed: list[str] = []
    if not seeds:
        return failed
    with TemporaryDirectory(prefix="torture-") as folder:
        house = RealHouse(Path(folder))
        try:
            for seed in seeds:
                began = time.monotonic()
                wrong = house.play(schedule(seed))
                say(f"seed {seed} with real processes: {time.monotonic() - began:.0f} s{', FAILED' if wrong else ''}")
                if wrong is not None:
                    failed.append(seed)
                    say(f"{schedule(seed).text()}\n{wrong}")
        finally:
            house.close()
    say(f"{len(seeds)} schedules with real processes, {len(failed)} failed: {' '.join(failed) or 'none'}")
    return failed
