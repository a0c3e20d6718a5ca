"""The life of the connection to TWS: connect loop, waiting for farms, losses, the nightly restart, the weekly login.

A pure machine: it is told what happened and when, and says what to do. It knows nothing of instruments; what concerns
them is named as an order (`resubscribe`, `stale`) for the core to carry out.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from .errors import Action
from .instant import Instant, in_regular_hours, last_token_death

RETRY = 5.0
RETRY_PHASE = 600.0
RETRY_LATE = 30.0
FARM_WAIT = 5.0
VERIFY_AFTER = 30.0
# Neither 1101 nor 1102 came: the message may be lost, a new socket tells.
LOST_PATIENCE = 180.0
LOGIN_GRACE = 300.0
DAY = 86_400_000_000
SAME_ID_TRIES = 3
ID_SPAN = 4


class Phase(enum.Enum):
    IDLE = "idle"
    CONNECTING = "connecting"
    WAITING = "waiting"  # between two attempts
    SETTLING = "settling"  # connected, farms not yet said to be OK
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Order:
    """Something to do. `kind`: connect, disconnect, resubscribe, stale, status."""

    kind: str
    farm: str | None = None
    port: int = 0
    client_id: int = 0
    code: int = 0
    message: str = ""
    ib: str = ""


class Session:
    """See the module. Every input returns the orders it leads to, in order."""

    def __init__(self, port: int, client_id: int) -> None:
        self.port = port
        self.phase = Phase.IDLE
        self.connects = 0
        self.attempts = 0
        self._base_id = client_id
        self._id_offset = 0
        self._id_refusals = 0
        self._down_since: Instant | None = None
        self._next_try = 0.0
        self._settled_by = 0.0
        self._lost_since: float | None = None
        self._verify_at: float | None = None
        self._farms_early = False
        self._competing = False
        self._broken_farms: dict[str, None] = {}
        self._needs_login = False
        self._connected_at = 0
        self._told = "down"

    # State for others

    @property
    def ib(self) -> str:
        """`up`, `down`, `degraded` or `login`."""
        if self._needs_login:
            return "login"
        if self.phase is not Phase.READY or self._lost_since is not None:
            return "down"
        if self._broken_farms or self._competing:
            return "degraded"
        return "up"

    @property
    def may_ask(self) -> bool:
        """Whether requests to TWS make sense now."""
        return self.phase is Phase.READY and self._lost_since is None

    @property
    def client_id(self) -> int:
        return self._base_id + self._id_offset

    @property
    def competing(self) -> bool:
        return self._competing

    # Inputs

    def start(self, now: Instant) -> list[Order]:
        self._down_since = now
        return self._connect()

    def connected(self, now: Instant) -> list[Order]:
        self.phase = Phase.SETTLING
        self.connects += 1
        self._connected_at = now.wall
        self._id_refusals = 0
        self._settled_by = now.mono + FARM_WAIT
        self._needs_login = False
        self._reset()
        if self._farms_early:
            return self._ready("farms are OK")
        return self._status(message="connected; waiting for the market data farms")

    def connect_failed(self, now: Instant, reason: str) -> list[Order]:
        return self._closed(now, reason or "cannot connect")

    def closed(self, now: Instant, reason: str) -> list[Order]:
        if self.phase in (Phase.SETTLING, Phase.READY):
            self._down_since = now
        return [Order("stale"), *self._closed(now, reason or "TWS closed the connection")]

    def data(self) -> list[Order]:
        """A tick came: subscriptions said to be alive are. A competing session ends per instrument, in the core."""
        self._verify_at = None
        return []

    def competing_changed(self, competing: bool) -> list[Order]:
        """Whether any instrument is dark for a competing login."""
        if competing == self._competing:
            return []
        self._competing = competing
        code = 10197
        return self._status(code=code, message="competing live session" if competing else "competing session is over")

    def said(self, now: Instant, action: Action, code: int, text: str) -> list[Order]:
        """A message of TWS that concerns the connection; others are no input here and change nothing."""
        if action is Action.CONNECTION_LOST:
            return self._lost(now, code, text)
        if action is Action.DATA_LOST:
            self._lost_since = None
            self._broken_farms.clear()
            return [Order("stale", code=code), Order("resubscribe", code=code), *self._status(code=code, message=text)]
        if action is Action.DATA_KEPT:
            self._lost_since = None
            self._verify_at = now.mono + VERIFY_AFTER
            return self._status(code=code, message=text)
        if action is Action.FARM_BROKEN:
            return self._farm_broken(code, text)
        if action in (Action.FARM_OK, Action.HISTORY_OK):
            return self._farm_ok(now, action, code, text)
        if action is Action.NEW_PORT:
            port = re.search(r"\b([1-9][0-9]{3,4})\b(?!.*\b[1-9][0-9]{3,4}\b)", text)
            if port and int(port[1]) < 65536:
                self.port = int(port[1])
            self._next_try = now.mono
            return [Order("disconnect", code=code, message=text)]
        if action is Action.CLIENT_ID_IN_USE:
            return self._id_refused(code, text)
        if action is Action.CONNECT_FAULT:
            return self._status(code=code, message=text)
        return []

    def advance(self, now: Instant) -> list[Order]:
        """What time alone brings."""
        orders: list[Order] = []
        if self.phase is Phase.WAITING and now.mono >= self._next_try:
            orders += self._login(now)
            orders += self._connect()
        elif self.phase is Phase.SETTLING and now.mono >= self._settled_by:
            orders += self._ready("no word from the farms")
        if self._lost_since is not None and now.mono - self._lost_since >= LOST_PATIENCE:
            self._lost_since = now.mono
            orders.append(Order("disconnect", message="no word after the loss"))
        if self._verify_at is not None and now.mono >= self._verify_at:
            if not in_regular_hours(now.wall):
                # Silence is normal then; asked again at the next full half minute.
                self._verify_at = now.mono + VERIFY_AFTER
            else:
                self._verify_at = None
                orders.append(Order("resubscribe", code=1102, message="no tick after 1102"))
        return orders

    # Steps

    def _reset(self) -> None:
        self._lost_since = None
        self._verify_at = None
        self._competing = False
        self._broken_farms.clear()

    def _connect(self) -> list[Order]:
        self.phase = Phase.CONNECTING
        self.attempts += 1
        self._farms_early = False
        return [Order("connect", port=self.port, client_id=self.client_id)]

    def _closed(self, now: Instant, reason: str) -> list[Order]:
        self.phase = Phase.WAITING
        self._reset()
        if self._down_since is None:
            self._down_since = now
        early = now.mono - self._down_since.mono < RETRY_PHASE
        self._next_try = now.mono + (RETRY if early else RETRY_LATE)
        return [*self._login(now), *self._status(message=reason)]

    def _login(self, now: Instant) -> list[Order]:
        """After Sunday 01:00 New York the first restart needs a human; one that is automatic takes 2 to 3 minutes.

        The first restart is that of a session older than the hour, or any within a day of it.
        """
        if self._needs_login or self._down_since is None or now.mono - self._down_since.mono < LOGIN_GRACE:
            return []
        since = now.wall - last_token_death(now.wall)
        older = 0 < self._connected_at < last_token_death(now.wall)
        if since < LOGIN_GRACE * 1e6 or not (older or since < DAY):
            return []
        self._needs_login = True
        return self._status(message="log in to TWS or Gateway: the week's session has ended")

    def _ready(self, why: str) -> list[Order]:
        self.phase = Phase.READY
        self._down_since = None
        return [Order("resubscribe", message=why), *self._status(message="connected")]

    def _lost(self, now: Instant, code: int, text: str) -> list[Order]:
        if self._lost_since is None:
            self._lost_since = now.mono
        self._verify_at = None
        return [Order("stale", code=code), *self._status(code=code, message=text)]

    def _farm_broken(self, code: int, text: str) -> list[Order]:
        farm = farm_of(text)
        self._broken_farms[farm] = None
        return [
            Order("stale", farm=farm, code=code, message=text),
            *self._status(code=code, message=text, farm=farm, again=True),
        ]

    def _farm_ok(self, now: Instant, action: Action, code: int, text: str) -> list[Order]:
        if self.phase is Phase.SETTLING:
            return self._ready("farms are OK")
        if self.phase is Phase.CONNECTING:
            # TWS may say it before the handshake is over for us.
            self._farms_early = True
            return []
        farm = farm_of(text)
        if action is not Action.FARM_OK or farm not in self._broken_farms:
            return []
        del self._broken_farms[farm]
        return [
            Order("resubscribe", farm=farm, code=code, message=text),
            *self._status(code=code, message=text, farm=farm, again=True),
        ]

    def _id_refused(self, code: int, text: str) -> list[Order]:
        """The old socket may take a while to die; only then another id."""
        self._id_refusals += 1
        rotates = self._id_refusals % SAME_ID_TRIES == 0
        if rotates:
            self._id_offset = (self._id_offset + 1) % ID_SPAN
        # Said once an id, not at each attempt.
        if not rotates and self._id_refusals > 1:
            return []
        return self._status(code=code, message=text)

    def _status(self, *, message: str = "", code: int = 0, farm: str | None = None, again: bool = False) -> list[Order]:
        """A status order where the state changed, a code came with it, or it is asked for."""
        if self.ib == self._told and not again and not code:
            return []
        self._told = self.ib
        return [Order("status", farm=farm, code=code, message=message, ib=self.ib)]


def farm_of(text: str) -> str:
    """The farm named in a message such as `Market data farm connection is broken:usfarm.nj`."""
    return text.rsplit(":", 1)[-1].strip()[:32] if ":" in text else ""


def concerned(farm: str | None, sec: str) -> bool:
    """Whether an instrument may hang on a farm.

    IB documents no such mapping. Only where the name can't mean anything else is an instrument left out; in doubt it
    is stale.
    """
    if not farm:
        return True
    if farm.startswith("usopt"):
        return sec == "OPT"
    if farm.startswith("usfuture"):
        return sec == "FUT"
    return not farm.startswith("cashfarm")
