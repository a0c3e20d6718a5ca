from datetime import datetime

import pytest
from rig import WEDNESDAY, micros

from ibbridge.errors import Action, rule_of
from ibbridge.instant import NEW_YORK, Instant
from ibbridge.session import Phase, Session, concerned, farm_of


class Life:
    """A session with its clock; TWS refuses connections unless told otherwise."""

    def __init__(self, at=WEDNESDAY):
        self.session = Session(4001, 71)
        self.now = Instant(0.0, micros(at))
        self.orders = []
        self.connects = []
        self.refuse = True
        self._take(self.session.start(self.now))

    def _take(self, orders):
        self.orders += orders
        for order in orders:
            if order.kind == "connect":
                self.connects.append(self.now.mono)
                if self.refuse:
                    self._take(self.session.connect_failed(self.now, "refused"))

    def go(self, seconds, step=0.5):
        end = self.now.mono + seconds
        while self.now.mono < end:
            self.now = Instant(self.now.mono + step, self.now.wall + int(step * 1e6))
            self._take(self.session.advance(self.now))

    def up(self):
        self.refuse = False
        self._take(self.session.connected(self.now))
        self.say(2104, "Market data farm connection is OK:usfarm")
        return self

    def close(self):
        self.refuse = True
        self._take(self.session.closed(self.now, "gone"))

    def say(self, code, text="text"):
        self._take(self.session.said(self.now, rule_of(code).action, code, text))

    def take(self, *kinds):
        orders, self.orders = self.orders, []
        return [order for order in orders if order.kind in kinds]


def test_every_5_seconds_for_ten_minutes_then_every_30():
    life = Life()
    life.go(1200)
    gaps = [after - before for before, after in zip(life.connects, life.connects[1:], strict=False)]
    assert all(gap == 5 for gap, at in zip(gaps, life.connects, strict=False) if at < 600)
    assert all(gap == 30 for gap, at in zip(gaps, life.connects, strict=False) if at >= 600)
    assert len(life.connects) == 1 + 120 + 20


def test_ready_by_word_of_the_farms_or_after_5_seconds():
    for code in (2104, 2106):
        life = Life()
        life.refuse = False
        life.take()
        life._take(life.session.connected(life.now))
        assert life.session.phase is Phase.SETTLING and not life.session.may_ask
        assert life.session.ib == "down"
        life.say(code, "OK:usfarm")
        assert life.session.may_ask and life.session.ib == "up"
    life = Life()
    life.refuse = False
    life.go(5)
    life.say(2104, "OK:usfarm")
    assert life.session.phase is Phase.CONNECTING
    life._take(life.session.connected(life.now))
    assert life.session.may_ask, "said before the handshake was over"
    life = Life()
    life.refuse = False
    life._take(life.session.connected(life.now))
    life.go(4.5)
    assert not life.session.may_ask
    life.go(0.5)
    assert life.session.may_ask


@pytest.mark.parametrize("code", [1100, 2110])
def test_lost_and_back_with_data_lost(code):
    life = Life().up()
    life.take()
    life.say(code)
    assert [order.kind for order in life.take("stale", "status")] == ["stale", "status"]
    assert life.session.ib == "down" and not life.session.may_ask
    life.say(1101)
    assert [order.kind for order in life.take("stale", "resubscribe", "status")] == ["stale", "resubscribe", "status"]
    assert life.session.ib == "up"


def test_1102_is_verified_after_30_seconds_in_regular_hours():
    life = Life().up()
    life.say(1100)
    life.say(1102)
    life.take()
    life.go(29.5)
    assert life.take("resubscribe") == []
    life.go(0.5)
    assert [order.code for order in life.take("resubscribe")] == [1102]


def test_1102_with_a_tick_needs_nothing():
    life = Life().up()
    life.say(1100)
    life.say(1102)
    life.session.data()
    life.take()
    life.go(120)
    assert life.take("resubscribe") == []


