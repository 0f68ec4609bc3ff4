"""When the gateway is expected to be away, at fixed times."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from broker_worker.gateway.outages import NEW_YORK, Outages

NEVER = Outages(None, NEW_YORK)
EVENING = Outages(time(23, 45), NEW_YORK)
"""A gateway that restarts at a quarter to midnight."""


def new_york(text: str) -> datetime:
    """A time in New York, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-18T00:14:59", False),  # a Wednesday
        ("2026-11-18T00:15:00", True),
        ("2026-11-18T01:44:59", True),
        ("2026-11-18T01:45:00", False),
        ("2026-11-22T00:30:00", True),  # Sunday
        ("2026-11-20T12:00:00", False),  # Friday noon
    ],
)
def test_the_nightly_reset_is_expected(moment: str, expected: bool) -> None:
    planned = NEVER.planned(new_york(moment))
    assert (planned is not None) is expected
    assert planned is None or "nightly" in planned


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-20T22:59:59", False),
        ("2026-11-20T23:00:00", True),
        ("2026-11-21T00:30:00", True),
        ("2026-11-21T02:59:59", True),
        ("2026-11-21T03:00:00", False),
        ("2026-11-21T12:00:00", False),
    ],
)
def test_the_weekly_reset_is_expected(moment: str, expected: bool) -> None:
    planned = NEVER.planned(new_york(moment))
    assert (planned is not None) is expected
    assert planned is None or "weekly" in planned


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-18T23:44:59", False),
        ("2026-11-18T23:45:00", True),
        ("2026-11-18T23:55:00", True),
        ("2026-11-18T23:55:01", False),
    ],
)
def test_its_own_restart_is_expected_for_ten_minutes(moment: str, expected: bool) -> None:
    planned = EVENING.planned(new_york(moment))
    assert (planned is not None) is expected
    assert planned is None or "daily restart" in planned


@pytest.mark.parametrize(
    ("moment", "imminent"),
    [
        ("2026-11-18T23:43:59", False),
        ("2026-11-18T23:44:00", True),
        ("2026-11-18T23:44:59", True),
        ("2026-11-18T23:46:00", False),
    ],
)
def test_no_order_is_sent_in_the_minute_before_a_restart(moment: str, imminent: bool) -> None:
    assert EVENING.restart_imminent(new_york(moment)) is imminent


def test_without_a_restart_none_is_imminent() -> None:
    noon = new_york("2026-11-18T12:00:00")
    assert NEVER.next_restart(noon) is None
    assert NEVER.restart_imminent(noon) is False


def test_the_next_restart_is_today_or_tomorrow_and_in_utc() -> None:
    before, after = new_york("2026-11-18T12:00:00"), new_york("2026-11-18T23:50:00")
    assert EVENING.next_restart(before) == datetime(2026, 11, 19, 4, 45, tzinfo=UTC)
    assert EVENING.next_restart(after) == datetime(2026, 11, 20, 4, 45, tzinfo=UTC)


@pytest.mark.parametrize("night", ["2026-03-08", "2026-11-01"])
def test_the_change_of_the_clocks_moves_no_restart(night: str) -> None:
    early = Outages(time(2, 30), NEW_YORK)  # does not exist, or exists twice, in these nights
    start = new_york(f"{night}T00:00:00") - timedelta(hours=12)
    for hours in range(48):
        now = start + timedelta(hours=hours)
        following = early.next_restart(now)
        assert following is not None
        assert timedelta(0) < following - now <= timedelta(hours=25)


@pytest.mark.parametrize("night", ["2026-03-08", "2026-11-01"])
def test_a_restart_is_expected_in_the_night_the_clocks_change(night: str) -> None:
    at_five = Outages(time(5, 0), NEW_YORK)
    assert at_five.planned(new_york(f"{night}T05:05:00")) is not None
    assert at_five.planned(new_york(f"{night}T04:05:00")) is None


def test_the_restart_is_in_the_gateways_own_zone() -> None:
    zurich = Outages(time(6, 0), ZoneInfo("Europe/Zurich"))
    assert zurich.next_restart(datetime(2026, 7, 1, 0, 0, tzinfo=UTC)) == datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
