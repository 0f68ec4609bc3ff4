"""One house of processes for each module that breaks some; whatever a test broke is mended before the next."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.worker.harness import Bridge

from .fault_house import FIGURES, FaultHouse


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes said last where a test fails, and hand the figures on."""
    report = yield
    house = getattr(item, "funcargs", {}).get("built_house")
    if report.failed and isinstance(house, FaultHouse):
        report.sections += [(f"the end of the log of {name}", tail) for name, tail in house.tails().items()]
    if report.when == "call" and FIGURES:
        report.user_properties += [("figure", figure) for figure in FIGURES]
        FIGURES.clear()
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(60, func_only=True))
