"""The clients' side on the bench: hello, every op, answers, references, pictures."""

import json
import random

import pytest
from rig import ES, IWM, PUT, QQQ, SPX, SPY, Rig, RigClient, kinds, sub

from ibbridge.outbox import Limits


def test_hello_is_answered_with_the_state():
    rig = Rig().up()
    client = rig.client()
    (hello,) = client.read()
    assert hello == {
        "ev": "hello", "n": 1, "tb": rig.now.wall, "v": 1, "epoch": "epoch-1", "ib": "up",
        "limits": {"lines": 100, "lines_used": 0, "depth": 3, "bars10m": 60}, "hb_ms": 1000,
    }  # fmt: skip


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.5])
def test_another_version_is_a_4000(version):
    rig = Rig().up()
    client = RigClient(rig)
    client.say(op="hello", v=version, client="x")
    assert client.closed == 4000
    assert client.read() == []


def test_no_hello_in_three_seconds_is_a_4002():
    rig = Rig().up()
    client = RigClient(rig)
    rig.go(2.9)
    assert client.closed is None
    rig.go(0.2)
    assert client.closed == 4002


@pytest.mark.parametrize("frame", ["rubbish", '{"op":"ping","id":"p"}', b"\x00"])
def test_the_first_frame_is_a_hello(frame):
    rig = Rig().up()
    client = RigClient(rig)
    client.raw(frame)
    assert client.closed == 4002


def test_without_authorization_a_4003():
    rig = Rig().up()
    client = RigClient(rig, authorized=False)
    assert client.closed == 4003
    client.hello()
    assert client.read() == []


def test_a_seventeenth_client_is_a_1013():
    rig = Rig().up()
    clients = [rig.client() for _ in range(17)]
    assert [client.closed for client in clients] == [None] * 16 + [1013]


def test_ping():
    rig = Rig().up()
    client = rig.client()
    client.say(op="ping", id="p42")
    assert client.read("pong") == [{"ev": "pong", "n": 2, "tb": rig.now.wall, "id": "p42"}]


def test_set_is_acknowledged_and_asked_for_by_rank():
    rig = Rig().up()
    client = rig.client()
    rig.take()
    client.set(sub(SPY, depth=5, bars=True, pri=1), sub(SPX, pri=9))
    rig.go(0.1)
    (ack,) = client.read("ack")
    assert ack["id"] == "s1"
    assert ack["ok"] == {key: {"conid": len(key) * 1000, "minTick": 0.01} for key in (SPY, SPX)}
    asks = rig.take("l1", "bars", "depth")
    assert [(ask.kind, ask.key) for ask in asks] == [("l1", SPX), ("l1", SPY), ("bars", SPY), ("depth", SPY)]
    assert (asks[0].generic, asks[1].generic, asks[2].what, asks[3].rows, asks[3].smart) == (
        "",
        "233",
        "TRADES",
        5,
        True,
    )


def test_an_answer_waits_for_definitions_but_not_for_ever():
    rig = Rig().up()
    rig.define = False
    client = rig.client()
    client.set(sub(SPY), sub(QQQ))
    rig.go(1.9)
    assert client.read("ack") == []
    rig.go(0.2)
    assert [ack["ok"] for ack in client.read("ack")] == [{}]
    asks = rig.take("details")
    rig.core.defined(asks[0].request, [(1, 0.01)], rig.now)
    rig.core.defined(asks[1].request, [(2, 0.05)], rig.now)
    rig.collect()
    assert [ack["ok"] for ack in client.read("ack")] == [
        {SPY: {"conid": 1, "minTick": 0.01}},
        {QQQ: {"conid": 2, "minTick": 0.05}},
    ]


def test_without_tws_a_command_is_taken_at_once():
    rig = Rig().start()
    client = rig.client()
    client.set(sub(SPY))
    assert [ack["ok"] for ack in client.read("ack")] == [{}]
    assert rig.take("details") == []
    rig.connect()
    rig.go(0.1)
    assert [list(ack["ok"]) for ack in client.read("ack")] == [[SPY]]


def test_set_replaces_sub_adds_unsub_takes_away():
    rig = Rig().up()
    client = rig.client()
    client.set(sub(SPY), sub(QQQ))
    client.say(op="sub", id="a", subs=[sub(IWM)])
    rig.go(0.1)
    assert {key for key in (SPY, QQQ, IWM) if rig.request("l1", key)} == {SPY, QQQ, IWM}
    client.set(sub(QQQ), id="s2")
    client.say(op="unsub", id="u1", ks=[QQQ])
    rig.take()
    rig.go(9.9)
    assert rig.take("cancel_l1") == []
    rig.go(0.2)
    assert {ask.key for ask in rig.take("cancel_l1")} == {SPY, QQQ, IWM}
    assert rig.core.instruments == {} and rig.core.lines_used == 0
    assert {ack["id"] for ack in client.read("ack")} == {"s1", "a", "s2", "u1"}


