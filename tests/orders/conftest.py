"""One house of processes for each module that breaks some; whatever a test broke is mended before the next."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.worker.harness import Bridge

from .fault_house import FaultHouse


@pytest.fixture(scope="module")
def built_house() -> Iterator[FaultHouse]:
    with TemporaryDirectory(prefix="faults-") as folder:
        house = FaultHouse(Path(folder))
        try:
            yield house
        finally:
            house.close()


@pytest.fixture
def house(built_house: FaultHouse) -> Iterator[FaultHouse]:
    """A house that serves; afterwards every order ever asked for in it is held against the gateway's ledger."""
    built_house.mend()
    yield built_house
    built_house.mend()
    built_house.check()


@pytest.fixture
async def bridge() -> AsyncIterator[Bridge]:
    """A worker in this process, with a gateway of its own."""
    async with Bridge() as opened:
        yield opened


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(60, func_only=True))
