import json
import random

from rig import QQQ, SPY, Numbers

from ibbridge.instant import Instant
from ibbridge.outbox import Limits, Outbox
from ibbridge.wire import Event

SMALL = Limits(conflate=4000, step=1000, close=16000, close_after=5.0, hard=64000)


def at(mono: float) -> Instant:
    return Instant(mono, int(mono * 1e6))


def event(ev: str, key: str = SPY, **body) -> Event:
    return Event(ev, 1, body, key)


def pictures(keys):
    return [Event("snap", 2, {"b": 9}, key) for key in keys] + [Event("book", 2, {"reset": True}, key) for key in keys]


def drain(outbox: Outbox) -> list[dict]:
    events = []
    while (frame := outbox.frame()) is not None:
        events += json.loads(frame)
    return events


def test_numbers_run_on_over_frames_and_frames_hold_64():
    outbox = Outbox(pictures)
    for price in range(150):
        outbox.push(event("t", p=price), at(0))
    frames = []
    while (frame := outbox.frame()) is not None:
        frames.append(json.loads(frame))
    assert [len(frame) for frame in frames] == [64, 64, 22]
    assert [entry["n"] for frame in frames for entry in frame] == list(range(1, 151))
    assert outbox.bytes == 0


def test_a_frame_ends_before_its_byte_limit():
    outbox = Outbox(pictures, Limits(conflate=1 << 30, close=1 << 30, hard=1 << 30))
    for _ in range(20):
        outbox.push(event("ack", key="", id="x" * 60_000), at(0))
    while (frame := outbox.frame()) is not None:
        assert len(frame.encode()) <= 256 << 10
    assert outbox.next_number == 21


def test_quotes_merge_latest_wins_without_a_gap():
    outbox = Outbox(pictures, SMALL)
    for index in range(200):
        outbox.push(event("q", b=index), at(0))
        outbox.push(event("q", QQQ, a=index), at(0))
    outbox.push(event("q", bs=7), at(0))
    events = drain(outbox)
    assert outbox.dropped == 0 and outbox.merged > 300
    assert [entry["n"] for entry in events] == list(range(1, len(events) + 1))
    state: dict = {}
    for entry in events:
        state.setdefault(entry["k"], {}).update(entry)
    assert (state[SPY]["b"], state[SPY]["bs"], state[QQQ]["a"]) == (199, 7, 199)


def test_of_merged_quotes_the_newest_field_stays():
    outbox = Outbox(pictures, SMALL)
    index = 0
    while not outbox.compactions:
        index += 1
        outbox.push(event("q", b=index), at(0))
    assert [entry["b"] for entry in drain(outbox)] == [index]


def test_a_quote_never_overtakes_a_newer_snap():
    outbox = Outbox(pictures, SMALL)
    outbox.push(event("q", b=1), at(0))
    outbox.push(event("snap", b=2, a=3), at(0))
    outbox.push(event("q", a=4), at(0))
    for index in range(200):
        outbox.push(event("q", QQQ, b=index), at(0))
    state: dict = {}
    for entry in drain(outbox):
        if entry["k"] == SPY:
            state.update(entry)
    assert (state["b"], state["a"]) == (2, 4)


def test_trades_go_oldest_first_and_a_gap_says_so():
    outbox = Outbox(pictures, SMALL)
    for index in range(100):
        outbox.push(event("t", p=index), at(0))
    events = drain(outbox)
    numbers = Numbers()
    for entry in events:
        numbers.check(entry)
    gap = events[0]
    assert gap["ev"] == "gap" and gap["why"] == "backpressure" and gap["ks"] == [SPY]
    assert outbox.dropped == gap["to"] - gap["from"] + 1 == numbers.missing
    trades = [entry["p"] for entry in events if entry["ev"] == "t"]
    assert trades[-1] == 99 and trades == sorted(trades)
    assert "snap" in [entry["ev"] for entry in events]


def test_depth_is_never_merged_but_becomes_one_book():
    outbox = Outbox(pictures, SMALL)
    outbox.push(event("book", reset=False), at(0))
    while not outbox.dropped:
        outbox.push(event("d", op="i", sd="b", pos=0, p=1, s=1), at(0))
    outbox.push(event("d", op="u", sd="b", pos=0, p=1, s=2), at(0))
    evs = [entry["ev"] for entry in drain(outbox)]
    assert evs.count("book") == 1 and evs.count("gap") == 1
    assert evs[-1] == "d" and evs.count("d") == 1 and evs.index("book") < evs.index("d")


def test_what_may_not_go_stays():
    outbox = Outbox(pictures, SMALL)
    for index in range(20):
        for ev in ("ack", "nack", "st", "err", "b5", "pong", "hello"):
            outbox.push(event(ev, i=index), at(0))
        outbox.push(event("t", p=index), at(0))
    counts: dict[str, int] = {}
    for entry in drain(outbox):
        counts[entry["ev"]] = counts.get(entry["ev"], 0) + 1
    assert all(counts[ev] == 20 for ev in ("ack", "nack", "st", "err", "b5", "pong", "hello"))


def test_too_much_for_five_seconds_is_a_close():
    outbox = Outbox(pictures, SMALL)
    while outbox.bytes <= SMALL.close:
        outbox.push(event("err", code=1), at(10))
    assert outbox.verdict(at(14.9)) is None
    assert outbox.verdict(at(15)) == (1013, "too slow")
    outbox.frame()
    assert outbox.verdict(at(15)) is None
    while outbox.bytes <= SMALL.hard:
        outbox.push(event("err", code=1), at(16))
    assert outbox.verdict(at(16)) is not None


def test_any_mixture_keeps_numbers_and_state():
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    truth: dict[str, dict] = {SPY: {}, QQQ: {}}
    written = {SPY: 0, QQQ: 0}

    def now(keys):
        return [Event("snap", 2, dict(truth[key]), key) for key in keys]

    outbox = Outbox(now, SMALL)
    numbers, seen = Numbers(), {SPY: {}, QQQ: {}}

    def read():
        for entry in json.loads(outbox.frame() or "[]"):
            numbers.check(entry)
            if entry["ev"] in ("q", "snap"):
                seen[entry["k"]].update({name: entry[name] for name in ("a", "b") if name in entry})

    for _ in range(20_000):
        key = chance.choice((SPY, QQQ))
        kind = chance.choice(("q", "q", "t", "d", "snap"))
        if kind == "q":
            written[key] += 1
            change = {chance.choice("ab"): written[key]}
            truth[key].update(change)
            outbox.push(event("q", key, **change), at(0))
        elif kind == "snap":
            outbox.push(event("snap", key, **truth[key]), at(0))
        else:
            outbox.push(event(kind, key, p=1), at(0))
        assert outbox.bytes <= SMALL.conflate + SMALL.step + 2000
        if chance.random() < 0.005:
            read()
    while len(outbox):
        read()
    assert seen == truth
    assert numbers.missing == outbox.dropped and numbers.gaps
