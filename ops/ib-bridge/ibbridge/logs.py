"""Logs: one JSON object a line on standard output. No header, no frame and no token ever gets here."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from .pacing import EventRate

LIMIT = 600


class JSONFormatter(logging.Formatter):
    """One line a record; `fields` given as extra are its own members."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage()[:LIMIT],
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = repr(record.exc_info[1])[:LIMIT]
        return json.dumps(line, separators=(",", ":"), default=str)


class RateFilter(logging.Filter):
    """At most 50 lines a second; the rest is counted and told with the next line that passes."""

    def __init__(self, limit: int = 50) -> None:
        super().__init__()
        self._rate = EventRate(limit)
        self._told = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if not self._rate.take(record.created):
            return False
        if self._rate.suppressed > self._told:
            record.fields = {**getattr(record, "fields", {}), "suppressed": self._rate.suppressed - self._told}
            self._told = self._rate.suppressed
        return True


def set_up(level: str) -> logging.Logger:
    """Sends all loggers to standard output; libraries only from error on, never their traffic."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JSONFormatter())
    handler.addFilter(RateFilter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for library in ("ib_async", "websockets", "asyncio"):
        logging.getLogger(library).setLevel(logging.ERROR)
    logger = logging.getLogger("ibbridge")
    logger.setLevel(level.upper())
    return logger
