"""Every message code of TWS that the bridge knows, and what it does about it. The only place with such numbers.

A code that isn't here is reported to the clients and changes nothing; 2100-2199 that aren't here are information.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Action(enum.Enum):
    """What a code makes the bridge do."""

    INFO = "info"  # counted and logged, nothing else
    REPORT = "report"  # told to the clients, nothing else
    CONNECTION_LOST = "connection_lost"  # TWS lost IB: down, everything stale
    DATA_LOST = "data_lost"  # back, subscriptions gone: everything anew
    DATA_KEPT = "data_kept"  # back, subscriptions said to be alive: verified by ticks
    NEW_PORT = "new_port"  # the socket goes; the message names the new port
    FARM_BROKEN = "farm_broken"  # its instruments are stale
    FARM_OK = "farm_ok"  # after broken: its instruments anew
    HISTORY_OK = "history_ok"  # ends the wait after a connect as FARM_OK does
    SLOW_DOWN = "slow_down"  # a second of silence, then half the rate
    SHED_LINE = "shed_line"  # fewer lines than configured: the last in rank goes
    NEW_ID = "new_id"  # the same request again under another number
    BACK_OFF = "back_off"  # the same request again, later
    NO_DEFINITION = "no_definition"  # the instrument is refused until the next session
    DEPTH_LIMIT = "depth_limit"  # fewer books than configured
    DEPTH_GONE = "depth_gone"  # a cancel found nothing: nothing to do
    DEPTH_AGAIN = "depth_again"  # book void, asked for anew
    DEPTH_REFUSED = "depth_refused"  # no depth for this instrument
    BAD_REQUEST = "bad_request"  # the request is ours to mend: refused, not repeated
    CLIENT_ID_IN_USE = "client_id_in_use"  # the session waits, then takes another id
    NO_PERMISSION = "no_permission"  # refused, or asked for as delayed data where that is allowed
    CONNECT_FAULT = "connect_fault"  # the connect loop deals with it
    DELAYED = "delayed"  # advisory: data flows, late; never ends a subscription
    DATA_AGAIN = "data_again"  # the subscription died alone: anew
    COMPETING = "competing"  # another login takes the data: stale, asked for anew until a tick comes
    BARS_AGAIN = "bars_again"  # the bar subscription was cancelled by a bust: anew at once


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: the action, what it means in our words, and the reason given in a `nack`."""

    action: Action
    meaning: str
    reason: str = ""


_CONNECT = Rule(Action.CONNECT_FAULT, "connection fault on the client's side")

RULES: dict[int, Rule] = {
    100: Rule(Action.SLOW_DOWN, "message rate exceeded"),
    101: Rule(Action.SHED_LINE, "too many market data lines", "limit_lines"),
    102: Rule(Action.NEW_ID, "duplicate ticker id"),
    162: Rule(Action.BACK_OFF, "history error: pacing or no data", "pacing"),
    200: Rule(Action.NO_DEFINITION, "no security definition, or an ambiguous one", "no_definition"),
    300: Rule(Action.INFO, "cancel of an unknown request"),
    309: Rule(Action.DEPTH_LIMIT, "too many books", "limit_depth"),
    310: Rule(Action.DEPTH_GONE, "cancel of an unknown book"),
    316: Rule(Action.DEPTH_AGAIN, "book halted, to be subscribed anew"),
    317: Rule(Action.DEPTH_AGAIN, "book reset"),
    321: Rule(Action.BAD_REQUEST, "request refused by validation", "no_definition"),
    322: Rule(Action.NEW_ID, "duplicate request id"),
    326: Rule(Action.CLIENT_ID_IN_USE, "client id in use"),
    354: Rule(Action.NO_PERMISSION, "no market data subscription", "no_permission"),
    366: Rule(Action.BACK_OFF, "no such history stream", "pacing"),
    420: Rule(Action.BACK_OFF, "invalid real-time query: pacing or permission", "pacing"),
    501: _CONNECT,
    502: Rule(Action.CONNECT_FAULT, "TWS or Gateway is not reachable"),
    503: Rule(Action.CONNECT_FAULT, "TWS is out of date"),
    504: Rule(Action.CONNECT_FAULT, "not connected"),
    505: _CONNECT,
    506: _CONNECT,
    507: _CONNECT,
    508: _CONNECT,
    509: _CONNECT,
    1100: Rule(Action.CONNECTION_LOST, "TWS lost its connection to IB"),
    1101: Rule(Action.DATA_LOST, "connection restored, subscriptions lost"),
    1102: Rule(Action.DATA_KEPT, "connection restored, subscriptions kept"),
    1300: Rule(Action.NEW_PORT, "socket port changed"),
    2103: Rule(Action.FARM_BROKEN, "market data farm broken"),
    2104: Rule(Action.FARM_OK, "market data farm OK"),
    2105: Rule(Action.INFO, "history farm broken"),
    2106: Rule(Action.HISTORY_OK, "history farm OK"),
    2107: Rule(Action.INFO, "history farm idle"),
    2108: Rule(Action.INFO, "market data farm idle, available on demand"),
    2110: Rule(Action.CONNECTION_LOST, "TWS lost its connection to the server"),
    2119: Rule(Action.INFO, "market data farm connecting"),
    2157: Rule(Action.INFO, "security definition farm broken"),
    2158: Rule(Action.INFO, "security definition farm OK"),
    10089: Rule(Action.DELAYED, "needs a further subscription; delayed data available"),
    10090: Rule(Action.DELAYED, "part of the data is not subscribed"),
    10092: Rule(Action.DEPTH_REFUSED, "no depth for this combination", "no_permission"),
    10167: Rule(Action.DELAYED, "delayed data shown instead"),
    10182: Rule(Action.DATA_AGAIN, "live updates failed"),
    10189: Rule(Action.BACK_OFF, "tick-by-tick can't start", "pacing"),
    10190: Rule(Action.BACK_OFF, "too many tick-by-tick streams", "pacing"),
    10197: Rule(Action.COMPETING, "competing live session"),
    10225: Rule(Action.BARS_AGAIN, "bust: bar subscription cancelled"),
}

_INFORMATION = Rule(Action.INFO, "information")
_UNKNOWN = Rule(Action.REPORT, "a code without a rule")


def rule_of(code: int) -> Rule:
    """The rule of a code; total over all integers."""
    rule = RULES.get(code)
    if rule is not None:
        return rule
    return _INFORMATION if 2100 <= code < 2200 else _UNKNOWN
