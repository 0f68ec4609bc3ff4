"""``python -m broker_worker replay``: run a transcript against a recording, and say where an answer differs."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from broker_worker.replaying.running import Gateway, Outcome, Transcript, UnreadableTranscript, replay


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--jobs", type=Path, required=True, help="the transcript, as TRANSCRIPT_FILE named it")
    parser.add_argument("--gateway", type=Path, required=True, help="the recording of the same time")
    parser.add_argument("--answers", action="store_true", help="print every answer, one JSON object a line")
    parser.add_argument("--verbose", action="store_true", help="log what the worker does")


def run(arguments: argparse.Namespace) -> int:
    """Replay; the exit code is 0 where every answer is as recorded, 1 where one differs, 2 where files do not fit."""
    logging.basicConfig(level=logging.INFO if arguments.verbose else logging.CRITICAL, stream=sys.stderr)
    try:
        outcomes, unmatched = replayed(arguments.jobs, arguments.gateway)
    except ImportError as problem:
        print(f"replay: {problem.name} is missing; run it where scripts/install dev was run", file=sys.stderr)
        return 2
    except (UnreadableTranscript, UnreadableRecordingError, OSError) as problem:
        print(f"replay: {problem}", file=sys.stderr)
        return 2
    for outcome in outcomes:
        if arguments.answers:
            print(json.dumps(outcome.answer, ensure_ascii=False, separators=(",", ":")))
        if outcome.difference is not None:
            job = outcome.job
            print(f"{job.operation} of {job.began.isoformat()} ({job.content['request_id']}): {outcome.difference}")
    for words in unmatched:
        print(f"asked of the gateway and not in the recording: {words}")
    different = sum(1 for outcome in outcomes if outcome.difference is not None)
    print(f"{len(outcomes)} jobs, {len(outcomes) - different} answered as recorded, {different} differently")
    return int(different > 0)


class UnreadableRecordingError(Exception):
    """The recording cannot be used here."""


def replayed(jobs: Path, recording: Path) -> tuple[list[Outcome], list[str]]:
    """The outcomes, and what the worker asked of the gateway that was not recorded.

    Raises ``UnreadableTranscript``, ``UnreadableRecordingError`` and ``OSError``.
    """
    transcript = Transcript.read(jobs)
    # The player is the simulated gateway's: the only place where this room looks behind its wall, when it is asked to.
    from simulated_gateway.playing.index import Index  # noqa: PLC0415
    from simulated_gateway.playing.player import Player  # noqa: PLC0415
    from simulated_gateway.recording.lines import UnreadableRecording  # noqa: PLC0415

    try:
        index = Index(recording)
    except UnreadableRecording as error:
        raise UnreadableRecordingError(str(error)) from error
    players: list[Any] = []

    def gateway(_loop: asyncio.AbstractEventLoop) -> Gateway:
        players.append(Player(index, pace="session"))
        return _Recorded(players[0], index.began)

    try:
        return replay(transcript, gateway), list(players[0].unmatched)
    finally:
        index.close()


class _Recorded(Gateway):
    """The player in the clothes a replay expects."""

    def __init__(self, player: Any, began: datetime) -> None:
        self._player = player
        self.began = began

    @property
    def next_opens_at(self) -> float | None:
        opens_at: float | None = self._player.next_opens_at
        return opens_at

    async def serve(self, reader: asyncio.StreamReader, sink: Any) -> None:
        await self._player.serve(reader, sink)
