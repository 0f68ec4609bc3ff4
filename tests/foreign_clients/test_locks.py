"""What is installed for a test is pinned, and comes from whatever registry the machine uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent.parent


@pytest.mark.parametrize("lock", sorted(TESTS.glob("*/package-lock.json")), ids=lambda path: path.parent.name)
def test_every_npm_package_is_known_by_its_hash_and_none_by_an_address(lock: Path) -> None:
    packages: dict[str, Any] = json.loads(lock.read_text())["packages"]
    installed = [fields for place, fields in packages.items() if place]
    assert installed
    assert all(fields["integrity"] and "resolved" not in fields for fields in installed)


@pytest.mark.parametrize("lock", sorted(Path(__file__).parent.glob("*.lock")), ids=lambda path: path.stem)
def test_every_python_package_is_known_by_its_hash_and_none_by_an_address(lock: Path) -> None:
    lines = [line for line in lock.read_text().splitlines() if not line.strip().startswith("#")]
    assert "--hash=sha256:" in lines[1]
    assert not [line for line in lines if "://" in line or line.startswith("-")]
