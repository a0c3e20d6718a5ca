import json

import pytest

from ibbridge import wire
from ibbridge.wire import BadRequest, Event, read


def test_the_commands_of_the_protocol():
    hello = read('{"op":"hello","v":1,"client":"striketape-engine"}')
    assert (hello.op, hello.version, hello.client) == ("hello", 1, "striketape-engine")
    command = read(
        '{"op":"set","id":"s1","subs":[{"k":"STK:SPY:SMART:USD","l1":true,"depth":5,"bars":true,"what":"TRADES",'
        '"pri":9},{"k":"IND:SPX:CBOE:USD","l1":true,"pri":8}]}'
    )
    spy, spx = command.subs
    assert (spy.l1, spy.depth, spy.bars, spy.priority) == (True, 5, "TRADES", 9)
    assert (spx.l1, spx.depth, spx.bars, spx.priority) == (True, 0, "", 8)
    assert read('{"op":"unsub","id":"u1","ks":["STK:IWM:SMART:USD"]}').keys == ("STK:IWM:SMART:USD",)
    assert read('{"op":"snap","id":"q7","ks":["STK:SPY:SMART:USD"]}').keys == ("STK:SPY:SMART:USD",)
    assert read('{"op":"snap","id":"q7"}').keys is None
    assert read('{"op":"ping","id":"p42"}').id == "p42"


def test_what_is_left_out():
    assert read('{"op":"sub","id":"a","subs":[{"k":"STK:SPY:SMART:USD"}]}').subs[0].l1
    only_depth = read('{"op":"sub","id":"a","subs":[{"k":"STK:SPY:SMART:USD","depth":3}]}').subs[0]
    assert (only_depth.l1, only_depth.depth, only_depth.priority) == (False, 3, 5)


@pytest.mark.parametrize(
    "entry",
    [
        {"k": "nonsense"}, {}, 7, None, [], {"k": "STK:SPY:SMART:USD", "l1": 1}, {"k": "STK:SPY:SMART:USD", "depth": 6},
        {"k": "STK:SPY:SMART:USD", "depth": True}, {"k": "STK:SPY:SMART:USD", "pri": 10},
        {"k": "STK:SPY:SMART:USD", "pri": 1.5}, {"k": "STK:SPY:SMART:USD", "bars": True, "what": "YIELD"},
        {"k": "STK:SPY:SMART:USD", "what": []},
    ],
)  # fmt: skip
def test_a_bad_entry_costs_only_itself(entry):
    command = read(json.dumps({"op": "set", "id": "s", "subs": [entry, {"k": "STK:QQQ:SMART:USD"}]}))
    assert [sub.key.text for sub in command.subs] == ["STK:QQQ:SMART:USD"]
    assert len(command.bad) == 1


@pytest.mark.parametrize(
    "frame",
    [
        "", "x", "[]", "7", "null", "{}", '{"op":7}', '{"op":"set"}', '{"op":"set","id":7,"subs":[]}',
        '{"op":"set","id":"","subs":[]}', '{"op":"set","id":"a","subs":{}}', '{"op":"unsub","id":"a"}',
        '{"op":"snap","id":"a","ks":"x"}', '{"op":"dance","id":"a"}', '{"op":"ping","id":"' + "a" * 65 + '"}',
        '{"op":"ping","id":NaN}', "[" * 100_000, '{"a":' * 50_000, '{"op":"ping","id":' + "9" * 5000 + "}",
        json.dumps({"op": "set", "id": "a", "subs": [{}] * 501}), json.dumps({"op": "unsub", "id": "a", "ks": [1] * 501}),
    ],
)  # fmt: skip
def test_rubbish_is_a_bad_request_and_nothing_else(frame):
    with pytest.raises(BadRequest):
        read(frame)


def test_events_are_what_json_reads():
    event = Event("q", 123, {"b": 1.5, "a": None, "x": 'q"\\ü\u2028'}, "STK:SPY:SMART:USD")
    assert json.loads(event.text(7)) == {
        "ev": "q", "n": 7, "tb": 123, "k": "STK:SPY:SMART:USD", "b": 1.5, "a": None, "x": 'q"\\ü\u2028'
    }  # fmt: skip
    assert json.loads(Event("hb", 1, {}).text(1)) == {"ev": "hb", "n": 1, "tb": 1}
    assert event.size >= len(event.text(7).encode())


def test_numbers_of_the_wire():
    assert json.dumps([wire.number(value) for value in (400.0, 672.41, None, float("nan"), float("inf"), -1.0)]) == (
        "[400, 672.41, null, null, null, -1]"
    )