def test_the_same_set_again_costs_nothing():
    rig = Rig().up()
    client = rig.client()
    client.set(sub(SPY, depth=5, bars=True))
    rig.go(0.1)
    rig.take()
    for index in range(5):
        client.set(sub(SPY, depth=5, bars=True), id=f"again{index}")
        rig.go(1)
    assert rig.take() == []
    assert len(client.read("ack")) == 6


def test_a_reconnecting_client_costs_no_request():
    rig = Rig().up()
    client = rig.client()
    client.set(sub(SPY, depth=5, bars=True))
    rig.go(0.1)
    rig.tick()
    rig.take()
    client.leave()
    rig.go(9)
    again = rig.client()
    again.set(sub(SPY, depth=5, bars=True))
    rig.go(30)
    assert rig.take() == []
    assert kinds(again.read()) == ["hello", "ack", "snap", "book"]


def test_two_clients_share_a_line():
    rig = Rig().up()
    one, two = rig.client(), rig.client()
    one.set(sub(SPY))
    two.set(sub(SPY), sub(QQQ))
    rig.go(0.1)
    assert rig.core.lines_used == 2
    rig.tick()
    rig.tick(QQQ)
    assert [event["k"] for event in one.read("snap")] == [SPY]
    assert [event["k"] for event in two.read("snap")] == [SPY, QQQ]
    one.leave()
    rig.go(60)
    assert rig.core.lines_used == 2, "the other one still wants it"
    rig.go(1)
    rig.tick(bid=101)
    assert [event["b"] for event in two.read("q")] == [101]
    two.leave()
    rig.go(11)
    assert rig.core.lines_used == 0


def test_deeper_books_are_asked_for_anew():
    rig = Rig().up()
    one, two = rig.client(), rig.client()
    one.set({"k": SPY, "depth": 2})
    rig.go(0.1)
    two.set({"k": SPY, "depth": 5})
    rig.go(0.1)
    assert [(ask.kind, ask.rows) for ask in rig.take("depth", "cancel_depth")] == [
        ("depth", 2),
        ("cancel_depth", 0),
        ("depth", 5),
    ]


def test_snap_gives_pictures_of_what_is_subscribed():
    rig = Rig().up()
    client = rig.client()
    client.set(sub(SPY, depth=5), sub(QQQ))
    rig.go(0.1)
    rig.tick()
    rig.row(0, 0, 1, 99.0, 100)
    client.read()
    rig.go(0.5)
    client.say(op="snap", id="q7", ks=[SPY, IWM])
    snap, book, nack = client.read()
    assert (snap["ev"], snap["b"], snap["a"], snap["bs"], snap["mdt"], snap["age_ms"]) == (
        "snap",
        100,
        100.02,
        300,
        1,
        500,
    )
    assert set(snap) == {
        "ev", "n", "tb", "k", "b", "a", "bs", "as", "l", "ls", "v", "o", "h", "lo", "c", "hlt", "mdt", "age_ms"
    }  # fmt: skip
    assert (book["ev"], book["reset"], book["b"], book["a"]) == ("book", True, [[99, 100, "ARCA"]], [])
    assert (nack["k"], nack["reason"], nack["id"]) == (IWM, "bad_key", "q7")
    client.say(op="snap", id="q8")
    assert [(event["ev"], event["k"]) for event in client.read()] == [("snap", SPY), ("book", SPY)], (
        "QQQ has no picture"
    )


def test_limits_are_refused_by_rank_and_served_when_there_is_room():
    rig = Rig(lines=2, books=1).up()
    client = rig.client()
    client.set(sub(SPY, pri=9, depth=5), sub(QQQ, pri=5, depth=5), sub(IWM, pri=1))
    rig.go(0.1)
    events = client.read("ack", "nack")
    nacks = [(event["k"], event["reason"], event["code"]) for event in events if event["ev"] == "nack"]
    assert nacks == [(QQQ, "limit_depth", 309), (IWM, "limit_lines", 101)]
    assert [set(event["ok"]) for event in events if event["ev"] == "ack"] == [{SPY, QQQ}]
    client.say(op="unsub", id="u", ks=[SPY])
    rig.go(0.2)
    acks = {tuple(event["ok"]) for event in client.read("ack")}
    assert {(QQQ,), (IWM,)} <= acks
    assert client.read("nack") == []


def test_a_higher_priority_takes_the_line():
    rig = Rig(lines=1).up()
    client = rig.client()
    client.set(sub(SPY, pri=3))
    rig.go(0.1)
    client.say(op="sub", id="b", subs=[sub(QQQ, pri=8)])
    rig.go(0.1)
    assert [(nack["k"], nack["reason"]) for nack in client.read("nack")] == [(SPY, "limit_lines")]
    assert rig.request("l1", QQQ) and not rig.request("l1", SPY)


