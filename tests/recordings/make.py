"""``python -m tests.recordings.make``: write the corpus anew; a change of the code then shows as a change of the files.

``--check`` writes nothing and says which files would change.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from simulated_gateway.config import HIGHEST_VERSION, LOWEST_VERSION

from . import breaking, reading, trading
from .scenario import SCENARIOS, Scenario
from .stage import Stage

FILES = Path(__file__).parent / "files"
MODULES = (reading, trading, breaking)
"""Where the scenarios are."""

RECORDING, TRANSCRIPT = "gateway.jsonl", "jobs.jsonl"


@dataclass
class Corpus:
    """All files by their place under the folder, and what was done to make them."""

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    pulled: set[str] = field(default_factory=set[str])
    """The gateway's levers that some scenario pulled."""


def played(scenario: Scenario, version: int, corpus: Corpus) -> tuple[bytes, bytes]:
    """A scenario's recording and transcript at a server version."""
    with TemporaryDirectory(prefix="recordings-") as name:
        recording, transcript = Path(name) / RECORDING, Path(name) / TRANSCRIPT
        with Stage(scenario.config(version), recording, transcript, **scenario.settings) as stage:
            stage.run(stage.ready())
            stage.run(_play(scenario, stage))
            assert not stage.crashes, stage.crashes
            corpus.pulled |= stage.control.pulled
        return recording.read_bytes(), transcript.read_bytes()


async def _play(scenario: Scenario, stage: Stage) -> None:
    await scenario.play(stage)


def made(names: Sequence[str] = ()) -> Corpus:
    """The corpus, or these scenarios of it."""
    corpus = Corpus()
    for scenario in SCENARIOS.values():
        if names and scenario.name not in names:
            continue
        before: list[bytes] = []
        for version in range(LOWEST_VERSION, HIGHEST_VERSION + 1) if scenario.every_layout else [HIGHEST_VERSION]:
            recording, transcript = played(scenario, version, corpus)
            said = [line for line in recording.splitlines() if b'"hello":' not in line]
            if said != before:
                corpus.files[f"{version}/{scenario.name}.{RECORDING}"] = recording
                corpus.files[f"{version}/{scenario.name}.{TRANSCRIPT}"] = transcript
            before = said
    return corpus


def differing(corpus: Corpus, folder: Path = FILES) -> list[str]:
    """The files that the folder lacks, has otherwise, or has too many."""
    there = {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/*.jsonl")}
    return sorted(name for name in corpus.files | there if corpus.files.get(name) != there.get(name))


def write(corpus: Corpus, folder: Path = FILES) -> list[str]:
    """Make the folder hold the corpus and nothing else; the files that changed."""
    changed = differing(corpus, folder)
    for name in changed:
        path = folder / name
        if name in corpus.files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(corpus.files[name])
        else:
            path.unlink()
    return changed


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check; the exit code of a check says whether anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.recordings.make", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what would change")
    options = parser.parse_args(argv)
    logging.disable(logging.CRITICAL)
    corpus = made()
    changed = differing(corpus) if options.check else write(corpus)
    for name in changed:
        print(name)
    size = sum(map(len, corpus.files.values()))
    print(
        f"{len(corpus.files)} files, {size / 1000:,.0f} kB, {len(changed)} {'differ' if options.check else 'changed'}"
    )
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
