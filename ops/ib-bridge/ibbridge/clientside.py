"""The clients' side of the core: hello, commands, answers, pictures, status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import wire
from .clients import ACK_PATIENCE, Client, Pending
from .desired import Item, items_of
from .instant import Instant
from .instruments import Instrument
from .outbox import Outbox
from .state import State
from .wire import Command, Event, Sub, number

HELLO_PATIENCE = 3.0
BEAT = 1.0
MAX_CLIENTS = 16


class ClientSide(State):
    """See the module."""

    # Connections

    def client_opened(self, authorized: bool, now: Instant) -> int:
        """A connection; the answer is its number."""
        number_ = self._next_client
        self._next_client += 1
        client = Client(
            number_, Outbox(lambda keys: self._pictures(number_, keys), self.settings.outbox), now.mono + HELLO_PATIENCE
        )
        full = len(self.clients) >= MAX_CLIENTS
        self.clients[number_] = client
        if not authorized:
            self._close(client, wire.UNAUTHORIZED, "authorization")
        elif full:
            self._close(client, wire.OVERLOAD, "too many clients")
        return number_

    def client_closed(self, number_: int, now: Instant) -> None:
        if self.clients.pop(number_, None) is not None:
            self.touched.discard(number_)
            self.desired.leave(number_, now.mono)
            self._replan = True
            self.advance(now)

    def client_said(self, number_: int, frame: str | bytes, now: Instant) -> None:
        """A frame of a client. Whatever it holds, only that client can suffer."""
        client = self.clients.get(number_)
        if client is None or client.closing:
            return
        try:
            if not isinstance(frame, str):
                raise wire.BadRequest("not a text frame")
            command = wire.read(frame)
        except wire.BadRequest as fault:
            self._malformed(client, fault, now)
            return
        if not client.greeted:
            self._hello(client, command, now)
        elif command.op == "hello":
            self._malformed(client, wire.BadRequest("a second hello"), now)
        else:
            self._command(client, command, now)
            self.advance(now)

    def _malformed(self, client: Client, fault: wire.BadRequest, now: Instant) -> None:
        self.count("malformed")
        client.malformed += 1
        if not client.greeted:
            self._close(client, wire.HELLO_TIMEOUT, "the first frame is a hello")
        elif client.notices.take(now.mono):
            body = {"id": fault.id, "k": "", "code": 0, "reason": "bad_request", "msg": str(fault)}
            self._send(client, Event("nack", now.wall, body), now)

    def _hello(self, client: Client, command: Command, now: Instant) -> None:
        if command.op != "hello":
            self._close(client, wire.HELLO_TIMEOUT, "the first frame is a hello")
        elif command.version is not True and command.version == wire.VERSION:
            client.greeted = True
            client.name = command.client
            client.next_beat = now.mono + BEAT
            self._greet(client, now)
            self.note("info", "client", client=client.name, number=client.number, resumed=command.resume == self.epoch)
        else:
            self._close(client, wire.VERSION_MISMATCH, f"version {wire.VERSION} is spoken here")

    def _greet(self, client: Client, now: Instant) -> None:
        body = {
            "v": wire.VERSION,
            "epoch": self.epoch,
            "ib": self.session.ib,
            "limits": {
                "lines": self.quota.lines,
                "lines_used": self.lines_used,
                "depth": self.quota.books,
                "bars10m": self.settings.bars_per_window,
            },
            "hb_ms": int(BEAT * 1000),
        }
        self._send(client, Event("hello", now.wall, body), now)

    # Commands

    def _command(self, client: Client, command: Command, now: Instant) -> None:
        for name, reason in command.bad:
            self._nack(client, command.id, name, 0, "bad_key", now, reason)
        if command.op == "ping":
            self._send(client, Event("pong", now.wall, {"id": command.id}), now)
        elif command.op == "snap":
            self._snap(client, command, now)
        elif command.op == "unsub":
            self._forget(client, command.keys or ())
            self.desired.remove(client.number, command.keys or (), now.mono)
            self._replan = True
            self._send(client, Event("ack", now.wall, {"id": command.id, "ok": {}}), now)
        else:
            self._subscribe(client, command, now)

    def _snap(self, client: Client, command: Command, now: Instant) -> None:
        mine = self.desired.clients.get(client.number, {})
        for key in mine if command.keys is None else command.keys:
            if key not in mine:
                self._nack(client, command.id, key, 0, "bad_key", now, "not subscribed")
                continue
            self._send_pictures(client, mine[key], now)

    def _subscribe(self, client: Client, command: Command, now: Instant) -> None:
        before = {item for sub in self.desired.clients.get(client.number, {}).values() for item in items_of(sub)}
        if command.op == "set":
            self._forget(client, list(client.command_of))
            self.desired.replace(client.number, command.subs, now.mono)
        else:
            self._forget(client, [sub.key.text for sub in command.subs])
            self.desired.add(client.number, command.subs, now.mono)
        # An id used again answers for both.
        pending = client.pending.setdefault(command.id, Pending(0.0, set()))
        pending.deadline = now.mono + (ACK_PATIENCE if self.session.may_ask else 0.0)
        pending.answered = False
        for sub in command.subs:
            key = sub.key.text
            instrument = self.instruments.setdefault(key, Instrument(sub.key))
            client.command_of[key] = command.id
            if instrument.state == "known":
                pending.ok[key] = definition(instrument)
            elif instrument.state == "bad":
                client.undefined.add(key)
                self._nack(client, command.id, key, instrument.code, "no_definition", now)
            else:
                pending.remaining.add(key)
            for feed in instrument.feeds.values():
                if feed.barred and feed.item in items_of(sub):
                    self._refuse(client, feed.item, feed.barred, feed.code, now)
        self._replan = True
        self._make_plan(now)
        self._answer(client, command.id, now)
        stale = [sub.key.text for sub in command.subs if self.instruments[sub.key.text].stale]
        if stale:
            self._tell_status(client, now, 0, None, "", stale)
        for sub in command.subs:
            if any(item not in before for item in items_of(sub)):
                self._send_pictures(client, sub, now)

    def _forget(self, client: Client, names: Iterable[str]) -> None:
        """Commands that named these instruments have no more to say of them."""
        for key in list(names):
            client.undefined.discard(key)
            command = client.command_of.pop(key, None)
            pending = client.pending.get(command) if command is not None else None
            if pending is not None:
                pending.remaining.discard(key)
                pending.ok.pop(key, None)
            for item in [item for item in client.refused if item.key == key]:
                del client.refused[item]

    def _answer(self, client: Client, command: str, now: Instant) -> None:
        """Acknowledges what is known of a command, where it's time."""
        pending = client.pending.get(command)
        if pending is None:
            return
        if pending.remaining and now.mono < pending.deadline:
            return
        if pending.ok or not pending.answered:
            # An instrument with nothing served isn't acknowledged.
            mine = self.desired.clients.get(client.number, {})
            ok = {key: value for key, value in pending.ok.items() if self._is_served(client, mine.get(key))}
            self._send(client, Event("ack", now.wall, {"id": command, "ok": ok}), now)
        pending.answered = True
        pending.ok = {}
        if not pending.remaining:
            del client.pending[command]

    def _is_served(self, client: Client, sub: Sub | None) -> bool:
        return sub is not None and any(item not in client.refused for item in items_of(sub))

    def _nack(
        self, client: Client, command: str, key: str, code: int, reason: str, now: Instant, message: str = ""
    ) -> None:
        body = {"id": command, "code": code, "reason": reason}
        if message:
            body["msg"] = wire.clip(message)
        # An unreadable key is echoed as it came; an event's own key may be empty only here.
        self._send(client, Event("nack", now.wall, {"k": key, **body}), now)

    # Refusals

    def _refuse(self, client: Client, item: Item, reason: str, code: int, now: Instant) -> None:
        """Tells a client, once, that an item isn't served."""
        if client.refused.get(item) == reason:
            return
        client.refused[item] = reason
        command = client.command_of.get(item.key, "")
        self._nack(client, command, item.key, code, reason, now, _named(item))
        pending = client.pending.get(command)
        sub = self.desired.clients.get(client.number, {}).get(item.key)
        if pending is not None and not self._is_served(client, sub):
            # Nothing of it will be defined: the command's answer doesn't wait for it.
            pending.remaining.discard(item.key)
            self._answer(client, command, now)

    def refuse_all(self, item: Item, reason: str, code: int, now: Instant) -> None:
        """Tells everybody who wants an item that it isn't served."""
        for number_ in self.desired.subscribers.get(item, ()):
            client = self.clients.get(number_)
            if client is not None:
                self._refuse(client, item, reason, code, now)

    def _served_again(self, client: Client, item: Item, now: Instant) -> None:
        """What was refused before is served now: acknowledged under the same command."""
        del client.refused[item]
        instrument = self.instruments[item.key]
        command = client.command_of.get(item.key, "")
        pending = client.pending.setdefault(command, Pending(now.mono, set(), answered=True))
        if instrument.state == "known":
            pending.ok[item.key] = definition(instrument)
        else:
            pending.remaining.add(item.key)
        self._answer(client, command, now)

    def _pending(self, key: str) -> list[tuple[Client, Pending, str]]:
        waiting = []
        for client in self.clients.values():
            command = client.command_of.get(key)
            pending = client.pending.get(command) if command is not None else None
            if command is not None and pending is not None and key in pending.remaining:
                waiting.append((client, pending, command))
        return waiting

    # Pictures: snap and book

    def _pictures(self, number_: int, names: Iterable[str]) -> list[Event]:
        """What stands in for discarded events of one client."""
        mine = self.desired.clients.get(number_, {})
        events: list[Event] = []
        now = self._now
        for key in names:
            if key in mine:
                events += self._pictures_of(self.instruments[key], mine[key], now)
        return events

    def _pictures_of(self, instrument: Instrument, sub: Sub, now: Instant) -> list[Event]:
        """Nothing while it's stale: a picture says that it is true now. It comes with the first tick."""
        key = instrument.key.text
        events: list[Event] = []
        if instrument.stale:
            return events
        if sub.l1 and instrument.quote.last_tick:
            events.append(Event("snap", now.wall, instrument.quote.snap(now.wall), key))
        feed = instrument.feeds.get(Item("depth", key))
        if sub.depth and feed is not None and feed.request:
            events.append(Event("book", now.wall, {"reset": True, **instrument.book.rows()}, key))
        return events

    def _send_pictures(self, client: Client, sub: Sub, now: Instant) -> None:
        instrument = self.instruments[sub.key.text]
        for event in self._pictures_of(instrument, sub, now):
            self._send(client, event, now)

    def publish_book(self, instrument: Instrument, now: Instant) -> None:
        body = {"reset": True, **instrument.book.rows()}
        key = instrument.key.text
        self._publish(Item("depth", key), [Event("book", now.wall, body, key)], now)

    # Status

    def _tell_status(
        self, client: Client, now: Instant, code: int, farm: str | None, message: str, stale: list[str]
    ) -> None:
        body: dict[str, Any] = {"ib": self.session.ib}
        if code:
            body["code"] = code
        if farm:
            body["farm"] = farm
        body["msg"] = wire.clip(message)
        if stale:
            body["stale_ks"] = stale
        self._send(client, Event("st", now.wall, body), now)

    # Time

    def _advance_client(self, client: Client, now: Instant) -> None:
        if client.closing:
            return
        if not client.greeted:
            if now.mono >= client.hello_by:
                self._close(client, wire.HELLO_TIMEOUT, "no hello")
            return
        for command in [name for name, pending in client.pending.items() if now.mono >= pending.deadline]:
            self._answer(client, command, now)
        if now.mono >= client.next_beat:
            # After a stall one beat, not those missed.
            client.next_beat = max(client.next_beat + BEAT, now.mono + BEAT / 2)
            self._beat(client, now)
        verdict = client.outbox.verdict(now)
        if verdict:
            self._close(client, *verdict)

    def _beat(self, client: Client, now: Instant) -> None:
        body = {
            "ib": self.session.ib,
            "last_tick_us": self.last_tick,
            "lines_used": self.lines_used,
            "q_depth": len(client.outbox),
            "dropped": client.outbox.dropped,
        }
        self._send(client, Event("hb", now.wall, body), now)


def definition(instrument: Instrument) -> dict[str, Any]:
    return {"conid": instrument.conid, "minTick": number(instrument.min_tick)}


def _named(item: Item) -> str:
    return f"{item.kind} {item.what}".strip()
