"""Time as an input: the pure modules get an Instant and never ask a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


class Instant(NamedTuple):
    """One moment on both clocks.

    Intervals are measured on `mono` (seconds, never steps); `wall` (µs since the epoch) is for stamps and the calendar.
    """

    mono: float
    wall: int


def new_york(wall: int) -> datetime:
    """The moment as local time of the exchanges."""
    return datetime.fromtimestamp(wall / 1e6, UTC).astimezone(NEW_YORK)


def in_regular_hours(wall: int) -> bool:
    """Whether stocks should tick: 09:30-16:00 on a weekday.

    Holidays aren't known here. The only use is to decide whether silence deserves a second request, which costs
    nothing on a holiday.
    """
    local = new_york(wall)
    minute = local.hour * 60 + local.minute
    return local.weekday() < 5 and 9 * 60 + 30 <= minute < 16 * 60


def last_token_death(wall: int) -> int:
    """The latest Sunday 01:00 New York at or before the moment, in µs: then the login's token ends for good."""
    local = new_york(wall)
    sunday = (local - timedelta(days=(local.weekday() + 1) % 7)).replace(hour=1, minute=0, second=0, microsecond=0)
    if sunday > local:
        sunday -= timedelta(days=7)
    return int(sunday.timestamp() * 1e6)
