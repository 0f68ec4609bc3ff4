"""One house for all tests here; whatever a test broke is mended before the next."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from .house import House

# A process that starts on a slow machine, and an installation on first use, are not the test's own time.
TIMED = pytest.mark.timeout(60, func_only=True)


_HOUSE = pytest.StashKey[House]()


@pytest.fixture(scope="session")
def built_house(request: pytest.FixtureRequest) -> Iterator[House]:
    with TemporaryDirectory(prefix="house-") as folder:
        house = House(Path(folder))
        request.session.stash[_HOUSE] = house
        try:
            yield house
        finally:
            house.close()


@pytest.fixture
def house(built_house: House) -> House:
    """A house that serves."""
    built_house.mend()
    return built_house


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes said last where a test fails."""
    report = yield
    house = item.session.stash.get(_HOUSE, None)
    if report.failed and house is not None:
        report.sections += [(f"the end of the log of {name}", tail) for name, tail in house.tails().items()]
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(TIMED)
