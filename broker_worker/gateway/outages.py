"""When the gateway is expected to be away: its own daily restart, and IBKR's nightly and weekly resets.

Source: IBKR, System Status, "System Resets" (North America): Sunday to Friday 00:15-01:45 ET, Friday 23:00 to
Saturday 03:00 ET; a sign-in is needed again after Sunday 01:00 ET.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
RESTART_TAKES = timedelta(minutes=10)
QUIET_BEFORE_RESTART = timedelta(minutes=1)
"""An order written in the second of a restart vanishes: none is sent in the minute before."""

_SATURDAY, _SUNDAY, _FRIDAY = 5, 6, 4


@dataclass(frozen=True, slots=True)
class Outages:
    """The plan of one gateway."""

    restart: time | None
    """Its daily restart in its own zone; None if it has none."""
    zone: ZoneInfo

    def next_restart(self, now: datetime) -> datetime | None:
        """The next planned restart, UTC."""
        if self.restart is None:
            return None
        local = now.astimezone(self.zone)
        at = datetime.combine(local.date(), self.restart, self.zone)
        if at <= local:
            at = datetime.combine(local.date() + timedelta(days=1), self.restart, self.zone)
        return at.astimezone(UTC)

    def restart_imminent(self, now: datetime) -> bool:
        """Whether an order sent now might vanish in the restart."""
        following = self.next_restart(now)
        return following is not None and following - now <= QUIET_BEFORE_RESTART

    def planned(self, now: datetime) -> str | None:
        """Why the gateway is expected to be away now; None if it is not."""
        following = self.next_restart(now)
        if following is not None and now - (following - timedelta(days=1)) <= RESTART_TAKES:
            return "the gateway's daily restart"
        local = now.astimezone(NEW_YORK)
        day, clock = local.weekday(), local.time()
        if (day == _FRIDAY and clock >= time(23)) or (day == _SATURDAY and clock < time(3)):
            return "IBKR's weekly reset (Friday 23:00 to Saturday 03:00 New York time)"
        if day != _SATURDAY and time(0, 15) <= clock < time(1, 45):
            return "IBKR's nightly reset (00:15 to 01:45 New York time)"
        return None
