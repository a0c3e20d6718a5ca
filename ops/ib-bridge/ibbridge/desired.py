"""What all clients want together, and what of it fits into the account's quotas.

Kept outside of anything that dies with the connection to TWS. References are counted by construction: the union is made
from the clients' own sets. What nobody wants any more lingers, so that a client that reconnects costs no request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from .wire import Sub

LINGER = 10.0


class Item(NamedTuple):
    """One subscription at TWS: `l1`, `depth` or `bars` of an instrument; `what` only for bars."""

    kind: str
    key: str
    what: str = ""


@dataclass(slots=True)
class Need:
    """How an item is wanted: the most rows and the highest priority any client asked for."""

    rows: int
    priority: int
    order: int


@dataclass(slots=True)
class Quota:
    """Market data lines (level 1 and bars together) and books."""

    lines: int = 100
    books: int = 3


@dataclass(slots=True)
class Plan:
    """Items to have at TWS, best rank first, and those that find no room with the reason for the `nack`."""

    served: dict[Item, Need] = field(default_factory=dict)
    refused: dict[Item, str] = field(default_factory=dict)


def items_of(sub: Sub) -> list[Item]:
    key = sub.key.text
    items = []
    if sub.l1:
        items.append(Item("l1", key))
    if sub.bars:
        items.append(Item("bars", key, sub.bars))
    if sub.depth:
        items.append(Item("depth", key))
    return items


class Desired:
    """The clients' sets by connection, and their union."""

    def __init__(self, linger: float = LINGER) -> None:
        self.linger = linger
        self.clients: dict[int, dict[str, Sub]] = {}
        self.subscribers: dict[Item, list[int]] = {}
        self._order: dict[Item, int] = {}
        self._next_order = 0
        self._lingering: dict[Item, float] = {}

    # Changes

    def replace(self, client: int, subs: Iterable[Sub], now: float) -> None:
        """The client's whole set."""
        self._change(now, lambda: self.clients.__setitem__(client, {sub.key.text: sub for sub in subs}))

    def add(self, client: int, subs: Iterable[Sub], now: float) -> None:
        """Adds, or changes what of an instrument is wanted."""
        self._change(now, lambda: self.clients.setdefault(client, {}).update({sub.key.text: sub for sub in subs}))

    def remove(self, client: int, keys: Iterable[str], now: float) -> None:
        def forget() -> None:
            mine = self.clients.get(client, {})
            for key in keys:
                mine.pop(key, None)

        self._change(now, forget)

    def leave(self, client: int, now: float) -> None:
        """The client is gone."""
        self._change(now, lambda: self.clients.pop(client, None))

    def _change(self, now: float, change: Callable[[], object]) -> None:
        before = set(self._union())
        change()
        after = self._union()
        self.subscribers = {}
        for client, mine in self.clients.items():
            for sub in mine.values():
                for item in items_of(sub):
                    self.subscribers.setdefault(item, []).append(client)
        for item in after:
            self._lingering.pop(item, None)
            if item not in self._order:
                self._order[item] = self._next_order
                self._next_order += 1
        for item in before - set(after):
            self._lingering[item] = now + self.linger

    # Questions

    def wants(self, client: int, item: Item) -> bool:
        return client in self.subscribers.get(item, ())

    def names(self) -> set[str]:
        """Every instrument any client names."""
        return {key for mine in self.clients.values() for key in mine}

    def expire(self, now: float) -> bool:
        """Ends what has lingered long enough; whether anything did."""
        over = [item for item, until in self._lingering.items() if until <= now]
        for item in over:
            self._forget(item)
        return bool(over)

    def plan(self, quota: Quota, live: set[Item], barred: set[Item]) -> Plan:
        """Ranks the union and cuts it to the quotas.

        `live` is what TWS serves now: only that may linger. `barred` was refused by TWS itself and takes no room.
        """
        plan = Plan()
        lines = books = 0
        union = self._union()
        ranked = sorted(union.items(), key=lambda pair: (-pair[1].priority, pair[1].order))
        idle = [(item, Need(5, -1, self._order[item])) for item in list(self._lingering) if item in live]
        for item, need in [*ranked, *idle]:
            if item in barred:
                continue
            if item.kind == "depth":
                room = books < quota.books
                books += room
            else:
                room = lines < quota.lines
                lines += room
            if room:
                plan.served[item] = need
            elif need.priority < 0:
                # Nobody wants it: it gives way at once.
                self._forget(item)
            else:
                plan.refused[item] = "limit_depth" if item.kind == "depth" else "limit_lines"
        return plan

    def _forget(self, item: Item) -> None:
        self._lingering.pop(item, None)
        self._order.pop(item, None)

    def _union(self) -> dict[Item, Need]:
        union: dict[Item, Need] = {}
        for mine in self.clients.values():
            for sub in mine.values():
                for item in items_of(sub):
                    need = union.get(item)
                    if need is None:
                        union[item] = Need(sub.depth, sub.priority, self._order.get(item, 0))
                    else:
                        need.rows = max(need.rows, sub.depth)
                        need.priority = max(need.priority, sub.priority)
        return union
