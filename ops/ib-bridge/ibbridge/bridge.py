"""Core, TWS and clients put together on one event loop. All calls into the core go through here, with the time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from . import wire
from .config import Config
from .core import Core
from .instant import Instant
from .outbox import Outbox
from .server import WebSocketServer
from .state import Ask, Close
from .tws import Receiver, TWSLink, make_client

TICK = 0.05


class Clock:
    """The machine's clocks. Tests have one that is moved by hand."""

    def now(self) -> Instant:
        return Instant(time.monotonic(), time.time_ns() // 1000)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def new_epoch() -> str:
    return str(uuid.uuid4())


class Bridge:
    """The process. `start`, then `stop`."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock | None = None,
        client_factory: Callable[[Receiver], Any] = make_client,
        epochs: Callable[[], str] = new_epoch,
    ) -> None:
        self.core = Core(config.core, epochs())
        self.clock = clock or Clock()
        self.link = TWSLink(config.tws_host, self, client_factory)
        self.server = WebSocketServer(self, config.listen_host, config.listen_port, config.token)
        self._epochs = epochs
        self._log = logging.getLogger("ibbridge")
        self._ticker: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listens, then connects to TWS. The answer is the port."""
        port = await self.server.start()
        self._log.info("listening", extra={"fields": {"port": port}})
        self._ticker = asyncio.get_running_loop().create_task(self._tick())
        self.core.start(self.clock.now())
        self.drain()
        return port

    async def stop(self) -> None:
        """Tells the clients that this is a restart, and ends."""
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        await self.server.stop(wire.RESTART, "bridge stops")
        await self.link.stop()

    async def _tick(self) -> None:
        while True:
            await self.clock.sleep(TICK)
            try:
                self.core.advance(self.clock.now())
                self.drain()
            except Exception:
                # A fault in one step must not end the others: heartbeats would go on lying still.
                self.core.count("tick_faults")
                self._log.exception("a tick failed")

    def drain(self) -> None:
        """Carries out what the core has decided."""
        while actions := self.core.take_actions():
            for action in actions:
                if isinstance(action, Ask):
                    self.link.perform(action)
                elif isinstance(action, Close):
                    self.server.close(action.client, action.code, action.reason)
                else:
                    level = logging.getLevelNamesMapping()[action.level.upper()]
                    self._log.log(level, action.message, extra={"fields": action.fields})
        while self.core.touched:
            self.server.wake(self.core.touched.pop())

    # From TWS

    def tws_up(self) -> None:
        self.core.tws_connected(self._epochs(), self.clock.now())
        self.drain()

    def tws_failed(self, reason: str) -> None:
        self.core.tws_connect_failed(reason, self.clock.now())
        self.drain()

    def tws_down(self, reason: str) -> None:
        self.core.tws_closed(reason, self.clock.now())
        self.drain()

    def say(self, name: str, *arguments: Any) -> None:
        getattr(self.core, name)(*arguments, self.clock.now())
        self.drain()

    def count(self, name: str) -> None:
        self.core.count(name)

    # From clients

    def client_opened(self, authorized: bool) -> int:
        return self.core.client_opened(authorized, self.clock.now())

    def client_said(self, number: int, frame: str | bytes) -> None:
        self.core.client_said(number, frame, self.clock.now())
        self.drain()

    def client_closed(self, number: int) -> None:
        self.core.client_closed(number, self.clock.now())
        self.drain()

    def outbox(self, number: int) -> Outbox | None:
        client = self.core.clients.get(number)
        return client.outbox if client is not None else None

    def health(self) -> dict[str, Any]:
        return self.core.health()
