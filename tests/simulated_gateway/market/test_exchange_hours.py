from datetime import UTC, date, datetime, timedelta

import pytest

from simulated_gateway import holidays
from simulated_gateway.catalogue import Catalogue
from simulated_gateway.exchange_hours import CALENDARS, is_open, liquid_hours, sessions, sessions_of, trading_hours
from simulated_gateway.instruments import ContractQuery, Instrument


def named(catalogue: Catalogue, symbol: str, sec_type: str = "STK", currency: str = "") -> Instrument:
    return catalogue.match(ContractQuery(symbol=symbol, sec_type=sec_type, currency=currency))[0]


def off_days(rule: holidays.HolidayRule, year: int, kind: str) -> list[str]:
    days = (date(year, 1, 1) + timedelta(days=n) for n in range(365))
    return [f"{day:%m%d}" for day in days if day.weekday() < 5 and rule(day) == kind]


@pytest.mark.parametrize(
    ("year", "closed", "half"),
    [
        (2024, "0101 0115 0219 0329 0527 0619 0704 0902 1128 1225", "0703 1129 1224"),
        (2025, "0101 0109 0120 0217 0418 0526 0619 0704 0901 1127 1225", "0703 1128 1224"),
        (2026, "0101 0119 0216 0403 0525 0619 0703 0907 1126 1225", "1127 1224"),
        (2027, "0101 0118 0215 0326 0531 0618 0705 0906 1125 1224", "1126"),
        (2028, "0117 0221 0414 0529 0619 0704 0904 1123 1225", "0703 1124"),
    ],
)
def test_us_holidays_and_half_days_are_those_the_nyse_published(year: int, closed: str, half: str) -> None:
    assert off_days(holidays.us_stocks, year, "closed") == closed.split()
    assert off_days(holidays.us_stocks, year, "half") == half.split()


def test_london_moves_bank_holidays_off_the_weekend() -> None:
    assert " ".join(off_days(holidays.london, 2026, "closed")) == "0101 0403 0406 0504 0525 0831 1225 1228"
    assert off_days(holidays.london, 2027, "closed")[-2:] == ["1227", "1228"]


def test_xetra_has_no_holiday_of_its_own_beside_easter_may_day_and_the_turn_of_the_year() -> None:
    assert " ".join(off_days(holidays.xetra, 2025, "closed")) == "0101 0418 0421 0501 1224 1225 1226 1231"


def test_tokyo_knows_substitutes_and_the_day_between_two_holidays() -> None:
    assert " ".join(off_days(holidays.tokyo, 2026, "closed")) == (
        "0101 0102 0112 0211 0223 0320 0429 0504 0505 0506 0720 0811 0921 0922 0923 1012 1103 1123 1231"
    )


def test_hours_are_written_as_the_gateway_writes_them(catalogue: Catalogue) -> None:
    aapl = named(catalogue, "AAPL")
    today = date(2026, 11, 23)
    assert trading_hours(aapl, today) == (
        "20261123:0400-20261123:2000;20261124:0400-20261124:2000;20261125:0400-20261125:2000;20261126:CLOSED;"
        "20261127:0400-20261127:1700;20261128:CLOSED"
    )
    assert liquid_hours(aapl, today).split(";")[4] == "20261127:0930-20261127:1300"


def test_a_lunch_break_is_two_spans_of_one_day(catalogue: Catalogue) -> None:
    toyota = named(catalogue, "7203")
    assert liquid_hours(toyota, date(2026, 11, 24)).split(";")[0] == (
        "20261124:0900-20261124:1130,20261124:1230-20261124:1530"
    )


def test_forex_opens_on_sunday_evening_and_closes_on_friday_afternoon_in_new_york(catalogue: Catalogue) -> None:
    euro = named(catalogue, "EUR", "CASH", "USD")
    assert trading_hours(euro, date(2026, 11, 23)).startswith("20261122:1715-20261123:1700;")
    sunday = datetime(2026, 11, 22, 22, 15, tzinfo=UTC)
    friday = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
    assert not is_open(euro, sunday - timedelta(seconds=1), outside_rth=True)
    assert is_open(euro, sunday, outside_rth=True)
    assert is_open(euro, friday - timedelta(seconds=1), outside_rth=True)
    assert not is_open(euro, friday, outside_rth=True)


def test_crypto_never_closes(catalogue: Catalogue) -> None:
    btc = named(catalogue, "BTC", "CRYPTO")
    christmas = datetime(2026, 12, 25, tzinfo=UTC)
    assert all(is_open(btc, christmas + timedelta(hours=n), outside_rth=False) for n in range(48))


def test_extended_hours_count_only_when_asked_for(catalogue: Catalogue) -> None:
    aapl = named(catalogue, "AAPL")
    before_the_bell = datetime(2026, 11, 23, 14, 29, 59, tzinfo=UTC)
    assert is_open(aapl, before_the_bell, outside_rth=True)
    assert not is_open(aapl, before_the_bell, outside_rth=False)
    assert is_open(aapl, before_the_bell + timedelta(seconds=1), outside_rth=False)


def test_wall_time_holds_across_the_change_of_the_clocks(catalogue: Catalogue) -> None:
    aapl = named(catalogue, "AAPL")
    assert sessions(aapl, date(2026, 10, 30)).liquid[0].start == datetime(2026, 10, 30, 13, 30, tzinfo=UTC)
    assert sessions(aapl, date(2026, 11, 2)).liquid[0].start == datetime(2026, 11, 2, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("calendar", CALENDARS)
def test_sessions_never_overlap_and_regular_hours_lie_within_trading_hours(calendar: str) -> None:
    end = datetime(2024, 1, 1, tzinfo=UTC)
    for n in range(800):
        day = sessions_of(calendar, date(2025, 1, 1) + timedelta(days=n))
        for span in day.trading:
            assert end <= span.start < span.end
            end = span.end
        for span in day.liquid:
            assert any(each.start <= span.start < span.end <= each.end for each in day.trading)
