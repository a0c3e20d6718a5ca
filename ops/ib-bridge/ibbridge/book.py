"""A depth book as a real array: insert shifts rows down, delete shifts rows up.

The library's own book is a dictionary by position in which an insert overwrites, so it isn't used.
"""

from __future__ import annotations

from typing import Any

INSERT, UPDATE, DELETE = 0, 1, 2
ASK, BID = 0, 1
OPERATIONS = "iud"
SIDES = "ab"

# Far above what is asked for (5): rows beyond it mean that deletes were lost.
MAX_ROWS = 20

Row = tuple[float, float, str]


class IndexFault(Exception):
    """An operation names a row that can't be: one before it was lost, and the book must be made anew."""


class Book:
    """One instrument's rows, best first."""

    __slots__ = ("asks", "bids", "operations")

    def __init__(self) -> None:
        self.bids: list[Row] = []
        self.asks: list[Row] = []
        self.operations = 0

    def clear(self) -> None:
        self.bids.clear()
        self.asks.clear()

    def apply(self, operation: int, side: int, position: int, price: float, size: float, maker: str) -> None:
        """Applies one row operation.

        - Throws: `IndexFault` where position, operation or side can't be; the book is unchanged then.
        """
        if side not in (ASK, BID) or operation not in (INSERT, UPDATE, DELETE):
            raise IndexFault(f"operation {operation} on side {side}")
        rows = self.bids if side == BID else self.asks
        last = len(rows) if operation == INSERT else len(rows) - 1
        if not 0 <= position <= last:
            raise IndexFault(f"{OPERATIONS[operation]} at {position} of {len(rows)} rows")
        if operation == INSERT:
            if len(rows) >= MAX_ROWS:
                raise IndexFault(f"more than {MAX_ROWS} rows")
            rows.insert(position, (price, size, maker))
        elif operation == UPDATE:
            rows[position] = (price, size, maker)
        else:
            del rows[position]
        self.operations += 1

    def rows(self) -> dict[str, Any]:
        """Both sides in the wire's form."""
        return {"b": [list(row) for row in self.bids], "a": [list(row) for row in self.asks]}
