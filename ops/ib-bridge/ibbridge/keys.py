"""Instrument keys: what the wire calls `k`.

`STK:SPY:SMART:USD`, `IND:SPX:CBOE:USD`, `OPT:SPXW:20251219:6500:C:SMART:USD`, `FUT:ES:202512:CME:USD`.

A key has exactly one spelling. Two spellings of one contract would cost two lines and give the engine two instruments,
so a strike such as `6500.0` or `06500` is refused instead of tidied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_LENGTH = 64

_SYMBOL = r"[A-Z0-9](?:[A-Z0-9.\-/ ]{0,18}[A-Z0-9])?"
_VENUE = r"[A-Z0-9]{2,12}"
_MONEY = r"[A-Z]{3}"
_STRIKE = r"(?:0|[1-9][0-9]{0,6})(?:\.[0-9]{0,3}[1-9])?"
_MONTH = r"20[0-9]{2}(?:0[1-9]|1[0-2])"
_DATE = _MONTH + r"(?:0[1-9]|[12][0-9]|3[01])"

_FORMS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"(?P<sec>STK|IND):(?P<symbol>{_SYMBOL}):(?P<venue>{_VENUE}):(?P<money>{_MONEY})",
        rf"(?P<sec>OPT):(?P<symbol>{_SYMBOL}):(?P<expiry>{_DATE}):(?P<strike>{_STRIKE}):(?P<right>[CP])"
        rf":(?P<venue>{_VENUE}):(?P<money>{_MONEY})",
        rf"(?P<sec>FUT):(?P<symbol>{_SYMBOL}):(?P<expiry>{_DATE}|{_MONTH}):(?P<venue>{_VENUE}):(?P<money>{_MONEY})",
    )
)

# Trading classes of index options whose underlying's symbol is another word. TWS wants both.
_CLASS_UNDERLYING = {"SPXW": "SPX", "NDXP": "NDX", "RUTW": "RUT", "VIXW": "VIX", "XEO": "OEX", "MRUTW": "MRUT"}


class BadKey(ValueError):
    """What was given isn't an instrument key."""


@dataclass(frozen=True, slots=True)
class Key:
    """A parsed key; `text` is its only spelling."""

    text: str
    sec: str
    symbol: str
    venue: str
    money: str
    expiry: str = ""
    strike: str = ""
    right: str = ""

    @property
    def is_smart(self) -> bool:
        return self.venue == "SMART"

    def contract_fields(self) -> dict[str, str | float]:
        """The fields of the request for contract details, under the names TWS' API uses."""
        fields: dict[str, str | float] = {
            "secType": self.sec,
            "symbol": self.symbol,
            "exchange": self.venue,
            "currency": self.money,
        }
        if self.expiry:
            fields["lastTradeDateOrContractMonth"] = self.expiry
        if self.sec == "OPT":
            fields["symbol"] = _CLASS_UNDERLYING.get(self.symbol, self.symbol)
            fields["strike"] = float(self.strike)
            fields["right"] = self.right
            # Without a class SPX names the morning- and the evening-settled series at once. Classes of stocks with a
            # dot or a space in their name are spelled otherwise and are unambiguous anyway.
            if self.symbol.isalnum():
                fields["tradingClass"] = self.symbol
        return fields


def parse(text: object) -> Key:
    """Reads a key.

    - Throws: `BadKey`, naming what was given, cut to a bounded length.
    """
    if not isinstance(text, str):
        raise BadKey("a key is a string")
    if len(text) > MAX_LENGTH:
        raise BadKey(f"a key has at most {MAX_LENGTH} characters")
    for form in _FORMS:
        match = form.fullmatch(text)
        if match:
            return Key(text=text, **match.groupdict())
    raise BadKey("not an instrument key")
