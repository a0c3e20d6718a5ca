"""The core's state, and how anything leaves it. What it decides is in the modules built on this one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .clients import Client
from .desired import Desired, Item, Plan, Quota
from .instant import Instant
from .instruments import Feed, Instrument
from .outbox import Limits
from .pacing import BarPacer, MessagePacer
from .session import Order, Session
from .wire import Event

FIRST_REQUEST = 1001


@dataclass(slots=True)
class Settings:
    """What the operator decides; the defaults are IB's for a plain account."""

    tws_port: int = 4001
    client_id: int = 71
    lines: int = 100
    books: int = 3
    bars_per_window: int = 60
    messages_per_second: int = 40
    linger: float = 10.0
    delayed_fallback: bool = False
    outbox: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Ask:
    """A call to TWS.

    `kind`: connect, disconnect, data_type, details, l1, bars, depth, cancel_l1, cancel_bars, cancel_depth.
    """

    kind: str
    request: int = 0
    key: str = ""
    what: str = ""
    rows: int = 0
    port: int = 0
    client_id: int = 0
    generic: str = ""
    smart: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """A client to be closed."""

    client: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """A line for the log."""

    level: str
    message: str
    fields: dict[str, Any]


Output = Ask | Close | Note


class State:
    """Fields and outputs."""

    def __init__(self, settings: Settings, epoch: str) -> None:
        self.settings = settings
        self.epoch = epoch
        self.session = Session(settings.tws_port, settings.client_id)
        self.desired = Desired(settings.linger)
        self.quota = Quota(settings.lines, settings.books)
        self.messages = MessagePacer(settings.messages_per_second)
        self.bar_pacer = BarPacer(settings.bars_per_window)
        self.instruments: dict[str, Instrument] = {}
        self.clients: dict[int, Client] = {}
        self.actions: list[Output] = []
        self.touched: set[int] = set()
        self.last_tick = 0
        self.counters: dict[str, int] = {}
        self.unknown_ticks: dict[int, int] = {}
        self._plan = Plan()
        self._replan = False
        self._quota_growth_at = 0.0
        self._next_request = FIRST_REQUEST
        self._next_client = 1
        self._by_request: dict[int, tuple[Instrument, Feed | None]] = {}
        self._cancels: list[Ask] = []
        self._type_asked = False
        self._dirty: dict[str, Instrument] = {}
        self._now = Instant(0.0, 0)

    # What others of the chain define

    def advance(self, now: Instant) -> None:
        raise NotImplementedError

    def _make_plan(self, now: Instant) -> None:
        raise NotImplementedError

    def _carry_out(self, orders: list[Order], now: Instant) -> None:
        raise NotImplementedError

    def packet_done(self, now: Instant) -> None:
        raise NotImplementedError

    # Output

    def take_actions(self) -> list[Output]:
        actions, self.actions = self.actions, []
        return actions

    def count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1

    def note(self, level: str, message: str, **fields: Any) -> None:
        self.actions.append(Note(level, message, fields))

    def _send(self, client: Client, event: Event, now: Instant) -> None:
        if client.closing:
            return
        self._now = now
        client.outbox.push(event, now)
        self.touched.add(client.number)
        verdict = client.outbox.verdict(now)
        if verdict:
            self._close(client, *verdict)

    def _publish(self, item: Item, events: Iterable[Event], now: Instant) -> None:
        for number_ in self.desired.subscribers.get(item, ()):
            client = self.clients.get(number_)
            if client is not None:
                for event in events:
                    self._send(client, event, now)

    def _close(self, client: Client, code: int, reason: str) -> None:
        if not client.closing:
            client.closing = True
            self.count(f"close_{code}")
            self.actions.append(Close(client.number, code, reason))
            self.note("warning", "closing a client", client=client.name, code=code, reason=reason)

    # Use of TWS

    @property
    def lines_used(self) -> int:
        return sum(1 for _, feed in self._by_request.values() if feed is not None and feed.item.kind != "depth")

    @property
    def books_used(self) -> int:
        return sum(1 for _, feed in self._by_request.values() if feed is not None and feed.item.kind == "depth")
