"""Both directions of the wire: commands of a client read tolerantly but exactly, events written once."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, NoReturn

from . import keys

VERSION = 1
MAX_SUBS = 500
MAX_ID = 64
MAX_TEXT = 400
BAR_KINDS = ("TRADES", "MIDPOINT", "BID", "ASK")

# Close codes.
VERSION_MISMATCH = 4000
HELLO_TIMEOUT = 4002
UNAUTHORIZED = 4003
RESTART = 1012
OVERLOAD = 1013


class BadRequest(ValueError):
    """A frame that isn't a command. `id` is the command's where it could be read."""

    def __init__(self, reason: str, command: str = "") -> None:
        super().__init__(reason)
        self.id = command


@dataclass(frozen=True, slots=True)
class Sub:
    """What a client wants of one instrument."""

    key: keys.Key
    l1: bool
    depth: int
    bars: str  # kind of bars, or empty
    priority: int


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `bad` holds keys that can't be read, cut to a bounded length."""

    op: str
    id: str = ""
    version: object = None
    client: str = ""
    resume: str = ""
    subs: tuple[Sub, ...] = ()
    keys: tuple[str, ...] | None = None
    bad: tuple[tuple[str, str], ...] = field(default=())


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _text(value: object, limit: int) -> str:
    return value[:limit] if isinstance(value, str) else ""


def read(frame: str) -> Command:
    """Reads one frame.

    - Throws: `BadRequest` for everything that isn't a command; nothing else, whatever comes.
    """
    try:
        value = json.loads(frame, parse_constant=_constant)
    except (ValueError, RecursionError):
        raise BadRequest("not JSON") from None
    if not isinstance(value, dict):
        raise BadRequest("not an object")
    op = value.get("op")
    if op == "hello":
        return Command(
            op="hello",
            version=value.get("v"),
            client=_text(value.get("client"), MAX_ID),
            resume=_text(value.get("resume"), MAX_ID),
        )
    command = value.get("id")
    if not isinstance(command, str) or not 0 < len(command) <= MAX_ID:
        raise BadRequest(f"id must be a string of 1 to {MAX_ID} characters")
    if op in ("set", "sub"):
        return _subscription(op, command, value.get("subs"))
    if op in ("unsub", "snap"):
        return _listing(op, command, value.get("ks"))
    if op == "ping":
        return Command(op="ping", id=command)
    raise BadRequest("unknown op", command)


def _subscription(op: str, command: str, raw: object) -> Command:
    if not isinstance(raw, list):
        raise BadRequest("subs must be an array", command)
    if len(raw) > MAX_SUBS:
        raise BadRequest(f"more than {MAX_SUBS} subs", command)
    subs: dict[str, Sub] = {}
    bad: list[tuple[str, str]] = []
    for entry in raw:
        name = entry.get("k") if isinstance(entry, dict) else None
        try:
            sub = _sub(entry)
        except keys.BadKey as fault:
            bad.append((_text(name, keys.MAX_LENGTH), str(fault)))
            continue
        # A key named twice: the last entry counts.
        subs[sub.key.text] = sub
    return Command(op=op, id=command, subs=tuple(subs.values()), bad=tuple(bad))


def _sub(entry: object) -> Sub:
    if not isinstance(entry, dict):
        raise keys.BadKey("a sub is an object")
    key = keys.parse(entry.get("k"))
    l1, depth, bars = entry.get("l1"), entry.get("depth"), entry.get("bars")
    what, priority = entry.get("what"), entry.get("pri")
    if not all(flag is None or isinstance(flag, bool) for flag in (l1, bars)):
        raise keys.BadKey("l1 and bars are booleans")
    if depth is None:
        depth = 0
    if not _is_integer(depth, 0, 5):
        raise keys.BadKey("depth is 0 to 5")
    if what is None:
        what = BAR_KINDS[0]
    if what not in BAR_KINDS:
        raise keys.BadKey("what is one of " + ", ".join(BAR_KINDS))
    if priority is None:
        priority = 5
    if not _is_integer(priority, 0, 9):
        raise keys.BadKey("pri is 0 to 9")
    # An entry that asks for nothing by name asks for quotes.
    if l1 is None and not depth and not bars:
        l1 = True
    return Sub(key=key, l1=bool(l1), depth=depth, bars=what if bars else "", priority=priority)


def _is_integer(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _listing(op: str, command: str, raw: object) -> Command:
    if raw is None and op == "snap":
        return Command(op=op, id=command)
    if not isinstance(raw, list):
        raise BadRequest("ks must be an array", command)
    if len(raw) > MAX_SUBS:
        raise BadRequest(f"more than {MAX_SUBS} ks", command)
    good: dict[str, None] = {}
    bad: list[tuple[str, str]] = []
    for entry in raw:
        try:
            good[keys.parse(entry).text] = None
        except keys.BadKey as fault:
            bad.append((_text(entry, keys.MAX_LENGTH), str(fault)))
    return Command(op=op, id=command, keys=tuple(good), bad=tuple(bad))


def number(value: float | None) -> float | int | None:
    """A number as the wire has it: whole ones without a point; what isn't finite is null."""
    if value is None or not math.isfinite(value):
        return None
    whole = int(value)
    return whole if whole == value and abs(whole) < 1 << 53 else value


def clip(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"


class Event:
    """One event, encoded once for all clients; only the sequence number is each client's own."""

    __slots__ = ("body", "ev", "key", "tail", "tb")

    def __init__(self, ev: str, tb: int, body: dict[str, Any], key: str = "") -> None:
        self.ev = ev
        self.tb = tb
        self.key = key
        self.body = body
        inner = json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False)[1:-1]
        named = f',"k":{json.dumps(key)}' if key else ""
        self.tail = f"{named},{inner}}}" if inner else f"{named}}}"

    @property
    def size(self) -> int:
        """Bytes on the wire, but for a few: the sequence number isn't known yet."""
        tail = self.tail
        return (len(tail) if tail.isascii() else len(tail.encode())) + 48

    def text(self, n: int) -> str:
        return f'{{"ev":"{self.ev}","n":{n},"tb":{self.tb}{self.tail}'