def test_bad_keys_cost_only_themselves():
    rig = Rig().up()
    client = rig.client()
    client.say(op="set", id="s", subs=[sub("nonsense"), sub(SPY), {"k": PUT, "depth": 9}])
    rig.go(0.1)
    events = client.read("ack", "nack")
    assert [(event["k"], event["reason"]) for event in events if event["ev"] == "nack"] == [
        ("nonsense", "bad_key"),
        (PUT, "bad_key"),
    ]
    assert [set(event["ok"]) for event in events if event["ev"] == "ack"] == [{SPY}]


def test_heartbeats():
    rig = Rig().up()
    client = rig.client()
    client.set(sub(SPY))
    rig.go(0.1)
    rig.tick()
    at = rig.now.wall
    rig.go(5)
    beats = client.read("hb")
    assert len(beats) == 5
    assert beats[-1] == {
        "ev": "hb", "n": beats[-1]["n"], "tb": beats[-1]["tb"], "ib": "up", "last_tick_us": at, "lines_used": 1,
        "q_depth": beats[-1]["q_depth"], "dropped": 0,
    }  # fmt: skip


def test_requests_never_exceed_40_a_second():
    rig = Rig(lines=1000).up()
    client = rig.client()
    client.set(*(sub(f"STK:S{index}:SMART:USD", depth=0) for index in range(150)))
    rig.go(12)
    client.leave()
    rig.go(20)
    sent = [at for at, ask in rig.all_asks if ask.kind != "connect"]
    assert len(sent) == 450
    assert all(sum(1 for at in sent if start <= at < start + 1) <= 40 for start in sent)


def test_sixty_bar_requests_in_ten_minutes_then_pacing():
    rig = Rig(lines=1000).up()
    client = rig.client()
    client.set(*({"k": f"STK:S{index}:SMART:USD", "bars": True} for index in range(65)))
    rig.go(30)
    assert len(rig.take("bars")) == 60
    assert [nack["reason"] for nack in client.read("nack")] == ["pacing"] * 5
    rig.go(600, step=1)
    assert len(rig.take("bars")) == 5
    assert len([ack for ack in client.read("ack") if len(ack["ok"]) == 1]) == 5


def test_depth_rows_are_told_one_by_one():
    rig = Rig().up()
    client = rig.client()
    client.set({"k": SPY, "depth": 5})
    rig.go(0.1)
    assert [(event["b"], event["a"], event["reset"]) for event in client.read("book")] == [([], [], True)]
    rig.row(0, 0, 1, 99.0, 100)
    rig.row(0, 1, 1, 99.0, 50)
    rig.row(0, 2, 1, 0.0, 0)
    rig.row(0, 0, 0, 100.0, 10)
    events = client.read("d")
    assert [(event["op"], event["sd"], event["pos"], event["p"], event["s"]) for event in events] == [
        ("i", "b", 0, 99, 100), ("u", "b", 0, 99, 50), ("d", "b", 0, 0, 0), ("i", "a", 0, 100, 10)
    ]  # fmt: skip
    assert events[0]["mm"] == "ARCA"


def test_bars():
    rig = Rig().up()
    client = rig.client()
    client.set({"k": SPY, "bars": True}, {"k": QQQ, "bars": True, "what": "BID"})
    rig.go(0.1)
    prices = (672.41, 672.45, 672.4, 672.44)
    rig.core.bar(rig.request("bars"), 1764086400, prices, 51230.0, 672.4271, 412, rig.now)
    rig.core.bar(rig.request("bars", QQQ), 1764086400, prices, -1.0, -1.0, -1, rig.now)
    trades, bids = client.read("b5")
    assert {**trades, "n": 0, "tb": 0} == {
        "ev": "b5", "n": 0, "tb": 0, "k": SPY, "t0": 1764086400, "o": 672.41, "h": 672.45, "lo": 672.4, "c": 672.44,
        "v": 51230, "vw": 672.4271, "ct": 412, "what": "TRADES",
    }  # fmt: skip
    assert (bids["v"], bids["vw"], bids["ct"], bids["what"]) == (None, None, None, "BID")


def test_unknown_ticks_and_late_ticks_are_counted():
    rig = Rig().up()
    client = rig.client()
    client.set(sub(SPY))
    rig.go(0.1)
    request = rig.request("l1")
    rig.core.tick_price(request, 9999, 1.0, 1, rig.now)
    rig.core.tick_generic(request, 999, 1.0, rig.now)
    rig.core.tick_price(77, 1, 1.0, 1, rig.now)
    rig.packet()
    assert client.read("snap", "q") == []
    assert rig.core.health()["unknown_ticks"] == {"999": 1, "9999": 1}
    assert rig.core.counters["late_ticks"] == 1


