from datetime import datetime

import pytest
from rig import micros

from ibbridge.instant import NEW_YORK, in_regular_hours, last_token_death


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ((2025, 11, 19, 9, 29), False),
        ((2025, 11, 19, 9, 30), True),
        ((2025, 11, 19, 15, 59), True),
        ((2025, 11, 19, 16, 0), False),
        ((2025, 11, 22, 12, 0), False),
        ((2025, 7, 9, 9, 30), True),
    ],
)
def test_regular_hours_in_local_time(moment, expected):
    assert in_regular_hours(micros(datetime(*moment, tzinfo=NEW_YORK))) is expected


@pytest.mark.parametrize(
    ("moment", "death"),
    [
        ((2025, 11, 19, 10, 0), (2025, 11, 16, 1, 0)),
        ((2025, 11, 16, 0, 59), (2025, 11, 9, 1, 0)),
        ((2025, 11, 16, 1, 0), (2025, 11, 16, 1, 0)),
        # The clocks change that Sunday at 02:00.
        ((2025, 11, 3, 12, 0), (2025, 11, 2, 1, 0)),
        ((2026, 3, 8, 12, 0), (2026, 3, 8, 1, 0)),
    ],
)
def test_the_week_ends_on_sunday_at_one(moment, death):
    expected = micros(datetime(*death, tzinfo=NEW_YORK))
    assert last_token_death(micros(datetime(*moment, tzinfo=NEW_YORK))) == expected
