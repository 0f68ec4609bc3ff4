"""The whole house inside the simulation: workers and frontends as they are built, Redis, the gateway, every lever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from broker_worker import bootstrap
from broker_worker.bootstrap import BrokerWorker
from broker_worker.gateway.link import LinkConfig
from broker_worker.settings import WorkerSettings
from mcp_frontend.callers import Caller
from mcp_frontend.calls import Calls
from mcp_frontend.order_records import RecordedOrders
from mcp_frontend.rates import Rates
from shared.contract import OPERATIONS, Scope, Toolset
from shared.contract.order_records import OrderRecordTools
from shared.contract.status import LinkState
from shared.errors import BridgeError
from shared.order_records import OrderRecords
from shared.queue.client import JobClient
from shared.redis_keys import Keys
from shared.redis_store import Store
from simulated_gateway import GatewayConfig
from tests.worker.harness import AlwaysExpected

from .gateway_wire import GatewayHouse
from .patches import current_process, made_ids
from .redis_wire import RedisHouse
from .schedules import Schedule, Step
from .simulation import Died, Process, Simulation

SECRET = b"a secret of the torture only"
KEYS = Keys("main")
SETTINGS = WorkerSettings.model_construct(**{name: info.default for name, info in WorkerSettings.model_fields.items()})

_ONE = Decimal(1)
_caller: ContextVar[str] = ContextVar("caller")


@dataclass(slots=True)
class Asked:
    """One call and what came of it."""

    number: int
    at: float
    caller: str
    tool: str
    arguments: dict[str, Any]
    answered_at: float | None = None
    answer: dict[str, Any] | None = None
    error: BridgeError | None = None
    request_id: str = ""
    left: bool = False
    """The caller gave up, or its frontend died."""

    @property
    def name(self) -> str:
        """The client_order_id it is about; empty where it is about none."""
        named = self.arguments.get("client_order_id") or self.arguments.get("order_id") or self.arguments.get("order")
        return str(named or "")

    @property
    def places(self) -> bool:
        """Whether it is to place an order."""
        return self.tool.startswith("place_")


@dataclass(slots=True)
class Worker:
    """One worker process."""

    process: Process
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    built: BrokerWorker | None = None


@dataclass(slots=True)
class Frontend:
    """One frontend process."""

    process: Process
    calls: Calls
    open: list[tuple[Asked, asyncio.Task[None]]] = field(default_factory=list[Any])


class SimulatedHouse:
    """Everything, from its start until it is taken apart."""

    def __init__(self, simulation: Simulation, schedule: Schedule, folder: Path, say: Callable[[str], None]) -> None:
        start = datetime.fromisoformat(schedule.start)
        self.simulation = simulation
        self.epoch = start.timestamp() - simulation.now
        """Unix seconds at the simulation's zero."""
        self.schedule = schedule
        self.say = say
        self.redis = RedisHouse(simulation)
        config = GatewayConfig(market_moves=False, pnl_refresh=30, beat_seconds=0.25)
        self.gateway = GatewayHouse(simulation, config, start)
        self.workers: dict[str, Worker] = {}
        self.frontends: dict[str, Frontend] = {}
        self.asked: list[Asked] = []
        self.complaints: list[str] = []
        self.faults: list[tuple[float, float]] = []
        """When something was broken, from and to."""
        self.unaudited = ""
        """What was logged of decisions that could not be written down."""
        self.healed = False
        self._folder = folder
        self._armed: dict[str, list[Step]] = {}
        for number in range(schedule.workers):
            self.start(f"w{number + 1}")
        for name in ("f1", "f2"):
            self.start(name)

    # --- processes

    def start(self, name: str) -> None:
        """Start a worker (w…) or a frontend (f…), unless it runs."""
        if name.startswith("f"):
            if name not in self.frontends:
                self.frontends[name] = self._frontend(name)
        elif name not in self.workers:
            process = self.simulation.process(name)
            process.dial = self.gateway.connect
            worker = self.workers[name] = Worker(process)
            process.create_task(self._work(worker), name="main")

    def _frontend(self, name: str) -> Frontend:
        process = self.simulation.process(name)
        store = Store(self.redis.client(process))
        jobs = JobClient(store, KEYS, SECRET)
        records = OrderRecords(store, KEYS)
        handlers: dict[type[Toolset], Toolset] = {OrderRecordTools: RecordedOrders(records)}
        calls = Calls(jobs, records, handlers, _identify, Rates(store, KEYS), readonly=False)
        process.create_task(jobs.run(), name="replies")
        return Frontend(process, calls)

    async def _work(self, worker: Worker) -> None:
        name = worker.process.name
        folder = self._folder if self.schedule.one_folder else self._folder / name
        settings = SETTINGS.model_copy(update={"state_dir": folder, "job_signing_secret": _Secret()})
        link = LinkConfig(
            host="gateway",
            port=4004,
            client_id=1,
            mode="paper",
            time_zone="America/New_York",
            outages=AlwaysExpected(None, settings.zone),
            longest_pause=4.0,
            ghost_pause=2.0,
        )
        bootstrap.check_served = _checked_once
        worker.built = bootstrap.build(settings, Store(self.redis.client(worker.process)), link)
        try:
            await worker.built.run(worker.stop)
        except Exception as error:
            self.complain(f"{name} ended by itself: {error!r}")
        if not worker.stop.is_set():
            self.complain(f"{name} ended by itself")
        if not worker.process.closing:
            self.simulation.at(self.simulation.now, lambda: self.kill(name))

    def kill(self, name: str, ghost: float = 0.0) -> None:
        """Kill -9; the gateway notices after ``ghost`` seconds, as where the whole machine died."""
        if (worker := self.workers.pop(name, None)) is not None:
            self._gone(worker.process, ghost)
        elif (frontend := self.frontends.pop(name, None)) is not None:
            for asked, _ in frontend.open:
                asked.left = True
            self._gone(frontend.process, ghost)

    def _gone(self, process: Process, ghost: float) -> None:
        self.say(f"{process.name} is dead")
        process.halt()
        self.redis.left(process)
        self.gateway.left(process, ghost)

    def _kill_and_restart(self, step: Step) -> None:
        who = step["who"]
        self.kill(who, step.get("ghost", 0.0))
        self.simulation.at(self.simulation.now + step["back"], lambda: self.start(who))

    def reach(self, point: str) -> None:
        """A process passes a fail point."""
        process = current_process()
        if process is None or process.closing:
            return
        self.say(f"{process.name} reaches {point}")
        for step in self._armed.get(process.name, []):
            if step["point"] == point:
                self._armed[process.name].remove(step)
                self._strike(step, process)
                return

    def _strike(self, step: Step, process: Process) -> None:
        self._broken(step)
        if step["do"] == "kill_at":
            self._kill_and_restart(step)
            raise Died
        process.stopped_until = self.simulation.now + step["seconds"]
        self.say(f"{process.name} stands still")
        process.stop_here()
        self.say(f"{process.name} goes on")

    # --- calls

    def ask(self, frontend: str, caller: str, tool: str, arguments: dict[str, Any]) -> Asked | None:
        """Call a tool; None where the frontend is down."""
        house = self.frontends.get(frontend)
        if house is None:
            self.say(f"{caller} finds {frontend} down")
            return None
        asked = Asked(len(self.asked), self.simulation.now, caller, tool, arguments)
        self.asked.append(asked)
        self.say(f"#{asked.number} {caller} asks {frontend}: {tool} {arguments}")
        task = house.process.create_task(self._call(house, asked), name=f"call {asked.number}")
        house.open.append((asked, task))
        return asked

    async def _call(self, frontend: Frontend, asked: Asked) -> None:
        _caller.set(asked.caller)
        ids: list[str] = []
        made_ids.set(ids)
        try:
            reply = await frontend.calls.answer(OPERATIONS[asked.tool], asked.arguments, _say_nothing)
            asked.answer = dict(reply.structured)
        except BridgeError as error:
            asked.error = error
        finally:
            asked.request_id = ids[0] if ids else ""
        asked.answered_at = self.simulation.now
        told = asked.answer or {}
        words = {key: told.get(key) for key in ("state", "status", "perm_id", "may_resubmit", "message")}
        self.say(f"#{asked.number} is answered: {words if asked.answer else f'{asked.error!r}'}")

    def leave(self, asked: Asked) -> None:
        """The caller gives up."""
        for frontend in self.frontends.values():
            for open_call, task in frontend.open:
                if open_call is asked and asked.answered_at is None:
                    asked.left = True
                    self.say(f"#{asked.number} is left alone")
                    frontend.process.call_soon(task.cancel)

    # --- levers

    def do(self, step: Step) -> None:
        """Carry out a step."""
        if step["do"] == "call":
            asked = self.ask(step["frontend"], step["caller"], step["tool"], step["arguments"])
            if asked is not None and "leaves_after" in step:
                self.simulation.at(self.simulation.now + step["leaves_after"], lambda: self.leave(asked))
            return
        self.say(f"! {step}")
        self._broken(step)
        getattr(self, f"_do_{step['do']}")(step)

    def _broken(self, step: Step) -> None:
        """Something breaks now."""
        seconds = max(float(step.get("seconds", 0)), float(step.get("back", 0)) + float(step.get("ghost", 0)))
        self.faults.append((self.simulation.now, self.simulation.now + seconds))

    def _process(self, name: str) -> Process | None:
        found = self.workers.get(name) or self.frontends.get(name)
        return found.process if found is not None else None

    def _do_kill(self, step: Step) -> None:
        self._kill_and_restart(step)

    def _do_kill_at(self, step: Step) -> None:
        self._armed.setdefault(step["who"], []).append(step)

    _do_stop_at = _do_kill_at

    def _do_kill_after(self, step: Step) -> None:
        process = self._process(step["who"])
        if process is None:
            return
        last = process.steps + step["steps"]

        def watch() -> None:
            if process.steps >= last and not self.healed:
                process.watch = None
                self._broken(step)
                self._kill_and_restart(step)

        process.watch = watch

    def _do_stop(self, step: Step) -> None:
        process = self._process(step["who"])
        if process is not None:
            process.stopped_until = self.simulation.now + step["seconds"]

    def _do_terminate(self, step: Step) -> None:
        worker = self.workers.get(step["who"])
        if worker is not None:
            worker.process.call_soon(worker.stop.set)
            self.simulation.at(self.simulation.now + 25, lambda: self._must_be_gone(worker))
            self._back(step["who"], worker, step["back"])

    def _back(self, name: str, worker: Worker, seconds: float) -> None:
        def look() -> None:
            if self.workers.get(name) is worker:
                self.simulation.at(self.simulation.now + 0.5, look)
            else:
                self.start(name)

        self.simulation.at(self.simulation.now + seconds, look)

    def _must_be_gone(self, worker: Worker) -> None:
        if self.workers.get(worker.process.name) is worker and worker.process.stopped_until < self.simulation.now - 25:
            self.complain(f"{worker.process.name} did not end in time")

    def _do_slow_disk(self, step: Step) -> None:
        process = self._process(step["who"])
        if process is not None:
            process.disk_seconds = (0.0, step["seconds"])

    def _do_redis(self, step: Step) -> None:
        redis, what = self.redis, step["what"]
        later = self.simulation.now + step.get("seconds", 0)
        if what == "lose_reply":
            redis.lose_replies[step["who"]] = redis.lose_replies.get(step["who"], 0) + step["count"]
        elif what == "cut":
            redis.break_connections(step["who"])
        elif what in {"restart", "wipe_restart"}:
            redis.stop()
            if what == "wipe_restart":
                redis.wipe()
            self.simulation.at(later, redis.start)
        elif what == "wipe":
            redis.wipe()
        elif what == "hang":
            redis.process.stopped_until = later
        elif what == "slow":
            redis.late = step["late"]
            self.simulation.at(later, lambda: setattr(redis, "late", 0.0))

    def _do_gateway(self, step: Step) -> None:
        # Inside the gateway's process, as its control port would.
        self.gateway.process.call_soon(self._gateway_fault, step)

    def _gateway_fault(self, step: Step) -> None:
        gateway, control, what = self.gateway, self.gateway.gateway.control, step["what"]
        later = self.simulation.now + step.get("seconds", 0)
        process = gateway.process
        if what == "mute":
            control.mute(step["mode"])
            process.call_at(later, self._unmute)
        elif what == "slow":
            control.slow_down(step["late"])
            process.call_at(later, control.slow_down, 0)
        elif what == "cut":
            gateway.cut()
        elif what == "restart":
            gateway.refuses_until = later
            control.roll_back_order_ids(step["roll_back"])
            gateway.cut()
        elif what == "stall":
            gateway.stalled_until = later
        elif what == "lose_servers":
            control.send_notice(1100)
            process.call_at(later, control.send_notice, 1102)
        elif what == "hold_id":
            control.hold_client_id(1, step["seconds"])
            gateway.cut()
        elif what == "swallow":
            control.swallow_next_order()
        elif what == "forget":
            control.forget_next()
        elif what == "refuse":
            control.refuse_next_order(step["code"])
        elif what == "pace_fills":
            control.pace_fills(_ONE)
        else:
            self._touch_orders(what)

    def _unmute(self) -> None:
        self.gateway.gateway.control.unmute()
        self.gateway.cut()  # a TCP connection does not lose what was written and live on

    def _touch_orders(self, what: str) -> None:
        control = self.gateway.gateway.control
        for order in control.orders():
            if order.ended_at is None:
                if what == "cancel_all":
                    control.cancel_order(order.perm_id)
                else:
                    control.fill_order(order.perm_id, order.limit_price or order.stop_price or _ONE)

    # --- the end

    def heal(self) -> None:
        """Mend everything that is broken and start what does not run."""
        self.healed = True
        self.say("! everything is mended")
        self._armed.clear()
        self.redis.late, self.redis.lose_replies = 0.0, {}
        self.redis.start()
        self.gateway.stalled_until = self.gateway.refuses_until = 0.0
        self.gateway.process.call_soon(self.gateway.gateway.control.clear_faults)
        for process in self.simulation.processes:
            process.stopped_until, process.watch, process.disk_seconds = 0.0, None, (0.0001, 0.002)
        for name in ("f1", "f2", *(f"w{number + 1}" for number in range(self.schedule.workers))):
            self.start(name)

    @property
    def leader(self) -> BrokerWorker | None:
        """The worker that holds the lease and serves."""
        for worker in self.workers.values():
            built = worker.built
            if built is not None and built.lease.holder and built.link.state is LinkState.READY:
                return built
        return None

    def defect(self, text: str) -> None:
        """Something was logged as an error; one kind is as it should be."""
        if "audit entry not written" in text:
            self.unaudited += text
        else:
            self.complain(text)

    def complain(self, what: str) -> None:
        """Something is wrong that no order shows."""
        self.say(f"WRONG: {what}")
        self.complaints.append(what)


_checked = False
_check_served = bootstrap.check_served


def _checked_once(handlers: Any) -> None:
    """The contract does not change between two starts, and comparing it takes longer than all the rest of a start."""
    global _checked  # noqa: PLW0603
    if not _checked:
        _check_served(handlers)
        _checked = True


class _Secret:
    def get_secret_value(self) -> str:
        return SECRET.decode()


def _identify() -> Caller:
    return Caller(name=_caller.get(), scopes=frozenset(Scope))


async def _say_nothing(_: str) -> None:
    """Progress interests nobody here."""
