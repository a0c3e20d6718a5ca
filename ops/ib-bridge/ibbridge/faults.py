"""What TWS' message codes lead to: the actions of the table in `errors`, carried out on the core's state."""

from __future__ import annotations

from . import wire
from .desired import Item
from .errors import Action, Rule, rule_of
from .instant import Instant
from .instruments import Feed, Instrument
from .quotes import DELAYED
from .requests import Requests
from .wire import Event

# Every 45 s a dark instrument is asked for anew.
DARK_RETRY = 45.0
# Packets of before the loss may still arrive.
DARK_GRACE = 2.0
QUOTA_GROWTH = 300.0

_SESSION = {
    Action.CONNECTION_LOST,
    Action.DATA_LOST,
    Action.DATA_KEPT,
    Action.NEW_PORT,
    Action.FARM_BROKEN,
    Action.FARM_OK,
    Action.HISTORY_OK,
    Action.CLIENT_ID_IN_USE,
    Action.CONNECT_FAULT,
}
# Nothing that anybody should look at.
_WELL = {Action.INFO, Action.FARM_OK, Action.HISTORY_OK}
# Told by `st`, or nothing to tell.
_SILENT = (_SESSION - {Action.NEW_PORT, Action.CLIENT_ID_IN_USE, Action.CONNECT_FAULT}) | {
    Action.INFO,
    Action.DEPTH_GONE,
}


