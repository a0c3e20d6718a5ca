"""What the bridge knows of one instrument and of its subscriptions at TWS."""

from __future__ import annotations

from dataclasses import dataclass, field

from .book import Book
from .desired import Item
from .keys import Key
from .quotes import Quote

FAR_PAST = float("-inf")


@dataclass(slots=True)
class Feed:
    """One subscription at TWS. `request` is 0 while there is none."""

    item: Item
    request: int = 0
    rows: int = 0
    retry_at: float = FAR_PAST
    tries: int = 0
    last_fault: float = FAR_PAST
    plain: bool = False  # without extra ticks
    again: bool = False  # TWS told to repeat it at once
    barred: str = ""  # the reason TWS refused it, until the next session
    code: int = 0

    def back_off(self, now: float, first: float, most: float, forget: float = 120.0) -> None:
        """Waits before the next request, twice as long each time; a quiet while starts over."""
        if now - self.last_fault > max(forget, 2 * most):
            self.tries = 0
        self.last_fault = now
        self.retry_at = now + min(most, first * 2**self.tries)
        self.tries = min(self.tries + 1, 16)


@dataclass(slots=True)
class Instrument:
    """A contract. `state` of its definition: new, asked, known or bad."""

    key: Key
    state: str = "new"
    request: int = 0
    asked_at: float = 0.0
    retry_at: float = FAR_PAST
    conid: int = 0
    min_tick: float = 0.0
    code: int = 0
    stale: bool = False
    dark_since: float | None = None  # a competing session took its data
    dark_retry: float = 0.0
    quote: Quote = field(init=False)
    book: Book = field(default_factory=Book)
    feeds: dict[Item, Feed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.quote = Quote(self.key.sec)

    def feed(self, item: Item) -> Feed:
        feed = self.feeds.get(item)
        if feed is None:
            feed = self.feeds[item] = Feed(item)
        return feed

    def forget_session(self) -> None:
        """A new session at TWS: no request of the old one lives, no refusal counts."""
        self.request = 0
        self.dark_since = None
        self.retry_at = FAR_PAST
        if self.state != "known":
            self.state = "new"
        for feed in self.feeds.values():
            feed.request = 0
            feed.retry_at = FAR_PAST
            feed.barred = ""
            feed.tries = 0
            feed.again = False
        self.book.clear()
        self.quote.begin()
