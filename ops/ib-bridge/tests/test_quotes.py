import pytest

from ibbridge.quotes import REFRESH, SETTLE, Quote

T0 = 1_764_086_400_000_000


def settled(sec: str = "STK") -> Quote:
    """A quote whose first picture is out."""
    quote = Quote(sec)
    quote.price(1, 100.0, 300, T0)
    quote.price(2, 100.02, 400, T0)
    quote.price(4, 100.01, 100, T0)
    events = quote.flush(T0)
    assert [ev for ev, _ in events] == ["snap"]
    return quote


LATER = T0 + SETTLE


def test_the_first_picture_is_a_snap_and_no_trade():
    quote = Quote("STK")
    quote.string(45, "1764086300", T0)
    quote.price(4, 100.01, 100, T0)
    assert [ev for ev, _ in quote.flush(T0)] == ["snap"]
    quote.price(1, 100.0, 300, T0 + 1000)
    events = quote.flush(T0 + 1000)
    assert [ev for ev, _ in events] == ["snap"]
    body = events[0][1]
    assert (body["b"], body["bs"], body["a"], body["l"], body["mdt"], body["age_ms"]) == (100, 300, None, 100.01, 1, 0)


def test_quotes_carry_only_what_changed():
    quote = settled()
    quote.price(1, 100.0, 500, LATER)
    assert quote.flush(LATER) == [("q", {"bs": 500})]
    quote.size(3, 600, LATER)
    assert quote.flush(LATER) == [("q", {"as": 600})]
    quote.size(3, 600, LATER)
    assert quote.flush(LATER) == []


def test_an_empty_side_is_null():
    quote = settled()
    quote.price(1, -1.0, 0, LATER)
    assert quote.flush(LATER) == [("q", {"b": None, "bs": None})]
    quote.size(0, 200, LATER)
    assert quote.flush(LATER) == [], "a size without a price is no quote"
    quote.price(1, 99.0, 200, LATER)
    assert quote.flush(LATER) == [("q", {"b": 99, "bs": 200})]
    quote.size(3, 0, LATER)
    assert quote.flush(LATER) == [("q", {"a": None, "as": None})]


@pytest.mark.parametrize(("sec", "expected"), [("IND", -1), ("STK", 100.01), ("OPT", 100.01)])
def test_minus_one_is_a_value_of_an_index_only(sec, expected):
    quote = settled(sec)
    quote.price(4, -1.0, 0, LATER)
    assert quote.snap(LATER)["l"] == expected


def test_a_future_may_cost_less_than_nothing():
    quote = settled("FUT")
    quote.price(1, -37.5, 10, LATER)
    assert quote.flush(LATER) == [("q", {"b": -37.5, "bs": 10})]


def test_trades_from_plain_last_ticks():
    quote = settled()
    quote.string(45, "1764086401", LATER)
    quote.string(84, "Q", LATER)
    quote.price(4, 100.03, 200, LATER)
    quote.size(5, 200, LATER)
    assert quote.flush(LATER) == [("t", {"p": 100.03, "s": 200, "ex": "Q", "ti": 1764086401})]
    quote.size(5, 50, LATER)
    assert quote.flush(LATER) == [("t", {"p": 100.03, "s": 50, "ti": 1764086401})]
    quote.string(45, "0", LATER)
    quote.size(5, 60, LATER)
    assert quote.flush(LATER)[0][1]["ti"] is None


def test_time_and_sales_take_over_and_nothing_is_doubled():
    quote = settled()
    quote.price(4, 100.03, 200, LATER)
    assert [ev for ev, _ in quote.flush(LATER)] == ["t"]
    quote.string(48, "100.03;200;1764086401500;1000;100.02;true", LATER)
    assert [ev for ev, _ in quote.flush(LATER)] == []
    quote.string(48, "100.04;10;1764086402500;1010;100.02;true", LATER)
    quote.string(48, "100.05;20;1764086403500;1030;100.03;false", LATER)
    quote.price(4, 100.05, 20, LATER)
    assert quote.flush(LATER) == [
        ("t", {"p": 100.04, "s": 10, "ti": 1764086402}),
        ("t", {"p": 100.05, "s": 20, "ti": 1764086403}),
    ]
    snap = quote.snap(LATER)
    assert (snap["v"], snap["vw"], snap["l"]) == (1030, 100.03, 100.05)


@pytest.mark.parametrize("text", ["", "1;2;3", "x;1;1;1;1;true", "1;1;x;1;1;true", "1;1;1;1;1;1;1"])
def test_malformed_time_and_sales_count_and_change_nothing(text):
    quote = settled()
    before = quote.snap(LATER)
    assert quote.string(48, text, LATER) is False
    assert {**quote.snap(LATER), "age_ms": 0} == {**before, "age_ms": 0}


def test_time_and_sales_without_a_price_only_carry_volume():
    quote = settled()
    assert quote.string(48, ";0;1764086402500;5000;100.5;true", LATER)
    assert quote.flush(LATER) == []
    assert quote.snap(LATER)["v"] == 5000


def test_halts():
    quote = settled()
    for value, expected in ((0, 0), (1, 1), (2, 2), (-1, None)):
        quote.generic(49, value, LATER)
        assert quote.flush(LATER) == [("q", {"hlt": expected})]
        assert quote.snap(LATER)["hlt"] == expected
    quote.generic(49, -1, LATER)
    assert quote.flush(LATER) == []


def test_delayed_twins_flag_the_quote():
    quote = settled()
    quote.price(66, 99.0, 100, LATER)
    events = quote.flush(LATER)
    assert [ev for ev, _ in events] == ["snap"]
    assert events[0][1]["mdt"] == 3 and events[0][1]["b"] == 99
    quote.data_type(1)
    quote.price(1, 99.5, 100, LATER)
    assert quote.flush(LATER)[0][1]["mdt"] == 1
    quote.data_type(9)
    assert quote.flush(LATER) == []


def test_day_figures_wait_for_a_refresh():
    quote = settled()
    quote.size(8, 1000, LATER)
    quote.price(6, 101.0, 0, LATER)
    assert quote.flush(LATER) == []
    events = quote.flush(T0 + REFRESH)
    assert [ev for ev, _ in events] == ["snap"]
    assert (events[0][1]["v"], events[0][1]["h"]) == (1000, 101)
    quote.price(14, 99.0, 0, T0 + REFRESH)
    assert quote.flush(T0 + REFRESH)[0][1]["o"] == 99, "the open is told at once"


def test_age_is_of_the_last_tick():
    quote = settled()
    assert quote.snap(LATER + 5_000_000)["age_ms"] == (SETTLE + 5_000_000) // 1000
    assert quote.snap(LATER + 10**12)["age_ms"] == 86_400_000
    quote.begin()
    assert quote.snap(LATER)["age_ms"] is None
    assert quote.snap(LATER)["b"] is None, "nothing of an old subscription survives"


def test_after_a_loss_the_next_tick_is_told_whole():
    quote = settled()
    quote.mark()
    quote.size(0, 300, LATER)
    assert [ev for ev, _ in quote.flush(LATER)] == ["snap"], "even where nothing changed"
