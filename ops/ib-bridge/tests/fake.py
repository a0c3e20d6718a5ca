"""A TWS session to script, a clock to move by hand, and a client on a real socket."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from eventkit import Event
from rig import WEDNESDAY, Numbers, micros
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from ibbridge.bridge import Bridge, Clock
from ibbridge.config import Config
from ibbridge.instant import Instant
from ibbridge.state import Settings

PATIENCE = 10.0


def scenario(function: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs a coroutine as a test, under a time limit."""

    @functools.wraps(function)
    def test(*arguments: Any, **named: Any) -> None:
        asyncio.run(asyncio.wait_for(function(*arguments, **named), 30))

    return test


async def until(condition: Callable[[], Any], what: str = "") -> None:
    """Waits for a condition, not for a time."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < end, f"never: {what or condition}"
        await asyncio.sleep(0.002)


class VirtualClock(Clock):
    """Stands still unless moved."""

    def __init__(self, at: datetime = WEDNESDAY) -> None:
        self.instant = Instant(1000.0, micros(at))
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> Instant:
        return self.instant

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.instant.mono + seconds, future))
        await future

    async def go(self, seconds: float, step: float = 0.05) -> None:
        end = self.instant.mono + seconds
        while self.instant.mono < end - 1e-9:
            passed = min(step, end - self.instant.mono)
            self.instant = Instant(self.instant.mono + passed, self.instant.wall + round(passed * 1e6))
            due = [sleeper for sleeper in self._sleepers if sleeper[0] <= self.instant.mono + 1e-9]
            self._sleepers = [sleeper for sleeper in self._sleepers if sleeper not in due]
            for _, future in due:
                if not future.done():
                    future.set_result(None)
            for _ in range(3):
                await asyncio.sleep(0)


@dataclass(frozen=True)
class Request:
    """What the bridge asked of the fake TWS."""

    kind: str
    number: int
    symbol: str = ""
    fields: tuple[Any, ...] = ()


class FakeTWS:
    """What stands behind the port: it lives on while sockets come and go."""

    def __init__(self) -> None:
        self.listening = True
        self.taken_ids: set[int] = set()
        self.requests: list[Request] = []
        self.connects: list[tuple[int, int]] = []
        self.client: FakeClient | None = None
        self.undefined: set[str] = set()
        self.farms = True

    def factory(self, receiver: Any) -> FakeClient:
        return FakeClient(self, receiver)

    # The script

    @property
    def wrapper(self) -> Any:
        assert self.client is not None, "no connection"
        return self.client.wrapper

    def live(self, kind: str, symbol: str) -> int:
        """The number of the newest request of a kind that isn't cancelled."""
        cancelled = {request.number for request in self.requests if request.kind.startswith("cancel")}
        numbers = [
            request.number
            for request in self.requests
            if request.kind == kind and request.symbol == symbol and request.number not in cancelled
        ]
        return numbers[-1] if numbers else 0

    def tick(self, symbol: str, bid: float, ask: float, size: float = 100) -> None:
        number = self.live("l1", symbol)
        assert number, f"{symbol} has no line"
        self.wrapper.priceSizeTick(number, 1, bid, size)
        self.wrapper.priceSizeTick(number, 2, ask, size)
        self.wrapper.tcpDataProcessed()

    def error(self, number: int, code: int, text: str = "text") -> None:
        self.wrapper.error(number, code, text, "")

    def close(self) -> None:
        """The socket goes, as with TWS' own restart."""
        client, self.client = self.client, None
        assert client is not None
        client.ready = False
        client.apiEnd.emit()

    def kinds(self, *names: str) -> list[tuple[str, str]]:
        return [(request.kind, request.symbol) for request in self.requests if not names or request.kind in names]


