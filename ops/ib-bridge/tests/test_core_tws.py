"""TWS' side on the bench: every row of the error table, losses, the night, the week."""

import itertools
from datetime import datetime

import pytest
from rig import ES, IWM, PUT, QQQ, SPX, SPY, Rig, RigClient, kinds, sub

from ibbridge.errors import RULES, Action, rule_of
from ibbridge.instant import NEW_YORK


class Bench(Rig):
    """A rig with a client that has SPY (quotes, book, bars) and QQQ (quotes), all alive and read."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.up()
        self.me = self.client()
        self.me.set(sub(SPY, depth=5, bars=True, pri=9), sub(QQQ, pri=5))
        self.go(0.2)
        self.tick()
        self.tick(QQQ)
        self.row(0, 0, 1, 99.0, 100)
        self.go(1)
        self.me.read()
        self.take()

    def asked(self):
        """New requests as kind and key."""
        return [(ask.kind, ask.key) for ask in self.take()]

    def status(self):
        return self.me.read("st")


FEEDS = [("l1", SPY), ("bars", SPY), ("depth", SPY), ("l1", QQQ)]


def test_the_table_has_every_code_of_the_reference():
    codes = {
        1100, 1101, 1102, 1300, 2103, 2104, 2105, 2106, 2107, 2108, 2110, 2119, 2157, 2158, 100, 101, 102, 322, 162, 200,
        309, 310, 316, 317, 321, 326, 354, 366, 420, 501, 502, 503, 504, 505, 506, 507, 508, 509, 10089, 10090, 10167,
        10092, 10182, 10189, 10190, 10197, 10225,
    }  # fmt: skip
    assert codes <= set(RULES)
    assert rule_of(2199).action is Action.INFO
    assert rule_of(987654).action is rule_of(-5).action is Action.REPORT


@pytest.mark.parametrize("code", [2105, 2106, 2107, 2108, 2119, 2157, 2158, 2150, 300, 310])
def test_information_is_counted_and_not_told(code):
    bench = Bench()
    bench.error(-1, code)
    bench.go(1)
    assert bench.asked() == [] and bench.me.read() == []
    assert bench.core.counters[f"code_{code}"] == 1


@pytest.mark.parametrize(("code", "level"), [(2103, "warning"), (2104, "info"), (2106, "info"), (1100, "warning")])
def test_only_what_is_amiss_is_logged_as_a_warning(code, level):
    bench = Bench()
    bench.error(-1, code)
    assert {note.level for note in bench.notes if note.message == "tws" and note.fields["code"] == code} == {level}


@pytest.mark.parametrize("code", [1100, 2110])
def test_lost(code):
    bench = Bench()
    bench.error(-1, code, "Connectivity lost")
    (status,) = bench.status()
    assert (status["ib"], status["code"], set(status["stale_ks"])) == ("down", code, {SPY, QQQ})
    bench.me.say(op="sub", id="n", subs=[sub(IWM)])
    bench.go(5)
    assert bench.asked() == [], "nothing is asked of a TWS without IB"


def test_1101_asks_for_all_anew_by_rank():
    bench = Bench()
    bench.error(-1, 1100)
    bench.status()
    bench.go(20)
    bench.error(-1, 1101, "restored, data lost")
    (status,) = bench.status()
    assert (status["ib"], set(status["stale_ks"])) == ("up", {SPY, QQQ})
    assert bench.asked() == FEEDS, "and cancels nothing that is gone"
    bench.tick()
    assert kinds(bench.me.read("snap", "q")) == ["snap"]
    assert not bench.core.instruments[SPY].stale and bench.core.instruments[QQQ].stale


def test_1102_without_a_tick_asks_for_all_anew():
    bench = Bench()
    bench.error(-1, 1100)
    bench.error(-1, 1102)
    assert [status["ib"] for status in bench.status()] == ["down", "up"]
    bench.go(29)
    assert bench.asked() == []
    bench.go(1.2)
    asked = bench.asked()
    assert asked[:4] == [("cancel_l1", SPY), ("cancel_bars", SPY), ("cancel_depth", SPY), ("cancel_l1", QQQ)] or set(
        asked[:4]
    ) == {("cancel_l1", SPY), ("cancel_bars", SPY), ("cancel_depth", SPY), ("cancel_l1", QQQ)}
    assert asked[4:] == FEEDS


def test_1102_with_a_tick_asks_for_nothing():
    bench = Bench()
    bench.error(-1, 1100)
    bench.error(-1, 1102)
    bench.go(10)
    bench.tick(bid=101)
    bench.go(60)
    assert bench.asked() == []
    assert kinds(bench.me.read("snap", "q")) == ["snap"], "the first tick after a loss is told whole"


def test_1300_reconnects_to_the_new_port():
    bench = Bench()
    bench.error(-1, 1300, "TWS socket port has been reset and this connection is being dropped. New port - 7500")
    assert bench.asked() == [("disconnect", "")]
    bench.go(5.1)
    assert [(ask.kind, ask.port) for ask in bench.take()] == [("connect", 7500)]
    assert bench.me.read("err")[0]["code"] == 1300


def test_a_broken_farm_and_its_return():
    bench = Bench()
    bench.error(-1, 2103, "Market data farm connection is broken:usfarm")
    (status,) = bench.status()
    assert (status["ib"], status["code"], status["farm"]) == ("degraded", 2103, "usfarm")
    assert set(status["stale_ks"]) == {SPY, QQQ}
    bench.go(16)
    bench.error(-1, 2104, "Market data farm connection is OK:usfarm")
    assert [status["ib"] for status in bench.status()] == ["up"]
    bench.go(1)
    asked = bench.asked()
    assert [ask for ask in asked if not ask[0].startswith("cancel")] == FEEDS and len(asked) == 8


def test_another_farm_is_not_ours():
    bench = Bench()
    bench.error(-1, 2103, "Market data farm connection is broken:cashfarm")
    assert "stale_ks" not in bench.status()[0]
    bench.error(-1, 2104, "Market data farm connection is OK:cashfarm")
    bench.go(1)
    assert bench.asked() == []


def test_100_stops_for_a_second_then_halves():
    bench = Bench(lines=500)
    bench.error(-1, 100)
    at = bench.now.mono
    bench.me.set(*(sub(f"STK:S{index}:SMART:USD") for index in range(60)))
    bench.go(6)
    sent = [when for when, ask in bench.all_asks if when >= at and ask.kind != "connect"]
    assert min(sent) >= at + 1
    assert max(sum(1 for when in sent if start <= when < start + 1) for start in sent) == 20


def test_101_sheds_the_last_in_rank():
    bench = Bench()
    bench.me.say(op="sub", id="i", subs=[sub(IWM, pri=7)])
    bench.go(0.2)
    bench.error(bench.request("l1", IWM), 101, "Max number of tickers has been reached")
    bench.go(1.5)
    nacks = [(nack["k"], nack["code"], nack["reason"]) for nack in bench.me.read("nack")]
    assert nacks == [(QQQ, 101, "limit_lines")]
    assert bench.request("l1", IWM) and not bench.request("l1", QQQ)
    assert bench.core.quota.lines == 3
    bench.go(300, step=1)
    assert bench.core.quota.lines == 4 and bench.request("l1", QQQ)
    assert [set(ack["ok"]) for ack in bench.me.read("ack")][-1] == {QQQ}


@pytest.mark.parametrize("code", [102, 322])
def test_a_duplicate_id_is_another_number(code):
    bench = Bench()
    old = bench.request("l1")
    bench.error(old, code)
    assert bench.asked() == [("l1", SPY)]
    assert bench.request("l1") > old + 999


@pytest.mark.parametrize("code", [162, 366, 420, 10189, 10190])
def test_bars_refused_come_back_later_and_later(code):
    bench = Bench()
    pauses, at = [], bench.now.mono
    for _ in range(3):
        bench.error(bench.request("bars"), code)
        bench.take()
        while not bench.take("bars"):
            bench.go(0.5)
        pauses.append(round(bench.now.mono - at))
        at = bench.now.mono
    assert pauses[0] >= 15 and pauses[1] >= 30 and pauses[2] >= 60
    assert [nack["reason"] for nack in bench.me.read("nack")][:1] == ["pacing"]


def test_200_is_said_once_and_not_asked_again():
    rig = Rig().up()
    rig.undefined = {IWM: 200}
    client = rig.client()
    client.set(sub(SPY), sub(IWM))
    rig.go(1)
    events = client.read("ack", "nack")
    assert [(event["k"], event["code"], event["reason"]) for event in events if event["ev"] == "nack"] == [
        (IWM, 200, "no_definition")
    ]
    assert [set(event["ok"]) for event in events if event["ev"] == "ack"] == [{SPY}]
    rig.take()
    for index in range(5):
        client.set(sub(SPY), sub(IWM), id=f"s{index + 2}")
        rig.go(60, step=1)
    assert rig.take() == []
    assert len(client.read("nack")) == 5, "but each command gets its answer"
    rig.undefined = {}
    rig.core.tws_closed("restart", rig.now)
    rig.connect()
    rig.go(1)
    assert IWM in client.read("ack")[-1]["ok"], "a new session asks again"


@pytest.mark.parametrize("count", [0, 2])
def test_an_ambiguous_contract_is_no_definition(count):
    rig = Rig().up()
    rig.define = False
    client = rig.client()
    client.set(sub(SPY))
    rig.go(0.1)
    (ask,) = rig.take("details")
    rig.core.defined(ask.request, [(index, 0.01) for index in range(count)], rig.now)
    rig.collect()
    assert client.read("nack")[0]["reason"] == "no_definition"


def test_details_without_an_answer_are_asked_again():
    rig = Rig().up()
    rig.define = False
    rig.client().set(sub(SPY))
    rig.go(14)
    assert len(rig.take("details")) == 1
    rig.go(32)
    assert len(rig.take("details")) == 1
    assert rig.core.counters["details_timeouts"] == 1


def test_309_is_a_smaller_quota():
    bench = Bench()
    bench.me.say(op="sub", id="i", subs=[{"k": IWM, "depth": 5, "pri": 1}])
    bench.go(0.2)
    bench.error(bench.request("depth", IWM), 309, "Max number of market depth requests")
    bench.go(2)
    assert [(nack["k"], nack["code"], nack["reason"]) for nack in bench.me.read("nack")] == [(IWM, 309, "limit_depth")]
    assert bench.core.quota.books == 1 and bench.request("depth", SPY)


@pytest.mark.parametrize("code", [316, 317])
def test_a_void_book_is_cleared_and_rebuilt(code):
    bench = Bench()
    old = bench.request("depth")
    bench.error(old, code)
    (book,) = [event for event in bench.me.read("book") if event["ev"] == "book"][-1:]
    assert (book["reset"], book["b"], book["a"]) == (True, [], [])
    assert bench.asked() == [("cancel_depth", SPY), ("depth", SPY)]
    bench.core.depth_row(old, 0, 0, 1, 5.0, 5, "OLD", bench.now)
    bench.row(0, 0, 1, 98.0, 200)
    assert [(event["pos"], event["p"]) for event in bench.me.read("d")] == [(0, 98)], "rows of before are deaf"


def test_resets_in_a_row_are_slowed_down():
    bench = Bench()
    for _ in range(20):
        request = bench.request("depth")
        if request:
            bench.error(request, 317)
        bench.go(0.5)
    assert len(bench.take("depth")) <= 5


def test_a_lost_row_rebuilds_the_book():
    bench = Bench()
    bench.row(3, 1, 1, 97.0, 1)
    bench.go(0.05)
    assert bench.asked() == [("cancel_depth", SPY), ("depth", SPY)]
    assert bench.core.counters["depth_faults"] == 1
    assert bench.me.read("book", "d")[0]["ev"] == "book"


@pytest.mark.parametrize(("code", "reason"), [(354, "no_permission"), (200, "no_definition")])
def test_a_refused_feed_is_not_repeated(code, reason):
    bench = Bench()
    bench.error(bench.request("l1"), code, "refused")
    assert [(nack["k"], nack["code"], nack["reason"]) for nack in bench.me.read("nack")] == [(SPY, code, reason)]
    bench.go(120, step=1)
    assert bench.asked() == []
    assert bench.request("depth") and bench.request("bars"), "the others live on"


def test_321_is_tried_without_extra_ticks_then_refused():
    bench = Bench()
    bench.error(bench.request("l1"), 321, "Incorrect generic tick list of 233")
    assert [(ask.kind, ask.generic) for ask in bench.take()] == [("l1", "")]
    bench.error(bench.request("l1"), 321, "Error validating request")
    assert [(nack["code"], nack["reason"]) for nack in bench.me.read("nack")] == [(321, "no_definition")]
    bench.error(bench.request("bars"), 321)
    bench.go(120, step=1)
    assert bench.asked() == []


def test_354_with_the_fallback_asks_for_delayed_data():
    bench = Bench(delayed_fallback=True)
    bench.error(bench.request("l1"), 354)
    bench.go(1.2)
    assert bench.asked() == [("data_type", ""), ("l1", SPY)]
    assert bench.me.read("nack") == []
    bench.error(bench.request("l1"), 354)
    assert [nack["reason"] for nack in bench.me.read("nack")] == ["no_permission"]


def test_10092_drops_the_book():
    bench = Bench()
    bench.error(bench.request("depth"), 10092)
    assert [(nack["code"], nack["reason"]) for nack in bench.me.read("nack")] == [(10092, "no_permission")]
    bench.go(60)
    assert bench.asked() == []


@pytest.mark.parametrize("code", [10089, 10090, 10167])
def test_advisories_flag_and_end_nothing(code):
    bench = Bench()
    bench.error(bench.request("l1"), code)
    events = bench.me.read("err", "snap", "nack")
    assert kinds(events) == ["err", "snap"] and events[1]["mdt"] == 3
    bench.go(10)
    assert bench.asked() == [] and bench.request("l1")


def test_10182_asks_again():
    bench = Bench()
    bench.go(15)
    bench.error(bench.request("l1", QQQ), 10182)
    assert bench.asked() == [("cancel_l1", QQQ), ("l1", QQQ)]
    assert bench.core.instruments[QQQ].stale
    bench.error(-1, 10182)
    bench.go(3)
    assert {ask for ask in bench.asked() if not ask[0].startswith("cancel")} == set(FEEDS)


def test_10197_is_told_and_retried_until_a_newer_tick():
    bench = Bench()
    bench.error(bench.request("l1"), 10197, "No market data during competing live session")
    events = bench.me.read("err", "st")
    assert kinds(events) == ["err", "st"]
    assert (events[0]["code"], events[0]["k"]) == (10197, SPY)
    assert (events[1]["ib"], events[1]["code"], events[1]["stale_ks"]) == ("degraded", 10197, [SPY])
    bench.tick()
    assert bench.core.session.ib == "degraded", "a packet that was under way proves nothing"
    for _ in range(10):
        bench.go(45, step=0.5)
        assert bench.asked() == [("cancel_l1", SPY), ("l1", SPY)]
        bench.error(bench.request("l1"), 10197)
    bench.go(45, step=0.5)
    bench.take()
    bench.me.read()
    bench.tick(bid=105)
    events = bench.me.read()
    assert {"st", "snap"} <= set(kinds(events))
    assert [event["ib"] for event in events if event["ev"] == "st"] == ["up"]
    bench.go(0.5)
    assert {ask for ask in bench.asked() if not ask[0].startswith("cancel")} == {("bars", SPY), ("depth", SPY)}
    bench.go(300, step=1)
    assert bench.asked() == []


def test_a_stale_key_has_no_picture_until_it_ticks():
    bench = Bench()
    bench.error(-1, 2103, "broken:usfarm")
    bench.me.read()
    late = bench.client()
    late.set(sub(SPY, depth=5), id="l")
    bench.me.say(op="snap", id="q")
    bench.core.data_type(bench.request("l1"), 3, bench.now)
    bench.packet()
    bench.go(1)
    assert bench.me.read() == [] and kinds(late.read()) == ["hello", "ack", "st"]
    bench.tick()
    assert kinds(bench.me.read()) == kinds(late.read()) == ["book", "snap"]


def test_a_book_alone_is_whole_again_with_its_first_row():
    rig = Rig().up()
    client = rig.client()
    client.set({"k": SPY, "depth": 5})
    rig.go(0.1)
    rig.row(0, 0, 1, 99.0, 100)
    rig.error(-1, 1100)
    rig.error(-1, 1102)
    client.read()
    rig.row(0, 1, 1, 99.0, 200)
    (book,) = client.read()
    assert (book["ev"], book["reset"], book["b"]) == ("book", True, [[99, 200, "ARCA"]])
    rig.row(0, 1, 1, 99.0, 300)
    assert kinds(client.read()) == ["d"]


def test_a_bar_does_not_make_an_old_quote_young():
    bench = Bench()
    bench.error(-1, 2103, "broken:usfarm")
    bench.core.bar(bench.request("bars"), 1764086400, (1.0, 1.0, 1.0, 1.0), 1.0, 1.0, 1, bench.now)
    bench.row(0, 1, 1, 99.0, 200)
    assert bench.core.instruments[SPY].stale
    bench.tick()
    assert not bench.core.instruments[SPY].stale


def test_10225_asks_for_the_bars_at_once():
    bench = Bench()
    bench.error(bench.request("bars"), 10225)
    assert bench.asked() == [("cancel_bars", SPY), ("bars", SPY)]


@pytest.mark.parametrize("code", [501, 502, 503, 504, 509, 326, 4711])
def test_other_errors_are_told(code):
    bench = Bench()
    bench.error(-1, code, "x" * 5000)
    (err,) = bench.me.read("err")
    assert err["code"] == code and "k" not in err and len(err["msg"]) <= 401


def test_errors_are_limited_to_20_a_second():
    bench = Bench()
    for _ in range(100):
        bench.error(-1, 4711)
    assert len(bench.me.read("err")) == 20
    assert bench.core.counters["errors_suppressed"] == 80


def test_errors_of_an_instrument_go_to_those_who_want_it():
    bench = Bench()
    other = bench.client()
    other.set(sub(SPX))
    bench.go(0.2)
    bench.error(bench.request("l1", SPX), 10167)
    assert bench.me.read("err") == [] and other.read("err")[0]["k"] == SPX


@pytest.mark.parametrize("code", sorted(RULES) + [0, -1, 2150, 99999])
@pytest.mark.parametrize("request_", ["none", "unknown", "l1", "depth", "bars", "details"])
def test_any_code_on_any_request_leaves_a_working_bridge(code, request_):
    bench = Bench()
    bench.define = False
    bench.me.say(op="sub", id="x", subs=[sub(ES)])
    bench.go(0.1)
    details = bench.take("details")[0].request
    bench.define = True
    number = {"none": -1, "unknown": 555_555, "details": details}.get(request_) or bench.request(request_)
    bench.error(number, code, "")
    bench.go(60, step=0.5)
    if request_ == "details" and code not in (200, 321):
        bench.core.defined(details, [(5, 0.25)], bench.now)
    bench.core.tws_closed("over", bench.now)
    bench.connect()
    bench.go(40, step=0.5)
    assert bench.core.session.ib == "up"
    assert all(bench.request(kind, key) for kind, key in [*FEEDS, ("l1", ES)])
    for kind, key in (("l1", SPY), ("l1", QQQ), ("l1", ES)):
        assert kind == "l1"
        bench.tick(key)
    bench.row(0, 0, 1, 99.0, 100)
    snaps = {event["k"] for event in bench.me.read("snap")}
    assert snaps == {SPY, QQQ, ES}
    assert not any(instrument.stale for instrument in bench.core.instruments.values())


def test_a_new_session_is_a_new_epoch_and_asks_for_all():
    bench = Bench()
    bench.go(15)
    bench.core.tws_closed("TWS closed the connection", bench.now)
    (status,) = bench.status()
    assert (status["ib"], set(status["stale_ks"])) == ("down", {SPY, QQQ})
    bench.go(5.1)
    bench.take()
    bench.connect(ready=False)
    (hello,) = bench.me.read("hello")
    assert (hello["epoch"], hello["ib"]) == ("epoch-2", "down")
    bench.go(4.8)
    assert bench.asked() == [], "the farms aren't known to be OK"
    bench.go(0.3)
    assert bench.asked() == FEEDS, "definitions are known"
    assert [status["ib"] for status in bench.status()] == ["up"]


def test_nothing_of_the_old_subscription_survives_in_the_new():
    bench = Bench()
    bench.error(-1, 1100)
    bench.error(-1, 1101)
    bench.me.read()
    bench.core.tick_price(bench.request("l1"), 2, 100.5, 200, bench.now)
    bench.packet()
    (snap,) = bench.me.read("snap")
    assert (snap["b"], snap["a"]) == (None, 100.5)


def test_what_lingers_is_not_asked_for_again():
    bench = Bench()
    bench.me.leave()
    bench.error(-1, 1100)
    bench.error(-1, 1101)
    bench.go(5)
    assert bench.asked() == []


def test_a_new_session_forgets_quotas_and_refusals():
    bench = Bench()
    bench.error(bench.request("l1", QQQ), 101)
    bench.error(bench.request("depth"), 10092)
    bench.go(20)
    assert bench.core.quota.lines < 100 and not bench.request("depth")
    bench.core.tws_closed("restart", bench.now)
    bench.connect()
    bench.go(1)
    assert bench.core.quota.lines == 100
    assert all(bench.request(kind, key) for kind, key in FEEDS)


def test_a_late_client_learns_what_is_stale():
    bench = Bench()
    bench.error(-1, 2103, "broken:usfarm")
    late = bench.client()
    late.set(sub(QQQ))
    assert [status["stale_ks"] for status in late.read("st")] == [[QQQ]]


def test_the_night_of_a_working_day():
    """23:45: TWS restarts for three minutes; 00:20: IB's servers reset for four. Nobody lifts a finger."""
    rig = Rig(at=datetime(2025, 11, 19, 23, 44, tzinfo=NEW_YORK)).up()
    client = rig.client()
    client.set(sub(SPY, depth=5, bars=True, pri=9), sub(PUT), sub(ES, pri=8))
    rig.go(60)
    rig.tick()
    client.read()
    rig.core.tws_closed("TWS closed the connection", rig.now)
    down = rig.now.mono
    attempts = len(rig.connects)
    while rig.now.mono < down + 180:
        rig.go(0.5)
        if rig.take("connect"):
            rig.core.tws_connect_failed("refused", rig.now)
            rig.collect()
    moments = [down, *rig.connects[attempts:]]
    assert all(5 <= after - before <= 5.6 for before, after in itertools.pairwise(moments))
    assert moments[-1] > down + 170
    events = client.read("st", "hello", "hb")
    assert [event["ib"] for event in events if event["ev"] == "st"] == ["down"]
    assert len([event for event in events if event["ev"] == "hb"]) >= 179, "the bridge itself is alive all the time"
    rig.connect()
    rig.go(1)
    assert [(ask.kind, ask.key) for ask in rig.take("l1", "bars", "depth")] == [
        ("l1", SPY), ("bars", SPY), ("depth", SPY), ("l1", ES), ("l1", PUT)
    ]  # fmt: skip
    rig.tick()
    assert kinds(client.read("hello", "st", "snap")) == ["hello", "st", "snap"]
    # 00:20, the servers' reset: the socket stays.
    rig.go(30 * 60, step=1)
    rig.error(-1, 1100)
    rig.go(170, step=1)
    rig.error(-1, 1102)
    assert rig.core.session.ib == "up"
    rig.go(8 * 3600, step=5)
    assert rig.take("l1") == [], "silence at night proves nothing"
    rig.go(5400, step=1)
    assert {ask.key for ask in rig.take("l1")} == {SPY, ES, PUT}, "silence after 09:30 does"


