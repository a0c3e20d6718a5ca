"""One instrument's level 1: ticks of TWS in, `snap`, `q` and `t` bodies out.

TWS' last-value caches are not used: they keep old prices after a loss. Here every field has come in this subscription.
"""

from __future__ import annotations

from typing import Any

from .wire import number

# Tick types by field; the second of a pair is the delayed twin.
BID_PRICE, ASK_PRICE, LAST_PRICE = (1, 66), (2, 67), (4, 68)
BID_SIZE, ASK_SIZE, LAST_SIZE = (0, 69), (3, 70), (5, 71)
LAST_TIME = (45, 88)
HALTED = (49, 90)
LAST_EXCHANGE = 84
RT_VOLUME = 48
_DAY_PRICES = {6: "h", 72: "h", 7: "lo", 73: "lo", 9: "c", 75: "c", 14: "o", 76: "o"}
_VOLUME = (8, 74)
_DELAYED = frozenset(range(66, 77)) | {88, 90}

# Every type TWS documents; one beyond them is counted by its number, never raised.
KNOWN = frozenset(range(108))

LIVE, FROZEN, DELAYED, DELAYED_FROZEN = 1, 2, 3, 4

SETTLE = 500_000  # µs after the first tick in which TWS hands out its picture, not events
DAY = 86_400_000  # ms; an age isn't told beyond
REFRESH = 10_000_000  # µs between two snaps that only carry day figures


