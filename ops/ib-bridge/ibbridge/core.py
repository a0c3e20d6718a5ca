"""The bridge as one machine: clients on one side, TWS on the other, no socket, no clock.

Inputs are method calls with the time; outputs are `actions` (what the shell has to do) and the clients' outboxes
(`touched` names those with something to send). One thread: whoever owns it calls it from nowhere else.

It is a chain, each link knowing those before it: `state`, `clientside`, `requests`, `faults`, and here the session, the
data and time.
"""

from __future__ import annotations

from typing import Any

from . import book as depth
from . import wire
from .clients import Pending
from .clientside import definition
from .desired import Item, Quota
from .faults import Faults
from .instant import Instant
from .instruments import Feed, Instrument
from .quotes import KNOWN
from .session import Order, concerned
from .state import Ask
from .wire import Event, number


class Core(Faults):
    """See the module."""

    # The connection to TWS

    def start(self, now: Instant) -> None:
        self._now = now
        self._carry_out(self.session.start(now), now)

    def tws_connected(self, epoch: str, now: Instant) -> None:
        """A new session: whatever was known of the old one's data is void."""
        self.epoch = epoch
        self._drop_session()
        for instrument in self.instruments.values():
            instrument.stale = True
        orders = self.session.connected(now)
        for client in self.clients.values():
            if client.greeted:
                self._greet(client, now)
        self._carry_out(orders, now)
        self.advance(now)

    def tws_connect_failed(self, reason: str, now: Instant) -> None:
        self._carry_out(self.session.connect_failed(now, wire.clip(reason)), now)

    def tws_closed(self, reason: str, now: Instant) -> None:
        orders = self.session.closed(now, wire.clip(reason))
        self._carry_out(orders, now)
        self._drop_session()

    def _drop_session(self) -> None:
        for instrument in self.instruments.values():
            instrument.forget_session()
        self._by_request.clear()
        self._cancels.clear()
        self._dirty.clear()
        self._type_asked = False
        self.quota = Quota(self.settings.lines, self.settings.books)
        self._replan = True

    def _carry_out(self, orders: list[Order], now: Instant) -> None:
        for order in orders:
            if order.kind == "connect":
                self.count("connect_attempts")
                self.actions.append(Ask("connect", port=order.port, client_id=order.client_id))
            elif order.kind == "disconnect":
                self.actions.append(Ask("disconnect"))
            elif order.kind == "stale":
                for instrument in self._wanted():
                    if concerned(order.farm, instrument.key.sec):
                        self._make_stale(instrument)
            elif order.kind == "resubscribe":
                self._resubscribe(order, now)
            else:
                self._announce(order, now)

    def _resubscribe(self, order: Order, now: Instant) -> None:
        """All feeds of the farm (or of all) anew; in priority order, since the pump goes by rank."""
        self.count("resubscribe")
        for instrument in self.instruments.values():
            if concerned(order.farm, instrument.key.sec):
                for feed in instrument.feeds.values():
                    self._again(instrument, feed, now.mono, cancel=order.code != 1101)

    def _announce(self, order: Order, now: Instant) -> None:
        self.note("info", "ib", ib=order.ib, code=order.code, farm=order.farm, msg=order.message)
        for client in self.clients.values():
            if client.greeted:
                mine = self.desired.clients.get(client.number, {})
                stale = [key for key in mine if self.instruments[key].stale]
                self._tell_status(client, now, order.code, order.farm, order.message, stale)

    # Data

    def tick_price(self, request: int, tick: int, price: float, size: float, now: Instant) -> None:
        found = self._l1(request, tick, now)
        if found:
            found.quote.price(tick, price, size, now.wall)

    def tick_size(self, request: int, tick: int, size: float, now: Instant) -> None:
        found = self._l1(request, tick, now)
        if found:
            found.quote.size(tick, size, now.wall)

    def tick_string(self, request: int, tick: int, value: str, now: Instant) -> None:
        found = self._l1(request, tick, now)
        if found and not found.quote.string(tick, value, now.wall):
            self.count("malformed_ticks")

    def tick_generic(self, request: int, tick: int, value: float, now: Instant) -> None:
        found = self._l1(request, tick, now)
        if found:
            found.quote.generic(tick, value, now.wall)

    def data_type(self, request: int, mdt: int, now: Instant) -> None:
        found = self._feed(request)
        if found:
            found[0].quote.data_type(mdt)
            self._dirty[found[0].key.text] = found[0]

    def depth_row(
        self,
        request: int,
        position: int,
        operation: int,
        side: int,
        price: float,
        size: float,
        maker: str,
        now: Instant,
    ) -> None:
        found = self._feed(request)
        if found is None:
            return
        instrument, feed = found
        try:
            instrument.book.apply(operation, side, position, price, size, maker)
        except depth.IndexFault as fault:
            self.count("depth_faults")
            self.note("warning", "book made anew", k=instrument.key.text, why=str(fault))
            self.book_again(instrument, feed, now)
            return
        was_stale = instrument.stale
        self._alive(instrument, feed, now)
        if was_stale and not instrument.stale:
            # The whole book has just been told, with this row.
            return
        body: dict[str, Any] = {
            "op": depth.OPERATIONS[operation],
            "sd": depth.SIDES[side],
            "pos": position,
            "p": number(price),
            "s": number(size),
        }
        if maker:
            body["mm"] = maker
        self._publish(feed.item, [Event("d", now.wall, body, instrument.key.text)], now)

    def bar(
        self,
        request: int,
        start: int,
        prices: tuple[float, float, float, float],
        volume: float,
        vwap: float,
        count: int,
        now: Instant,
    ) -> None:
        """A 5-second bar; `start` in seconds. Volume, VWAP and count exist for trades only."""
        found = self._feed(request)
        if found is None:
            return
        instrument, feed = found
        self._alive(instrument, feed, now)
        trades = feed.item.what == "TRADES"
        body: dict[str, Any] = {"t0": start}
        body.update(zip(("o", "h", "lo", "c"), map(number, prices), strict=True))
        body["v"] = number(volume) if trades and volume >= 0 else None
        body["vw"] = number(vwap) if trades and vwap > 0 else None
        body["ct"] = count if trades and count >= 0 else None
        body["what"] = feed.item.what
        self._publish(feed.item, [Event("b5", now.wall, body, instrument.key.text)], now)

    def packet_done(self, now: Instant) -> None:
        """The end of what TWS sent together: quotes go out as one event each."""
        dirty, self._dirty = self._dirty, {}
        for key, instrument in dirty.items():
            if instrument.stale:
                # What was heard isn't a tick of now; it goes out with the next one.
                continue
            events = [Event(ev, now.wall, body, key) for ev, body in instrument.quote.flush(now.wall)]
            if events:
                self._publish(Item("l1", key), events, now)

    def _feed(self, request: int) -> tuple[Instrument, Feed] | None:
        found = self._by_request.get(request)
        if found is None or found[1] is None:
            self.count("late_ticks")
            return None
        return found[0], found[1]

    def _alive(self, instrument: Instrument, feed: Feed, now: Instant) -> None:
        self.last_tick = now.wall
        self.session.data()
        l1 = instrument.feeds.get(Item("l1", instrument.key.text))
        if feed is not l1 and l1 is not None and l1.request:
            # A bar doesn't make an old quote young.
            return
        if instrument.dark_since is not None:
            self.light(instrument, feed, now)
        if instrument.stale and instrument.dark_since is None:
            instrument.stale = False
            book = instrument.feeds.get(Item("depth", instrument.key.text))
            if book is not None and book.request:
                self.publish_book(instrument, now)

    def _l1(self, request: int, tick: int, now: Instant) -> Instrument | None:
        found = self._feed(request)
        if found is None:
            return None
        if tick not in KNOWN:
            self.unknown_ticks[tick] = self.unknown_ticks.get(tick, 0) + 1
            return None
        instrument, feed = found
        self._alive(instrument, feed, now)
        self._dirty[instrument.key.text] = instrument
        return instrument

    # Definitions

    def defined(self, request: int, contracts: list[tuple[int, float]], now: Instant) -> None:
        """The answer to `details`: number and tick size of every contract that matches."""
        found = self._by_request.pop(request, None)
        if found is None:
            return
        instrument = found[0]
        instrument.request = 0
        if len(contracts) != 1:
            self.undefined(instrument, 200, "ambiguous" if contracts else "unknown", now)
            return
        instrument.state = "known"
        instrument.conid, instrument.min_tick = contracts[0]
        key = instrument.key.text
        for client in self.clients.values():
            if key in client.undefined:
                # A new session knows better than the last one.
                client.undefined.discard(key)
                client.pending.setdefault(client.command_of[key], Pending(now.mono, set())).remaining.add(key)
        for client, pending, command in self._pending(key):
            pending.remaining.discard(key)
            pending.ok[key] = definition(instrument)
            self._answer(client, command, now)
        self.advance(now)

    # Time

    def advance(self, now: Instant) -> None:
        """What time alone brings; called at least every 50 ms and after every input."""
        self._now = now
        self._carry_out(self.session.advance(now), now)
        if self.desired.expire(now.mono):
            self._replan = True
        self.grow_quota(now)
        self.retry_dark(now)
        self._make_plan(now)
        self._pump(now)
        for client in list(self.clients.values()):
            self._advance_client(client, now)

    def health(self) -> dict[str, Any]:
        """State and counters for the health page: no instrument, no secret."""
        return {
            "ib": self.session.ib,
            "epoch": self.epoch,
            "clients": len(self.clients),
            "lines_used": self.lines_used,
            "lines": self.quota.lines,
            "books_used": self.books_used,
            "books": self.quota.books,
            "last_tick_us": self.last_tick,
            "connects": self.session.connects,
            "counters": dict(sorted(self.counters.items())),
            "unknown_ticks": {str(tick): count for tick, count in sorted(self.unknown_ticks.items())},
        }
