"""Collected by ``scripts/test-compose`` alone: the containers take minutes, and not every machine has an engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .deployment import Deployment

collect_ignore_glob = [] if os.environ.get("TEST_COMPOSE") else ["test_*.py"]


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """The demo profile with three frontends; taken down at the end, whatever happened."""
    deployment = Deployment()
    try:
        deployment.up()
        yield deployment
    except AssertionError:
        print(deployment.tails())
        raise
    finally:
        deployment.down()
    assert deployment.everything() == {"containers": [], "volumes": [], "networks": []}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(300, func_only=True))
