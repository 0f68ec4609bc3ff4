"""The whole house inside the simulation: workers and frontends as they are built, Redis, the gateway, every lever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from broker_worker import bootstrap
from broker_worker.bootstrap import BrokerWorker
from broker_worker.gateway.link import LinkConfig
from broker_worker.settings import WorkerSettings
from mcp_frontend.callers import Caller
from mcp_frontend.calls import Calls
from mcp_frontend.rates import Rates
from mcp_frontend.sessions import Session
from mcp_frontend.status import RedisStatus
from shared.contract import OPERATIONS, Scope
from shared.contract.status import LinkState
from shared.errors import BridgeError
from shared.redis_keys import Keys
from shared.redis_store import Store
from simulated_gateway import GatewayConfig
from tests.worker.harness import AlwaysExpected

from .gateway_wire import GatewayHouse
from .levers import Levers
from .patches import made_ids
from .redis_wire import RedisHouse
from .schedules import Schedule, Step
from .simulation import Process, Simulation

SECRET = b"a secret of the torture only"
KEYS = Keys("main")
SETTINGS = WorkerSettings(job_signing_secret=SecretStr(SECRET.decode()))

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
        config = GatewayConfig(market_moves=False, opening_positions=(), precaution_value=None)
        self.gateway = GatewayHouse(simulation, config, start)
        self.workers: dict[str, Worker] = {}
        self.frontends: dict[str, Frontend] = {}
        self.asked: list[Asked] = []
        self.complaints: list[str] = []
        self.unaudited = ""
        """What was logged of decisions that could not be written down."""
        self._folder = folder
        self.levers = Levers(self)
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
        session = Session.at(store, KEYS, SECRET, RedisStatus(store, KEYS, readonly=False))
        calls = Calls(session, _identify, Rates(store, KEYS), readonly=False)
        process.create_task(session.jobs.run(), name="replies")
        process.create_task(session.audit.keep(), name="audit")
        return Frontend(process, calls)

    async def _work(self, worker: Worker) -> None:
        name = worker.process.name
        folder = self._folder if self.schedule.one_folder else self._folder / name
        settings = SETTINGS.model_copy(update={"state_dir": folder})
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

    # --- the schedule and its end

    def do(self, step: Step) -> None:
        """Carry out a step of the schedule."""
        if step["do"] != "call":
            return self.levers.pull(step)
        asked = self.ask(step["frontend"], step["caller"], step["tool"], step["arguments"])
        if asked is not None and "leaves_after" in step:
            self.simulation.at(self.simulation.now + step["leaves_after"], lambda: self.leave(asked))
        return None

    def mend(self) -> None:
        """Mend everything that is broken and start what does not run."""
        self.say("! everything is mended")
        self.levers.mend()
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


def _identify() -> Caller:
    return Caller(name=_caller.get(), scopes=frozenset(Scope))


async def _say_nothing(_: str) -> None:
    """Progress interests nobody here."""
