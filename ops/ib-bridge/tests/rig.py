"""The core on a bench: time by hand, TWS and clients as lists."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from ibbridge.core import Core
from ibbridge.instant import NEW_YORK, Instant
from ibbridge.outbox import Limits
from ibbridge.state import Ask, Close, Note, Settings

SPY = "STK:SPY:SMART:USD"
QQQ = "STK:QQQ:SMART:USD"
IWM = "STK:IWM:SMART:USD"
SPX = "IND:SPX:CBOE:USD"
PUT = "OPT:SPXW:20251219:6500:P:SMART:USD"
ES = "FUT:ES:202512:CME:USD"

WEDNESDAY = datetime(2025, 11, 19, 10, 0, tzinfo=NEW_YORK)


def micros(moment: datetime) -> int:
    return int(moment.timestamp() * 1e6)


class Numbers:
    """Checks a connection's sequence: contiguous, or a hole that a `gap` declares exactly."""

    def __init__(self) -> None:
        self.next = 1
        self.gaps = 0
        self.missing = 0

    def check(self, event: dict[str, Any]) -> None:
        if event["ev"] == "gap" and event["n"] != self.next:
            assert event["from"] == self.next, event
            assert event["to"] == event["n"] - 1, event
            self.gaps += 1
            self.missing += event["to"] - event["from"] + 1
        else:
            assert event["n"] == self.next, (event, self.next)
        self.next = event["n"] + 1


class RigClient:
    """A client of the bench; `read` takes what its outbox holds."""

    def __init__(self, rig: Rig, authorized: bool = True) -> None:
        self.rig = rig
        self.number = rig.core.client_opened(authorized, rig.now)
        self.numbers = Numbers()
        self.log: list[dict[str, Any]] = []
        rig.collect()

    @property
    def outbox(self):
        return self.rig.core.clients[self.number].outbox

    @property
    def closed(self) -> int | None:
        for close in self.rig.closes:
            if close.client == self.number:
                return close.code
        return None

    def say(self, **command: Any) -> None:
        self.raw(json.dumps(command))

    def raw(self, frame: str | bytes) -> None:
        self.rig.core.client_said(self.number, frame, self.rig.now)
        self.rig.collect()

    def hello(self) -> RigClient:
        self.say(op="hello", v=1, client="test")
        return self

    def set(self, *subs: dict[str, Any], id: str = "s1") -> None:
        self.say(op="set", id=id, subs=list(subs))

    def leave(self) -> None:
        self.rig.core.client_closed(self.number, self.rig.now)
        self.rig.collect()

    def read(self, *kinds: str) -> list[dict[str, Any]]:
        """New events of these kinds (of all but heartbeats where none is named)."""
        events = []
        while self.number in self.rig.core.clients and (frame := self.outbox.frame()) is not None:
            parsed = json.loads(frame)
            assert 1 <= len(parsed) <= 64
            assert len(frame.encode()) <= 256 << 10
            for event in parsed:
                self.numbers.check(event)
                events.append(event)
        self.log += events
        if kinds:
            return [event for event in events if event["ev"] in kinds]
        return [event for event in events if event["ev"] != "hb"]


class Rig:
    """A core, its clock, and TWS as a list of requests that it answers as told."""

    def __init__(self, at: datetime = WEDNESDAY, limits: Limits | None = None, **settings: Any) -> None:
        self.now = Instant(1000.0, micros(at))
        self.core = Core(Settings(outbox=limits or Limits(), **settings), "epoch-0")
        self.epochs = 0
        self.asks: list[Ask] = []
        self.all_asks: list[tuple[float, Ask]] = []
        self.closes: list[Close] = []
        self.notes: list[Note] = []
        self.define = True
        self.undefined: dict[str, int] = {}
        self.connects: list[float] = []

    def collect(self) -> None:
        """Takes the core's actions; answers requests for details at once where `define` is set."""
        while actions := self.core.take_actions():
            for action in actions:
                if isinstance(action, Ask):
                    self._ask(action)
                elif isinstance(action, Close):
                    self.closes.append(action)
                else:
                    self.notes.append(action)

    def _ask(self, ask: Ask) -> None:
        self.asks.append(ask)
        self.all_asks.append((self.now.mono, ask))
        if ask.kind == "connect":
            self.connects.append(self.now.mono)
        elif ask.kind == "disconnect":
            self.core.tws_closed("on our side", self.now)
        elif ask.kind == "details" and self.define:
            if ask.key in self.undefined:
                self.core.tws_error(ask.request, self.undefined[ask.key], "no security definition", self.now)
            else:
                self.core.defined(ask.request, [(len(ask.key) * 1000, 0.01)], self.now)

    def go(self, seconds: float, step: float = 0.05) -> None:
        end = self.now.mono + seconds
        while self.now.mono < end - 1e-9:
            passed = min(step, end - self.now.mono)
            self.now = Instant(self.now.mono + passed, self.now.wall + round(passed * 1e6))
            self.core.advance(self.now)
            self.collect()

    def start(self) -> Rig:
        self.core.start(self.now)
        self.collect()
        return self

    def connect(self, ready: bool = True) -> Rig:
        self.epochs += 1
        self.core.tws_connected(f"epoch-{self.epochs}", self.now)
        self.collect()
        if ready:
            self.error(-1, 2104, "Market data farm connection is OK:usfarm")
        return self

    def up(self) -> Rig:
        return self.start().connect()

    def client(self) -> RigClient:
        return RigClient(self).hello()

    def error(self, request: int, code: int, text: str = "text") -> None:
        self.core.tws_error(request, code, text, self.now)
        self.collect()

    def take(self, *kinds: str) -> list[Ask]:
        """New requests of these kinds, all others dropped."""
        asks, self.asks = self.asks, []
        return [ask for ask in asks if not kinds or ask.kind in kinds]

    def request(self, kind: str, key: str = SPY) -> int:
        """The number of the live request; 0 where there is none."""
        for request, (instrument, feed) in self.core._by_request.items():
            if instrument.key.text == key and feed is not None and feed.item.kind == kind:
                return request
        return 0

    def tick(self, key: str = SPY, bid: float = 100.0, ask: float = 100.02, size: float = 300) -> None:
        request = self.request("l1", key)
        assert request, f"{key} has no line"
        self.core.tick_price(request, 1, bid, size, self.now)
        self.core.tick_price(request, 2, ask, size, self.now)
        self.packet()

    def packet(self) -> None:
        self.core.packet_done(self.now)
        self.collect()

    def row(self, position: int, operation: int, side: int, price: float, size: float, key: str = SPY) -> None:
        request = self.request("depth", key)
        assert request, f"{key} has no book"
        self.core.depth_row(request, position, operation, side, price, size, "ARCA", self.now)
        self.collect()


def sub(k: str = SPY, **fields: Any) -> dict[str, Any]:
    return {"k": k, "l1": True, **fields}


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["ev"] for event in events]
