"""One client's side: its queue, its commands still to be answered, what it has been told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .desired import Item
from .outbox import Outbox
from .pacing import EventRate

ACK_PATIENCE = 2.0
NOTICES_PER_SECOND = 20


@dataclass(slots=True)
class Pending:
    """A command some of whose instruments aren't defined yet. Past its deadline it is answered in parts."""

    deadline: float
    remaining: set[str]
    ok: dict[str, Any] = field(default_factory=dict)
    answered: bool = False


@dataclass(slots=True)
class Client:
    """A connection. `greeted` after its hello; nothing but a close is sent before."""

    number: int
    outbox: Outbox
    hello_by: float
    name: str = ""
    greeted: bool = False
    closing: bool = False
    next_beat: float = 0.0
    malformed: int = 0
    pending: dict[str, Pending] = field(default_factory=dict)
    command_of: dict[str, str] = field(default_factory=dict)  # key -> the latest command that named it
    refused: dict[Item, str] = field(default_factory=dict)  # what it has been refused, and why
    undefined: set[str] = field(default_factory=set)  # instruments it was told don't exist
    errors: EventRate = field(default_factory=lambda: EventRate(NOTICES_PER_SECOND))
    notices: EventRate = field(default_factory=lambda: EventRate(NOTICES_PER_SECOND))