class Quote:
    """The picture of one subscription. Prices are None where the side is empty or nothing came yet."""

    def __init__(self, sec: str) -> None:
        self._sec = sec
        self.fields: dict[str, float | None] = {}
        self.mdt = 0
        self.halt: int | None = None
        self.last_tick = 0  # µs, of this subscription; 0: none yet
        self.begin()

    def begin(self) -> None:
        """A new subscription: nothing of the old one is true any more."""
        self.fields = dict.fromkeys(("b", "a", "bs", "as", "l", "ls", "v", "o", "h", "lo", "c", "vw"))
        self.mdt = 0
        self.halt = None
        self.last_tick = 0
        self._trade_second: int | None = None
        self._exchange = ""
        self._changed: set[str] = set()
        self._touched_last = False
        self._rt_seen = False
        self._rt_trades: list[dict[str, Any]] = []
        self._last_sent: tuple[float | None, float | None] = (None, None)
        self._needs_snap = True
        self._settled_at = 0
        self._snapped_at = 0

    def mark(self) -> None:
        """After a loss: what comes next is said whole, so that the client sees that it is fresh."""
        self._needs_snap = True

    # Ticks in

    def price(self, tick: int, price: float, size: float, now: int) -> None:
        """A price tick with the size that came along."""
        self._seen(tick, now)
        if tick in BID_PRICE:
            self._side("b", "bs", price, size)
        elif tick in ASK_PRICE:
            self._side("a", "as", price, size)
        elif tick in LAST_PRICE:
            # -1 without size is "none", but a legal value of an index such as TICK-NYSE.
            if price <= 0 and self._sec in ("STK", "OPT"):
                return
            if price == -1 and size == 0 and self._sec != "IND":
                return
            self._put("l", price)
            self._put("ls", size)
            self._touched_last = True
        elif tick in _DAY_PRICES and (price > 0 or self._sec in ("IND", "FUT")):
            self._put(_DAY_PRICES[tick], price)

    def size(self, tick: int, size: float, now: int) -> None:
        self._seen(tick, now)
        if tick in BID_SIZE:
            self._side("b", "bs", self.fields["b"], size)
        elif tick in ASK_SIZE:
            self._side("a", "as", self.fields["a"], size)
        elif tick in LAST_SIZE:
            if self.fields["l"] is not None:
                self._put("ls", size)
                self._touched_last = True
        elif tick in _VOLUME:
            self._put("v", size)

    def string(self, tick: int, value: str, now: int) -> bool:
        """A text tick. False where its text isn't what the type promises."""
        self._seen(tick, now)
        try:
            if tick in LAST_TIME:
                second = int(value)
                self._trade_second = second or None
            elif tick == LAST_EXCHANGE:
                self._exchange = value[:8]
            elif tick == RT_VOLUME:
                self._rt_volume(value)
        except ValueError:
            return False
        return True

    def generic(self, tick: int, value: float, now: int) -> None:
        self._seen(tick, now)
        if tick in HALTED:
            halt = int(value) if value in (0, 1, 2) else None
            if halt != self.halt:
                self.halt = halt
                self._changed.add("hlt")

    def data_type(self, mdt: int) -> None:
        """Live, frozen, delayed or delayed-frozen. No tick: it says nothing about age."""
        if mdt != self.mdt and mdt in (LIVE, FROZEN, DELAYED, DELAYED_FROZEN):
            self.mdt = mdt
            self._changed.add("mdt")

    def _seen(self, tick: int, now: int) -> None:
        if not self.last_tick:
            self._settled_at = now + SETTLE
        self.last_tick = now
        if tick in _DELAYED:
            if self.mdt not in (DELAYED, DELAYED_FROZEN):
                self.data_type(DELAYED)
        elif self.mdt == 0 and tick in (0, 1, 2, 3, 4, 5):
            self.data_type(LIVE)

    def _put(self, name: str, value: float | None) -> None:
        if self.fields[name] != value:
            self.fields[name] = value
            self._changed.add(name)

    def _side(self, price_name: str, size_name: str, price: float | None, size: float) -> None:
        """A side is empty without size, and where the price says so: -1, or 0 where nothing costs 0."""
        empty = price is None or (price <= 0 and self._sec != "FUT")
        if size == 0 and self._sec != "IND":
            empty = True
        self._put(price_name, None if empty else price)
        self._put(size_name, None if empty else size)

    def _rt_volume(self, value: str) -> None:
        """`price;size;time ms;day volume;VWAP;single`: a trade where a price is given."""
        price, size, milliseconds, volume, vwap, _ = value.split(";")
        # All of it is read before any of it counts.
        read = [float(text) if text else None for text in (price, size, volume, vwap)]
        second = int(milliseconds) // 1000 if milliseconds else None
        if read[2] is not None:
            self._put("v", read[2])
        if read[3] is not None:
            self._put("vw", read[3])
        if read[0] is None:
            return
        first = not self._rt_seen
        self._rt_seen = True
        # The same trade came as a plain last tick a moment ago: it's one trade.
        if first and self._last_sent == (read[0], read[1]):
            return
        self._rt_trades.append({"p": number(read[0]), "s": number(read[1] or 0), "ti": second})

    # Events out

    def flush(self, now: int) -> list[tuple[str, dict[str, Any]]]:
        """What the ticks since the last call come to: at most one `snap` or `q`, and the trades."""
        trades = self._trades()
        changed, self._changed = self._changed, set()
        self._touched_last = False
        self._exchange = ""
        if not self.last_tick:
            # Nothing but the kind of data so far.
            self._changed = changed
            return []
        settling = now < self._settled_at
        stale = now - self._snapped_at >= REFRESH and changed & {"v", "vw", "h", "lo"}
        whole = self._needs_snap or changed & {"mdt", "o", "c"} or (settling and changed) or stale
        if whole:
            self._needs_snap = False
            events = [("snap", self.snap(now))]
            self._snapped_at = now
            # The first picture isn't a trade, whatever its fields.
            return events if settling else events + trades
        names = changed & {"b", "a", "bs", "as"}
        body: dict[str, Any] = {name: number(self.fields[name]) for name in ("b", "a", "bs", "as") if name in names}
        if "hlt" in changed:
            body["hlt"] = self.halt
        # Day figures wait for the next refresh.
        self._changed |= changed & {"v", "vw", "h", "lo"}
        return ([("q", body)] if body else []) + trades

    def _trades(self) -> list[tuple[str, dict[str, Any]]]:
        if self._rt_seen:
            events = [("t", body) for body in self._rt_trades]
            self._rt_trades = []
            return events
        if not self._touched_last or self.fields["l"] is None:
            return []
        self._last_sent = (self.fields["l"], self.fields["ls"])
        body: dict[str, Any] = {"p": number(self.fields["l"]), "s": number(self.fields["ls"] or 0)}
        if self._exchange:
            body["ex"] = self._exchange
        body["ti"] = self._trade_second
        return [("t", body)]

    def snap(self, now: int) -> dict[str, Any]:
        """The whole picture; null where nothing is known, `age_ms` null before the first tick."""
        body: dict[str, Any] = {name: number(value) for name, value in self.fields.items() if name != "vw"}
        if self.fields["vw"] is not None:
            body["vw"] = number(self.fields["vw"])
        body["hlt"] = self.halt
        body["mdt"] = self.mdt
        age = max(0, (now - self.last_tick) // 1000)
        body["age_ms"] = min(age, DAY) if self.last_tick else None
        return body