def test_1102_at_night_waits_for_the_morning():
    life = Life(datetime(2025, 11, 19, 9, 0, tzinfo=NEW_YORK)).up()
    life.say(1100)
    life.say(1102)
    life.take()
    life.go(29 * 60)
    assert life.take("resubscribe") == []
    life.go(90)
    assert len(life.take("resubscribe")) == 1


def test_a_loss_without_a_word_ends_in_a_new_socket():
    life = Life().up()
    life.say(1100)
    life.take()
    life.go(179)
    assert life.take("disconnect") == []
    life.go(1)
    assert len(life.take("disconnect")) == 1


def test_farms_one_by_one():
    life = Life().up()
    life.take()
    life.say(2103, "Market data farm connection is broken:usfarm.nj")
    life.say(2103, "Market data farm connection is broken:usopt")
    stale = life.take("stale")
    assert [order.farm for order in stale] == ["usfarm.nj", "usopt"]
    assert life.session.ib == "degraded"
    life.say(2104, "Market data farm connection is OK:usfarm.nj")
    assert [order.farm for order in life.take("resubscribe")] == ["usfarm.nj"]
    assert life.session.ib == "degraded"
    life.say(2104, "Market data farm connection is OK:usopt")
    assert life.session.ib == "up"
    life.take()
    life.say(2104, "Market data farm connection is OK:usfuture")
    assert life.take("resubscribe", "status") == [], "a farm that wasn't broken"


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("... reconnect on new port - 7500", 7500),
        ("no number", 4001),
        ("port 99999", 4001),
        ("error 1300 port 4003", 4003),
    ],
)
def test_a_new_port(text, port):
    life = Life().up()
    life.take()
    life.say(1300, text)
    assert len(life.take("disconnect")) == 1
    life.session.closed(life.now, "gone")
    life.refuse = False
    life.go(6)
    assert [order.port for order in life.take("connect")] == [port]


def test_a_client_id_in_use_is_waited_for_then_left():
    life = Life()
    life.take()
    ids = []
    for _ in range(7):
        life.say(326, "client id is already in use")
        life.go(5)
        ids += [order.client_id for order in life.orders if order.kind == "connect"]
        said = [order for order in life.take("status") if order.code == 326]
        assert len(said) <= 1
    assert ids == [71, 71, 72, 72, 72, 73, 73]


def test_the_week_ends_and_a_human_is_needed():
    saturday = datetime(2025, 11, 22, 23, 0, tzinfo=NEW_YORK)
    life = Life(saturday).up()
    life.go(45 * 60, step=5)
    life.close()
    life.go(3 * 60)
    life.up()
    assert life.session.ib == "up", "the restart of Saturday is automatic"
    life.go(23.9 * 3600, step=5)
    life.close()
    life.go(290)
    assert life.session.ib == "down"
    life.take()
    life.go(30)
    assert life.session.ib == "login"
    assert [order.ib for order in life.take("status")] == ["login"], "said once"
    life.go(3600, step=5)
    assert life.take("status") == []
    life.up()
    assert life.session.ib == "up"


def test_a_restart_in_the_week_is_no_login():
    life = Life(datetime(2025, 11, 19, 23, 45, tzinfo=NEW_YORK)).up()
    life.close()
    life.go(3600)
    assert life.session.ib == "down"


def test_farms_and_what_hangs_on_them():
    assert farm_of("Market data farm connection is broken:usfarm.nj") == "usfarm.nj"
    assert farm_of("no name") == ""
    assert concerned("usfarm", "STK") and concerned("usfarm", "OPT") and concerned(None, "STK") and concerned("", "FUT")
    assert concerned("usopt", "OPT") and not concerned("usopt", "STK")
    assert not concerned("cashfarm", "STK") and concerned("hfarm", "IND")


def test_actions_that_are_not_the_sessions_change_nothing():
    for action in Action:
        if action.value in ("info", "report", "shed_line", "no_definition", "delayed"):
            life = Life().up()
            life.take()
            assert life.session.said(life.now, action, 1, "x") == []
            assert life.session.ib == "up"