def test_the_weekly_login():
    rig = Rig(at=datetime(2025, 11, 22, 20, 0, tzinfo=NEW_YORK)).up()
    client = rig.client()
    client.set(sub(SPY))
    rig.go(5 * 3600 + 600, step=5)
    client.read()
    rig.core.tws_closed("TWS closed the connection", rig.now)
    for _ in range(400):
        rig.go(1, step=1)
        if rig.take("connect"):
            rig.core.tws_connect_failed("refused", rig.now)
    rig.collect()
    assert [status["ib"] for status in client.read("st")] == ["down", "login"]
    assert rig.core.health()["ib"] == "login"
    rig.connect()
    assert rig.core.session.ib == "up"


def test_random_days_end_well():
    """Any order of losses, errors, clients and ticks: afterwards a calm session serves what is wanted, within quotas."""
    import random

    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(25):
        rig = Rig(lines=4, books=2).up()
        keys = [SPY, QQQ, IWM, SPX, PUT, ES]
        clients: list[RigClient] = [rig.client()]
        connected = True
        for _ in range(150):
            match chance.randrange(8):
                case 0 if connected:
                    rig.core.tws_closed("x", rig.now)
                    connected = False
                case 1 if not connected:
                    rig.connect(ready=chance.random() < 0.5)
                    connected = True
                case 2 if connected:
                    live = list(rig.core._by_request) or [-1]
                    rig.error(chance.choice([-1, chance.choice(live)]), chance.choice(sorted(RULES)), "x:usfarm")
                    if rig.core.session.phase.value in ("waiting", "connecting"):
                        connected = False
                case 3:
                    subs = [
                        sub(key, depth=chance.choice((0, 5)), bars=chance.random() < 0.3, pri=chance.randrange(10))
                        for key in chance.sample(keys, chance.randrange(7))
                    ]
                    chance.choice(clients).set(*subs, id=f"s{chance.randrange(9)}")
                case 4 if len(clients) < 4:
                    clients.append(rig.client())
                case 5 if len(clients) > 1:
                    clients.pop(chance.randrange(len(clients))).leave()
                case _:
                    for key in keys:
                        if rig.request("l1", key):
                            rig.tick(key, bid=chance.random())
            rig.go(chance.random() * 8, step=0.5)
            connected = connected and rig.core.session.phase.value not in ("waiting", "connecting")
            for client in clients:
                client.read()
            assert rig.core.lines_used <= 4 and rig.core.books_used <= 2
        if connected:
            rig.core.tws_closed("x", rig.now)
        rig.connect()
        rig.go(60, step=0.5)
        assert rig.core.session.ib == "up"
        for item in rig.core._plan.served:
            assert item not in rig.core._plan.refused
            assert rig.request(item.kind, item.key) or item.kind == "bars"
        for client in clients:
            client.read()
            assert client.closed is None
            client.leave()
        rig.go(11)
        assert rig.core.instruments == {} and rig.core._by_request == {} and rig.core.desired._order == {}
