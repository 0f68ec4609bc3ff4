"""A worker, its gateway, and between them the recorder; the worker writes a transcript. For replays without either."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from broker_worker.gateway.outages import Outages
from shared.masking import Pseudonyms
from simulated_gateway import GatewayConfig
from simulated_gateway.recording.disguise import Disguise
from simulated_gateway.recording.proxy import RecordingProxy, Upstream
from simulated_gateway.recording.tape import Tape
from tests.worker.harness import Bridge

SALT = "a salt for tests"


class RecordedBridge(Bridge):
    """What happens between ``async with`` and its end is in ``folder`` afterwards: two files that replay."""

    def __init__(self, folder: Path, gateway: GatewayConfig | None = None, **further: Any) -> None:
        self.recording = folder / "gateway.jsonl"
        self.transcript = folder / "jobs.jsonl"
        super().__init__(gateway, transcript_file=self.transcript, recording_salt=SALT, **further)
        # The product's own, as the replay has them: at some hours of the night a lost link is a planned outage.
        self._link["outages"] = Outages(None, ZoneInfo("America/New_York"))
        self._proxy: RecordingProxy | None = None

    async def start_worker(self, *, ready: bool = True) -> None:
        """Start the recorder, then the worker, which finds the gateway behind it."""
        disguise = Disguise(Pseudonyms(SALT.encode()))
        self._proxy = RecordingProxy(Upstream("127.0.0.1", self.gateway.port), Tape(self.recording), disguise)
        self._stack.push_async_callback(self._proxy.close)
        # The worker is to stop before the recorder does.
        self._stack.push_async_callback(self.stop_worker)
        await self._proxy.open("127.0.0.1", 0)
        self._link["port"] = self._proxy.port
        await super().start_worker(ready=ready)
