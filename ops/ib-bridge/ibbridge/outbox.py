"""One client's queue: sequence numbers, frames, and what gives way when the client is slow.

Numbers are given when a frame is built, so what is merged in the queue leaves no hole. What is discarded is declared:
a `gap` jumps over as many numbers as there were events, and the state of the instruments concerned follows whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .instant import Instant
from .wire import OVERLOAD, Event


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one client's queue, in bytes and seconds."""

    conflate: int = 1 << 20
    step: int = 1 << 18
    close: int = 4 << 20
    close_after: float = 5.0
    hard: int = 16 << 20
    frame_bytes: int = 256 << 10
    frame_events: int = 64


class Outbox:
    """The queue. `resync(keys)` gives the `snap` and `book` events that stand in for what was discarded."""

    def __init__(self, resync: Callable[[Iterable[str]], list[Event]], limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.bytes = 0
        self.next_number = 1
        self.dropped = 0
        self.merged = 0
        self.compactions = 0
        self._resync = resync
        self._queue: deque[Event] = deque()
        # What the next frame has to declare before anything else.
        self._gap_count = 0
        self._gap_keys: dict[str, None] = {}
        self._gap_tb = 0
        self._threshold = self.limits.conflate
        self._over_since: float | None = None

    def __len__(self) -> int:
        return len(self._queue) + (1 if self._gap_count else 0)

    def push(self, event: Event, now: Instant) -> None:
        self._queue.append(event)
        self.bytes += event.size
        if self.bytes > self._threshold:
            self._compact(now)
        if self.bytes <= self.limits.close:
            self._over_since = None
        elif self._over_since is None:
            self._over_since = now.mono

    def verdict(self, now: Instant) -> tuple[int, str] | None:
        """The close code and reason, where the client is too slow to be served."""
        if self.bytes > self.limits.hard:
            return OVERLOAD, "queue beyond its hard limit"
        if self._over_since is not None and now.mono - self._over_since >= self.limits.close_after:
            return OVERLOAD, "too slow"
        return None

    def frame(self) -> str | None:
        """The next frame, or nothing; takes it off the queue."""
        parts: list[str] = []
        size = 2
        if self._gap_count:
            text = self._take_gap()
            parts.append(text)
            size += len(text.encode())
        queue = self._queue
        while queue and len(parts) < self.limits.frame_events:
            event = queue[0]
            if parts and size + event.size > self.limits.frame_bytes:
                break
            queue.popleft()
            self.bytes -= event.size
            parts.append(event.text(self.next_number))
            self.next_number += 1
            size += event.size
        if not queue:
            self._threshold = self.limits.conflate
        if self.bytes <= self.limits.close:
            self._over_since = None
        return f"[{','.join(parts)}]" if parts else None

    def _take_gap(self) -> str:
        first = self.next_number
        last = first + self._gap_count - 1
        event = Event(
            "gap", self._gap_tb, {"from": first, "to": last, "why": "backpressure", "ks": list(self._gap_keys)}
        )
        self.next_number = last + 2
        self._gap_count = 0
        self._gap_keys = {}
        return event.text(last + 1)

    def _compact(self, now: Instant) -> None:
        """Merges quotes, keeps the last trade of each instrument and no depth operation; declares what went."""
        self.compactions += 1
        before = len(self._queue)
        lost = self._lost_keys()
        kept, merged = self._keep(lost)
        discarded = before - len(kept) - merged
        self._queue = kept
        self.merged += merged
        if discarded:
            self.dropped += discarded
            self._gap_count += discarded
            self._gap_tb = now.wall
            for key in lost:
                self._gap_keys[key] = None
            self._queue.extend(self._resync(lost))
        self.bytes = sum(event.size for event in self._queue)
        self._threshold = max(self.limits.conflate, self.bytes + self.limits.step)

    def _lost_keys(self) -> dict[str, None]:
        """Instruments of which a trade or a depth operation has to go."""
        lost: dict[str, None] = {}
        traded: set[str] = set()
        for event in self._queue:
            if event.ev == "d" or (event.ev == "t" and event.key in traded):
                lost[event.key] = None
            elif event.ev == "t":
                traded.add(event.key)
        return lost

    def _keep(self, lost: dict[str, None]) -> tuple[deque[Event], int]:
        """What stays, in order, and how many events were merged into later ones. Walks from the newest."""
        kept: list[Event] = []
        merged = 0
        traded: set[str] = set()
        snapped: set[str] = set()
        beats = 0
        quotes: dict[str, int] = {}  # instrument -> index in `kept` of its newest quote
        for event in reversed(self._queue):
            key = event.key
            if event.ev == "d" or (key in lost and event.ev in ("q", "snap", "book")):
                continue
            if event.ev == "t":
                if key in traded:
                    continue
                traded.add(key)
            elif event.ev == "snap":
                if key in snapped:
                    merged += 1
                    continue
                snapped.add(key)
            elif event.ev == "hb":
                beats += 1
                if beats > 1:
                    merged += 1
                    continue
            elif event.ev == "q":
                if key in snapped:
                    merged += 1
                    continue
                if key in quotes:
                    newer = kept[quotes[key]]
                    kept[quotes[key]] = Event("q", newer.tb, {**event.body, **newer.body}, key)
                    merged += 1
                    continue
                quotes[key] = len(kept)
            kept.append(event)
        kept.reverse()
        return deque(kept), merged