class FakeClient:
    """The methods and events of `ib_async.client.Client` that the bridge uses."""

    def __init__(self, tws: FakeTWS, wrapper: Any) -> None:
        self.tws = tws
        self.wrapper = wrapper
        self.ready = False
        self.apiError = Event("apiError")
        self.apiEnd = Event("apiEnd")

    async def connectAsync(self, host: str, port: int, clientId: int, timeout: float | None = 2.0) -> None:
        self.tws.connects.append((port, clientId))
        await asyncio.sleep(0)
        if not self.tws.listening:
            raise ConnectionRefusedError("refused")
        if clientId in self.tws.taken_ids:
            self.wrapper.error(-1, 326, "Unable to connect as the client id is already in use.", "")
            self.apiError.emit("Peer closed connection.")
            await asyncio.Event().wait()
        self.ready = True
        self.tws.client = self
        if self.tws.farms:
            asyncio.get_running_loop().call_soon(self._farms)

    def _farms(self) -> None:
        if self.ready:
            self.wrapper.error(-1, 2104, "Market data farm connection is OK:usfarm", "")

    def isReady(self) -> bool:
        return self.ready

    def disconnect(self) -> None:
        self.ready = False
        if self.tws.client is self:
            self.tws.client = None

    def _note(self, kind: str, number: int, contract: Any = None, *fields: Any) -> None:
        if not self.ready:
            raise ConnectionError("Not connected")
        symbol = contract.symbol if contract is not None else ""
        self.tws.requests.append(Request(kind, number, symbol, fields))

    def reqContractDetails(self, number: int, contract: Any) -> None:
        self._note("details", number, contract)
        asyncio.get_running_loop().call_soon(self._define, number, contract)

    def _define(self, number: int, contract: Any) -> None:
        if contract.symbol in self.tws.undefined:
            self.wrapper.error(number, 200, "No security definition has been found for the request", "")
            return
        contract.conId = sum(contract.symbol.encode())
        self.wrapper.contractDetails(number, SimpleNamespace(contract=contract, minTick=0.01))
        self.wrapper.contractDetailsEnd(number)

    def reqMktData(self, number, contract, generic, snapshot, regulatory, options) -> None:
        assert (snapshot, regulatory, options) == (False, False, []) and contract.conId
        self._note("l1", number, contract, generic)

    def cancelMktData(self, number) -> None:
        self._note("cancel_l1", number)

    def reqMktDepth(self, number, contract, rows, smart, options) -> None:
        self._note("depth", number, contract, rows, smart)

    def cancelMktDepth(self, number, smart) -> None:
        self._note("cancel_depth", number, None, smart)

    def reqRealTimeBars(self, number, contract, seconds, what, regular, options) -> None:
        self._note("bars", number, contract, seconds, what, regular)

    def cancelRealTimeBars(self, number) -> None:
        self._note("cancel_bars", number)

    def reqMarketDataType(self, kind) -> None:
        self._note("data_type", 0, None, kind)


class Stage:
    """A bridge on a free port, with the fake TWS and the clock."""

    def __init__(
        self, token: str = "", at: datetime = WEDNESDAY, factory: Any = None, real_time: bool = False, **core: Any
    ):
        self.tws = FakeTWS()
        self.clock = Clock() if real_time else VirtualClock(at)
        self.token = token
        config = Config("127.0.0.1", 0, "127.0.0.1", Settings(**core), "info", token)
        epochs = iter(f"epoch-{index}" for index in range(1000))
        self.bridge = Bridge(
            config, clock=self.clock, client_factory=factory or self.tws.factory, epochs=lambda: next(epochs)
        )
        self.port = 0
        self.clients: list[WebSocketClient] = []

    async def __aenter__(self) -> Stage:
        self.port = await self.bridge.start()
        return self

    async def __aexit__(self, *_error: Any) -> None:
        for client in self.clients:
            await client.leave()
        await self.bridge.stop()

    async def up(self) -> Stage:
        await until(lambda: self.bridge.core.session.ib == "up", "TWS is up")
        return self

    async def go(self, seconds: float, step: float = 0.05) -> None:
        await self.clock.go(seconds, step)

    async def client(self, hello: bool = True, **options: Any) -> WebSocketClient:
        if self.token and "additional_headers" not in options:
            options["additional_headers"] = {"Authorization": f"Bearer {self.token}"}
        client = WebSocketClient()
        await client.open(self.port, **options)
        self.clients.append(client)
        if hello:
            await client.say(op="hello", v=1, client="test")
            await client.wait("hello")
        return client


class WebSocketClient:
    """Reads all the time and checks every number, unless it's made slow."""

    def __init__(self) -> None:
        self.numbers = Numbers()
        self.events: list[dict[str, Any]] = []
        self.code: int | None = None
        self.reading = asyncio.Event()
        self.reading.set()
        self._task: asyncio.Task[None] | None = None

    async def open(self, port: int, path: str = "/ib/v1", **options: Any) -> None:
        options.setdefault("compression", None)
        self.socket = await connect(f"ws://127.0.0.1:{port}{path}", ping_interval=None, close_timeout=1, **options)
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            while True:
                await self.reading.wait()
                frame = await self.socket.recv()
                assert len(frame.encode()) <= 256 << 10
                parsed = json.loads(frame)
                assert isinstance(parsed, list) and 1 <= len(parsed) <= 64
                for event in parsed:
                    self.numbers.check(event)
                    self.events.append(event)
        except ConnectionClosed as closed:
            self.code = closed.rcvd.code if closed.rcvd is not None else 1006

    async def say(self, **command: Any) -> None:
        await self.socket.send(json.dumps(command))

    async def raw(self, frame: str | bytes) -> None:
        await self.socket.send(frame)

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["ev"] in kinds]

    async def wait(self, kind: str, count: int = 1, **fields: Any) -> dict[str, Any]:
        """The newest of at least `count` events of a kind with these fields."""

        def found() -> list[dict[str, Any]]:
            assert self._task is None or not self._task.done() or self._task.exception() is None, self._task
            return [event for event in self.of(kind) if all(event.get(name) == value for name, value in fields.items())]

        await until(lambda: len(found()) >= count, f"{count} {kind} with {fields} in {self.events[-5:]}")
        return found()[-1]

    async def closed(self) -> int:
        assert self._task is not None
        await asyncio.wait_for(self._task, PATIENCE)
        assert self.code is not None
        return self.code

    async def leave(self) -> None:
        self.reading.set()
        await self.socket.close()
        if self._task is not None:
            await self._task
