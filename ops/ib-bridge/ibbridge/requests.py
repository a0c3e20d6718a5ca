"""What is asked of TWS, in which order and how fast: by rank, by difference to what is there."""

from __future__ import annotations

from .clientside import ClientSide
from .desired import Item
from .instant import Instant
from .instruments import Feed, Instrument
from .state import Ask

DETAILS_PATIENCE = 15.0
DETAILS_RETRY = 30.0
GENERIC_TICKS = "233"


class Requests(ClientSide):
    """See the module."""

    # The plan

    def _make_plan(self, now: Instant) -> None:
        """Ranks what is wanted, drops what is served in vain, tells who is refused and who no longer is."""
        if not self._replan:
            return
        self._replan = False
        live: set[Item] = set()
        barred: set[Item] = set()
        for instrument in self.instruments.values():
            for item, feed in instrument.feeds.items():
                if feed.request:
                    live.add(item)
                if feed.barred:
                    barred.add(item)
        wanted = self.desired.names()
        for item in self.desired.subscribers:
            if self.instruments[item.key].state == "bad":
                barred.add(item)
        self._plan = self.desired.plan(self.quota, live, barred)
        for key in [key for key in self.instruments if key not in wanted]:
            self._retire(self.instruments[key])
        for instrument in self.instruments.values():
            for item, feed in instrument.feeds.items():
                if feed.request and item not in self._plan.served:
                    self._drop(feed, instrument)
        self._tell_refusals(now)

    def _tell_refusals(self, now: Instant) -> None:
        for client in self.clients.values():
            for item in [item for item, reason in client.refused.items() if reason.startswith("limit_")]:
                if item in self._plan.served:
                    self._served_again(client, item, now)
        codes = {"limit_lines": 101, "limit_depth": 309}
        for item, reason in self._plan.refused.items():
            for number_ in self.desired.subscribers.get(item, ()):
                subscriber = self.clients.get(number_)
                if subscriber is not None:
                    self._refuse(subscriber, item, reason, codes[reason], now)

    def _retire(self, instrument: Instrument) -> None:
        """Forgets an instrument nobody names, once nothing of it lingers."""
        if any(item in self._plan.served for item in instrument.feeds):
            return
        for feed in instrument.feeds.values():
            self._drop(feed, instrument)
        if instrument.request:
            self._by_request.pop(instrument.request, None)
        del self.instruments[instrument.key.text]

    # Sending

    def _pump(self, now: Instant) -> None:
        """Sends what is due, by rank, as fast as TWS may be asked."""
        if not self.session.may_ask:
            return
        if not self._send_cancels(now):
            return
        if self.settings.delayed_fallback and not self._type_asked and self.messages.take(now.mono):
            self._type_asked = True
            self.actions.append(Ask("data_type"))
        for item, need in self._plan.served.items():
            if need.priority >= 0 and not self._request(item, need.rows, now):
                return

    def _send_cancels(self, now: Instant) -> bool:
        while self._cancels and self.messages.take(now.mono):
            self.actions.append(self._cancels.pop(0))
        return not self._cancels

    def _request(self, item: Item, rows: int, now: Instant) -> bool:
        """Asks for an item if it's missing and due. False where TWS may not be asked any more now."""
        instrument = self.instruments[item.key]
        if instrument.state == "asked" and now.mono - instrument.asked_at >= DETAILS_PATIENCE:
            self.count("details_timeouts")
            self._by_request.pop(instrument.request, None)
            instrument.state, instrument.request = "new", 0
            instrument.retry_at = now.mono + DETAILS_RETRY
        if instrument.state == "new" and now.mono >= instrument.retry_at:
            if not self.messages.take(now.mono):
                return False
            instrument.state = "asked"
            instrument.asked_at = now.mono
            instrument.request = self._number(instrument, None)
            self.actions.append(Ask("details", instrument.request, item.key))
        if instrument.state != "known":
            return True
        feed = instrument.feed(item)
        if feed.request and item.kind == "depth" and rows > feed.rows:
            self._again(instrument, feed, now.mono)
        # What is taken back goes first: TWS counts the old one until then.
        if not self._send_cancels(now):
            return False
        if feed.request or now.mono < feed.retry_at:
            return True
        if item.kind == "bars" and not self._bars_due(feed, now):
            return True
        if not self.messages.take(now.mono):
            return False
        if item.kind == "bars":
            self.bar_pacer.sent(now.mono, item.key, item.what)
        self._ask(instrument, feed, rows, now)
        return True

    def _bars_due(self, feed: Feed, now: Instant) -> bool:
        wait = self.bar_pacer.wait(now.mono, feed.item.key, feed.item.what, feed.again)
        if wait <= 0:
            return True
        feed.retry_at = now.mono + wait
        if self.bar_pacer.used(now.mono) >= self.bar_pacer.quota:
            self.refuse_all(feed.item, "pacing", 0, now)
        return False

    def _ask(self, instrument: Instrument, feed: Feed, rows: int, now: Instant) -> None:
        item = feed.item
        feed.request = self._number(instrument, feed)
        feed.rows = rows
        feed.again = False
        if item.kind == "l1":
            instrument.quote.begin()
        elif item.kind == "depth":
            instrument.book.clear()
            self.publish_book(instrument, now)
        for client in self.clients.values():
            # What TWS refused for a reason of its own is tried now: should it refuse again, that's another nack.
            if not client.refused.get(item, "limit_").startswith("limit_"):
                self._served_again(client, item, now)
        generic = "" if instrument.key.sec == "IND" or feed.plain else GENERIC_TICKS
        self.actions.append(
            Ask(
                item.kind,
                feed.request,
                item.key,
                what=item.what,
                rows=rows,
                generic=generic,
                smart=instrument.key.is_smart,
            )
        )

    def _number(self, instrument: Instrument, feed: Feed | None) -> int:
        request = self._next_request
        self._next_request += 1
        self._by_request[request] = (instrument, feed)
        return request

    # Taking back

    def _again(self, instrument: Instrument, feed: Feed, at: float, cancel: bool = True) -> None:
        """The feed is to be asked for anew, not before `at`."""
        self._drop(feed, instrument, cancel)
        feed.retry_at = at

    def _drop(self, feed: Feed, instrument: Instrument, cancel: bool = True) -> None:
        if not feed.request:
            return
        self._by_request.pop(feed.request, None)
        if cancel:
            smart = instrument.key.is_smart
            self._cancels.append(Ask(f"cancel_{feed.item.kind}", feed.request, feed.item.key, smart=smart))
        feed.request = 0
        if feed.item.kind == "depth" and (instrument.book.bids or instrument.book.asks):
            instrument.book.clear()