def test_a_slow_client_has_declared_holes_only_and_then_the_truth():
    limits = Limits(conflate=20_000, step=4_000, close=200_000, hard=400_000)
    rig = Rig(limits=limits).up()
    slow, quick = rig.client(), rig.client()
    for client in (slow, quick):
        client.set(sub(SPY, depth=5), sub(QQQ))
    rig.go(1)
    rig.row(0, 0, 1, 99.0, 1)
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    for index in range(3000):
        rig.row(0, 1, 1, 99.0, index)
        key = chance.choice((SPY, QQQ))
        rig.core.tick_price(rig.request("l1", key), 4, float(index + 1), 100, rig.now)
        rig.tick(key, bid=float(index + 1))
        rig.go(0.01)
        quick.read()
        if index == 1500:
            # Half of what waits, then silence again.
            frame = json.loads(slow.outbox.frame())
            for event in frame:
                slow.numbers.check(event)
            slow.log += frame
    slow.read()
    assert slow.numbers.gaps >= 2 and quick.numbers.gaps == 0
    assert slow.numbers.missing == slow.outbox.dropped > 3000
    assert slow.closed is None

    def state(client):
        quotes, book = {}, None
        for event in client.log:
            if event["ev"] in ("snap", "q"):
                fields = {name: event[name] for name in ("b", "a", "bs", "as") if name in event}
                quotes.setdefault(event["k"], {}).update(fields)
            elif event["ev"] == "book":
                book = event["b"]
            elif event["ev"] == "d" and event["op"] == "i":
                book.insert(event["pos"], [event["p"], event["s"], event["mm"]])
            elif event["ev"] == "d":
                book[event["pos"]] = [event["p"], event["s"], event["mm"]]
        return quotes, book

    assert state(slow) == state(quick)
    gap = next(event for event in slow.log if event["ev"] == "gap")
    after = slow.log[slow.log.index(gap) :]
    assert {event["k"] for event in after if event["ev"] == "snap"} >= set(gap["ks"])
    assert slow.log[-1]["n"] == slow.outbox.next_number - 1


def test_a_client_that_never_reads_is_closed():
    limits = Limits(conflate=2_000, step=500, close=6_000, close_after=5.0, hard=1 << 20)
    rig = Rig(limits=limits).up()
    client = rig.client()
    while client.outbox.bytes <= 6_000:
        client.say(op="ping", id="x" * 60)
    rig.go(4.9)
    assert client.closed is None
    rig.go(0.2)
    assert client.closed == 1013
    assert rig.core.clients[client.number].closing


def test_rubbish_is_refused_and_the_rest_goes_on():
    rig = Rig().up()
    client, other = rig.client(), rig.client()
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    words = [
        "op",
        "set",
        "sub",
        "unsub",
        "snap",
        "ping",
        "hello",
        "id",
        "subs",
        "ks",
        "k",
        SPY,
        ES,
        "pri",
        "depth",
        "v",
    ]

    def value(level=0):
        kind = chance.randrange(9 if level < 3 else 6)
        if kind < 3:
            return chance.choice(words)
        if kind < 6:
            return chance.choice([None, True, -1, 1e300, 7, "", "\u0000", "ü", 10**400])
        if kind < 7:
            return [value(level + 1) for _ in range(chance.randrange(4))]
        return {chance.choice(words): value(level + 1) for _ in range(chance.randrange(6))}

    base = ['{"op":"set","id":"a","subs":[{"k":"STK:SPY:SMART:USD","l1":true,"pri":3}]}', '{"op":"snap","id":"b"}']
    for _ in range(3000):
        choice = chance.randrange(3)
        if choice == 0:
            client.raw(json.dumps(value()))
        elif choice == 1:
            text = list(chance.choice(base))
            for _ in range(chance.randrange(1, 4)):
                text[chance.randrange(len(text))] = chance.choice('{}[]",:0aé\\')
            client.raw("".join(text))
        else:
            client.raw(bytes(chance.randrange(256) for _ in range(chance.randrange(20))))
        if chance.random() < 0.05:
            rig.go(0.1)
            client.read()
    client.read()
    assert client.closed is None
    assert rig.core.counters["malformed"] > 1000
    other.say(op="ping", id="alive")
    assert [event["id"] for event in other.read("pong")] == ["alive"]


def test_nacks_for_rubbish_are_limited():
    rig = Rig().up()
    client = rig.client()
    for _ in range(100):
        client.raw("rubbish")
    nacks = client.read("nack")
    assert len(nacks) == 20
    assert nacks[0]["reason"] == "bad_request"
