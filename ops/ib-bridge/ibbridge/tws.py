"""The library's socket client as the core's hands: requests out, callbacks in. No decision is made here.

`ib_async.Client` is used without `ib_async.IB`: the latter's tickers are caches that keep old prices, its book
overwrites on insert, its maps of tick types raise on a new one, it asks for positions and account data, and it forgets
all of it with the socket. None of that is needed, and requests keep the numbers the core gave them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Protocol

from ib_async.client import Client
from ib_async.contract import Contract

from . import keys
from .errors import Action, rule_of
from .state import Ask

CONNECT_PATIENCE = 10.0
DELAYED_TYPE = 3
BAR_SECONDS = 5
MAX_MATCHES = 50

_log = logging.getLogger("ibbridge.tws")


class Sink(Protocol):
    """Where the callbacks go: the methods of the core, with the time added by the bridge."""

    def tws_up(self) -> None: ...
    def tws_failed(self, reason: str) -> None: ...
    def tws_down(self, reason: str) -> None: ...
    def say(self, name: str, *arguments: Any) -> None: ...
    def count(self, name: str) -> None: ...


def make_client(receiver: Receiver) -> Any:
    """The real client; tests put another in its place."""
    return Client(receiver)  # type: ignore[no-untyped-call]


class Receiver:
    """What the library calls its wrapper: the callbacks that matter; all others are heard and counted.

    An exception in a callback would be logged by the library with its traceback and the message lost, so each is kept
    in here and counted.
    """

    def __init__(self, link: TWSLink, generation: int) -> None:
        self._link = link
        self._generation = generation

    # The library looks some names up by `getattr` with a default: only plain callback names are answered.
    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)

        def unheard(*_arguments: Any) -> None:
            self._link.sink.count("other_callbacks")

        return unheard

    def _say(self, name: str, *arguments: Any) -> None:
        if self._generation == self._link.generation:
            try:
                self._link.sink.say(name, *arguments)
            except Exception:
                self._link.sink.count("callback_faults")
                _log.exception("a callback failed", extra={"fields": {"callback": name}})

    # The connection's own

    def connectAck(self) -> None:
        pass

    def setEventsDone(self) -> None:
        pass

    def connectionClosed(self) -> None:
        pass

    def tcpDataArrived(self) -> None:
        pass

    def tcpDataProcessed(self) -> None:
        self._say("packet_done")

    # Data

    def priceSizeTick(self, request: int, tick: int, price: float, size: float) -> None:
        self._say("tick_price", request, tick, price, size)

    def tickSize(self, request: int, tick: int, size: float) -> None:
        self._say("tick_size", request, tick, size)

    def tickString(self, request: int, tick: int, value: str) -> None:
        self._say("tick_string", request, tick, value)

    def tickGeneric(self, request: int, tick: int, value: float) -> None:
        self._say("tick_generic", request, tick, value)

    def marketDataType(self, request: int, mdt: int) -> None:
        self._say("data_type", request, mdt)

    def updateMktDepth(self, request: int, position: int, operation: int, side: int, price: float, size: float) -> None:
        self._say("depth_row", request, position, operation, side, price, size, "")

    def updateMktDepthL2(
        self,
        request: int,
        position: int,
        maker: str,
        operation: int,
        side: int,
        price: float,
        size: float,
        smart: bool = False,
    ) -> None:
        self._say("depth_row", request, position, operation, side, price, size, maker)

    def realtimeBar(
        self,
        request: int,
        start: int,
        open_: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        vwap: float,
        count: int,
    ) -> None:
        self._say("bar", request, start, (open_, high, low, close), volume, vwap, count)

    # Definitions and messages

    def contractDetails(self, request: int, details: Any) -> None:
        self._link.matched(request, details)

    def contractDetailsEnd(self, request: int) -> None:
        self._say("defined", request, self._link.matches(request))

    def error(self, request: int, code: int, text: str, _advanced: str = "") -> None:
        if rule_of(code).action in (Action.NO_DEFINITION, Action.BAD_REQUEST):
            self._link.forget(request)
        self._say("tws_error", request, code, text)


class TWSLink:
    """One connection at a time; callbacks of an older one are deaf."""

    def __init__(self, host: str, sink: Sink, factory: Callable[[Receiver], Any] = make_client) -> None:
        self.host = host
        self.sink = sink
        self.generation = 0
        self._factory = factory
        self._client: Any = None
        self._connecting: asyncio.Task[None] | None = None
        self._contracts: dict[str, Contract] = {}
        self._asked: dict[int, str] = {}
        self._matches: dict[int, list[Any]] = {}

    def perform(self, ask: Ask) -> None:
        """Carries out one action of the core."""
        if ask.kind == "connect":
            self._connecting = asyncio.get_running_loop().create_task(self._connect(ask.port, ask.client_id))
        elif ask.kind == "disconnect":
            self.disconnect("on our side")
        else:
            try:
                self._request(ask)
            except ConnectionError:
                # The socket is closing; that is told by its own event.
                self.sink.count("requests_without_connection")

    def disconnect(self, reason: str) -> None:
        client, self._client = self._client, None
        self.generation += 1
        if client is not None:
            client.disconnect()
            self.sink.tws_down(reason)

    async def stop(self) -> None:
        """Ends everything without a word to the sink."""
        self.generation += 1
        task, self._connecting = self._connecting, None
        client, self._client = self._client, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if client is not None:
            client.disconnect()

    async def _connect(self, port: int, client_id: int) -> None:
        self.generation += 1
        generation = self.generation
        self._asked.clear()
        self._matches.clear()
        client = self._factory(Receiver(self, generation))
        loop = asyncio.get_running_loop()
        fault: asyncio.Future[str] = loop.create_future()

        def failed(message: str = "") -> None:
            if not fault.done():
                fault.set_result(message)

        client.apiError += failed
        attempt = loop.create_task(client.connectAsync(self.host, port, client_id, CONNECT_PATIENCE))
        # The library keeps waiting after TWS has closed on us (a client id in use): its word of that ends the attempt.
        try:
            await asyncio.wait({attempt, fault}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            attempt.cancel()
            raise
        reason = ""
        if not attempt.done():
            reason = fault.result() if fault.done() else ""
            attempt.cancel()
        try:
            await attempt
        except asyncio.CancelledError:
            reason = reason or "cancelled"
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        if generation != self.generation:
            return
        if not client.isReady():
            self.sink.tws_failed(reason or "not ready")
            return
        self._client = client

        def ended() -> None:
            if generation == self.generation and self._client is client:
                self._client = None
                self.generation += 1
                self.sink.tws_down("TWS closed the connection")

        client.apiEnd += ended
        self.sink.tws_up()

    # Requests

    def _request(self, ask: Ask) -> None:
        client = self._client
        if client is None:
            raise ConnectionError
        if ask.kind == "data_type":
            client.reqMarketDataType(DELAYED_TYPE)
        elif ask.kind == "details":
            self._asked[ask.request] = ask.key
            self._matches[ask.request] = []
            fields: dict[str, Any] = keys.parse(ask.key).contract_fields()
            client.reqContractDetails(ask.request, Contract(**fields))
        elif ask.kind == "cancel_l1":
            client.cancelMktData(ask.request)
        elif ask.kind == "cancel_depth":
            client.cancelMktDepth(ask.request, ask.smart)
        elif ask.kind == "cancel_bars":
            client.cancelRealTimeBars(ask.request)
        else:
            contract = self._contracts[ask.key]
            if ask.kind == "l1":
                client.reqMktData(ask.request, contract, ask.generic, False, False, [])
            elif ask.kind == "depth":
                client.reqMktDepth(ask.request, contract, ask.rows, ask.smart, [])
            elif ask.kind == "bars":
                client.reqRealTimeBars(ask.request, contract, BAR_SECONDS, ask.what, False, [])
            else:
                raise AssertionError(f"no such request: {ask.kind}")

    # Definitions

    def matched(self, request: int, details: Any) -> None:
        found = self._matches.get(request)
        if found is not None and len(found) < MAX_MATCHES:
            found.append(details)

    def matches(self, request: int) -> list[tuple[int, float]]:
        """What matches the request, as numbers; a single match becomes the key's contract."""
        text = self._asked.pop(request, "")
        found = self._matches.pop(request, [])
        if not text:
            return []
        key = keys.parse(text)
        same = [details for details in found if details.contract.secType == key.sec]
        if len(same) == 1:
            contract = same[0].contract
            contract.exchange = key.venue
            self._contracts[text] = contract
        return [(details.contract.conId, float(details.minTick)) for details in same]

    def forget(self, request: int) -> None:
        """A request that ended with an error."""
        self._asked.pop(request, None)
        self._matches.pop(request, None)
