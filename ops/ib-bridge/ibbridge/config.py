"""What the operator says: flags, else environment (`IB_BRIDGE_…`), else defaults. The token never is a flag."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .state import Settings

MIN_TOKEN = 16


class Refused(Exception):
    """A configuration that can't be started, with what to do about it."""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. `token` stays out of every representation."""

    listen_host: str
    listen_port: int
    tws_host: str
    core: Settings
    log_level: str
    token: str = field(default="", repr=False)


_OPTIONS: tuple[tuple[str, type, object, str], ...] = (
    ("listen-host", str, "127.0.0.1", "address the engine connects to; anything but loopback needs a token"),
    ("listen-port", int, 8791, "port the engine connects to"),
    ("tws-host", str, "127.0.0.1", "host of TWS or Gateway"),
    ("tws-port", int, 4001, "TWS live 7496, paper 7497; Gateway live 4001, paper 4002"),
    ("client-id", int, 71, "API client id; this one and the next three are the bridge's own"),
    ("lines", int, 100, "market data lines the bridge may use (the account's are shared with TWS' windows)"),
    ("books", int, 3, "books the bridge may use"),
    ("log-level", str, "info", "debug, info, warning or error"),
)


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> Config:
    """Reads flags and environment.

    - Throws: `Refused` naming the setting; `SystemExit` by the flag parser.
    """
    values = vars(_parser().parse_args(arguments))
    for name, kind, default, _ in _OPTIONS:
        field_name = name.replace("-", "_")
        if values[field_name] is None:
            values[field_name] = _from_environment(name, kind, default, environment)
    delayed = values["delayed_fallback"] or environment.get("IB_BRIDGE_DELAYED_FALLBACK", "").lower() in ("1", "true")
    config = Config(
        listen_host=values["listen_host"],
        listen_port=_bounded("listen-port", values["listen_port"], 0, 65535),
        tws_host=values["tws_host"],
        core=Settings(
            tws_port=_bounded("tws-port", values["tws_port"], 1, 65535),
            client_id=_bounded("client-id", values["client_id"], 1, 1 << 30),
            lines=_bounded("lines", values["lines"], 1, 1100),
            books=_bounded("books", values["books"], 0, 60),
            delayed_fallback=delayed,
        ),
        log_level=values["log_level"],
        token=_token(values["token_file"], environment),
    )
    if config.log_level not in ("debug", "info", "warning", "error"):
        raise Refused("log-level is debug, info, warning or error")
    if not config.token and not _is_loopback(config.listen_host):
        raise Refused("listen-host is not loopback: set IB_BRIDGE_TOKEN_FILE (or IB_BRIDGE_TOKEN), or use 127.0.0.1")
    return config


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ibbridge", description="TWS or IB Gateway on one side, the engine's WebSocket on the other."
    )
    for name, kind, default, text in _OPTIONS:
        parser.add_argument(f"--{name}", type=kind, help=f"{text} (default {default}; {_variable(name)})")
    parser.add_argument(
        "--delayed-fallback", action="store_true", help="take delayed data where live is not subscribed"
    )
    parser.add_argument("--token-file", help="file that holds the bearer token (IB_BRIDGE_TOKEN_FILE)")
    return parser


def _variable(name: str) -> str:
    return "IB_BRIDGE_" + name.upper().replace("-", "_")


def _from_environment(name: str, kind: type, default: object, environment: Mapping[str, str]) -> object:
    text = environment.get(_variable(name), "")
    if not text:
        return default
    try:
        return kind(text)
    except ValueError:
        raise Refused(f"{_variable(name)} is no number") from None


def _bounded(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise Refused(f"{name} is {low} to {high}")
    return value


def _token(flag: str | None, environment: Mapping[str, str]) -> str:
    path = flag or environment.get("IB_BRIDGE_TOKEN_FILE", "")
    token = environment.get("IB_BRIDGE_TOKEN", "")
    if path:
        try:
            token = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as fault:
            raise Refused(f"the token file can't be read: {type(fault).__name__}") from None
        if not token:
            raise Refused("the token file is empty")
    if token and (len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token):
        raise Refused(f"the token needs {MIN_TOKEN} or more printable ASCII characters without spaces")
    return token


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