class Faults(Requests):
    """The part of the core that answers to message codes."""

    def tws_error(self, request: int, code: int, text: str, now: Instant) -> None:
        """A message of TWS: an error, a warning or information."""
        rule = rule_of(code)
        text = wire.clip(text)
        self.count(f"code_{code}")
        self.note("info" if rule.action in _WELL else "warning", "tws", code=code, req=request, msg=text)
        found = self._by_request.get(request)
        instrument, feed = found or (None, None)
        if rule.action not in _SILENT:
            self._tell_error(request, code, text, instrument, now)
        if rule.action in _SESSION:
            self._carry_out(self.session.said(now, rule.action, code, text), now)
        elif rule.action is Action.SLOW_DOWN:
            self.messages.breach(now.mono)
        elif rule.action is Action.COMPETING:
            self._darken(instrument, now)
        elif rule.action is Action.DATA_AGAIN and instrument is None:
            self._all_again(now)
        elif rule.action is Action.SHED_LINE:
            self._shed("lines", instrument, feed, now)
        elif rule.action is Action.DEPTH_LIMIT:
            self._shed("books", instrument, feed, now)
        elif instrument is not None and feed is not None:
            self._feed_fault(rule, instrument, feed, code, now)
        elif instrument is not None:
            self._definition_fault(rule, instrument, code, text, now)
        self.advance(now)

    def _tell_error(self, request: int, code: int, text: str, instrument: Instrument | None, now: Instant) -> None:
        key = instrument.key.text if instrument else ""
        body: dict[str, object] = {"code": code, "msg": text}
        if request > 0:
            body["req"] = request
        event = Event("err", now.wall, body, key)
        for client in self.clients.values():
            if not client.greeted or (key and key not in self.desired.clients.get(client.number, {})):
                continue
            if client.errors.take(now.mono):
                self._send(client, event, now)
            else:
                self.count("errors_suppressed")

    def _feed_fault(self, rule: Rule, instrument: Instrument, feed: Feed, code: int, now: Instant) -> None:
        action = rule.action
        if action is Action.DELAYED:
            instrument.quote.data_type(DELAYED)
            self._dirty[instrument.key.text] = instrument
            self.packet_done(now)
        elif action is Action.NEW_ID:
            # The number belongs to somebody else: it isn't cancelled.
            self._next_request += 1000
            self._again(instrument, feed, now.mono, cancel=False)
        elif action is Action.BACK_OFF:
            feed.back_off(now.mono, 15.0, 600.0)
            self._again(instrument, feed, feed.retry_at, cancel=False)
            self.refuse_all(feed.item, rule.reason, code, now)
        elif action in (Action.DEPTH_AGAIN, Action.DATA_AGAIN, Action.BARS_AGAIN):
            if action is Action.DEPTH_AGAIN:
                self.book_again(instrument, feed, now)
            elif action is Action.BARS_AGAIN:
                feed.again = True
                self._again(instrument, feed, now.mono)
            else:
                self._make_stale(instrument)
                self._repeat(instrument, feed, now)
        elif action is Action.NO_PERMISSION and self.settings.delayed_fallback and feed.tries == 0:
            self._type_asked = False
            feed.back_off(now.mono, 1.0, 60.0)
            self._again(instrument, feed, feed.retry_at, cancel=False)
        elif action is Action.BAD_REQUEST and feed.item.kind == "l1" and not feed.plain:
            # TWS refuses a request whose extra ticks it doesn't have for this kind of contract: without them, then.
            feed.plain = True
            self._again(instrument, feed, now.mono, cancel=False)
        elif action in (Action.NO_DEFINITION, Action.NO_PERMISSION, Action.DEPTH_REFUSED, Action.BAD_REQUEST):
            # Its definition is known: only this use of it is refused.
            self._forget_request(instrument, feed)
            feed.barred, feed.code = rule.reason, code
            self._replan = True
            self.refuse_all(feed.item, rule.reason, code, now)

    def _definition_fault(self, rule: Rule, instrument: Instrument, code: int, text: str, now: Instant) -> None:
        """A code for a request of details."""
        if rule.action in (Action.INFO, Action.DELAYED):
            return
        self._by_request.pop(instrument.request, None)
        instrument.request = 0
        if rule.action in (Action.NO_DEFINITION, Action.BAD_REQUEST):
            self.undefined(instrument, code, text, now)
        else:
            instrument.state = "new"
            instrument.retry_at = now.mono + 5.0

    def undefined(self, instrument: Instrument, code: int, text: str, now: Instant) -> None:
        """No such contract: said once, not asked again in this session."""
        instrument.state = "bad"
        instrument.code = code
        key = instrument.key.text
        self.note("warning", "no definition", k=key, code=code, msg=text)
        for client in self.clients.values():
            if key in self.desired.clients.get(client.number, {}):
                client.undefined.add(key)
                self._nack(client, client.command_of.get(key, ""), key, code, "no_definition", now, text)
        for client, pending, command in self._pending(key):
            pending.remaining.discard(key)
            self._answer(client, command, now)
        self._replan = True

    def _forget_request(self, instrument: Instrument, feed: Feed) -> None:
        self._drop(feed, instrument, cancel=False)

    def _repeat(self, instrument: Instrument, feed: Feed, now: Instant) -> None:
        """Anew: at once the first time, then with growing pauses."""
        first = feed.last_fault < now.mono - 120.0
        feed.back_off(now.mono, 1.0, 60.0)
        self._again(instrument, feed, now.mono if first else feed.retry_at)

    def book_again(self, instrument: Instrument, feed: Feed, now: Instant) -> None:
        """The book is void: cleared for everybody and asked for anew."""
        instrument.book.clear()
        self.publish_book(instrument, now)
        self._repeat(instrument, feed, now)

    def _all_again(self, now: Instant) -> None:
        for instrument in self.instruments.values():
            self._make_stale(instrument)
            for feed in instrument.feeds.values():
                if feed.request:
                    self._repeat(instrument, feed, now)

    # Quotas that TWS makes smaller than configured

    def _shed(self, kind: str, instrument: Instrument | None, feed: Feed | None, now: Instant) -> None:
        if instrument is not None and feed is not None:
            self._forget_request(instrument, feed)
            # Who goes is decided by rank; should it be another one, this one is asked for again.
            feed.retry_at = now.mono + 1.0
        if kind == "lines":
            self.quota.lines = max(1, min(self.quota.lines - 1, self.lines_used))
        else:
            self.quota.books = max(0, min(self.quota.books - 1, self.books_used))
        self._quota_growth_at = now.mono + QUOTA_GROWTH
        self._replan = True
        self.note("warning", "fewer subscriptions than configured", lines=self.quota.lines, books=self.quota.books)

    def grow_quota(self, now: Instant) -> None:
        """One more of each every five minutes, up to what is configured: others may have freed theirs."""
        full = self.quota.lines >= self.settings.lines and self.quota.books >= self.settings.books
        if full or now.mono < self._quota_growth_at:
            return
        self._quota_growth_at = now.mono + QUOTA_GROWTH
        self.quota.lines = min(self.settings.lines, self.quota.lines + 1)
        self.quota.books = min(self.settings.books, self.quota.books + 1)
        self._replan = True

    # A competing session

    def _darken(self, instrument: Instrument | None, now: Instant) -> None:
        for dark in [instrument] if instrument else self._wanted():
            self._make_stale(dark)
            dark.dark_since = now.mono
            dark.dark_retry = now.mono + DARK_RETRY
        self._carry_out(self.session.competing_changed(True), now)

    def light(self, instrument: Instrument, feed: Feed, now: Instant) -> None:
        """A tick of a dark instrument: the end of it, unless it may be of before."""
        if instrument.dark_since is None or now.mono - instrument.dark_since < DARK_GRACE:
            return
        instrument.dark_since = None
        for other in instrument.feeds.values():
            if other is not feed and other.request:
                self._again(instrument, other, now.mono)
        instrument.stale = False
        if not any(each.dark_since is not None for each in self.instruments.values()):
            self._carry_out(self.session.competing_changed(False), now)

    def retry_dark(self, now: Instant) -> None:
        if not self.session.competing or not self.session.may_ask:
            return
        for instrument in self.instruments.values():
            if instrument.dark_since is None or now.mono < instrument.dark_retry:
                continue
            instrument.dark_retry = now.mono + DARK_RETRY
            key = instrument.key.text
            l1 = instrument.feeds.get(Item("l1", key))
            self.count("dark_retries")
            for feed in [l1] if l1 is not None and l1.request else list(instrument.feeds.values()):
                self._again(instrument, feed, now.mono)
        if not any(each.dark_since is not None for each in self.instruments.values()):
            self._carry_out(self.session.competing_changed(False), now)

    # Staleness

    def _wanted(self) -> list[Instrument]:
        return [self.instruments[key] for key in self.desired.names() if key in self.instruments]

    def _make_stale(self, instrument: Instrument) -> None:
        instrument.stale = True
        instrument.quote.mark()
