"""The WebSocket side: handshake, authorization, frames in, frames out. What is said is the core's."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

if TYPE_CHECKING:
    from .bridge import Bridge

PATH = "/ib/v1"
BATCH_WINDOW = 0.004
MAX_INBOUND = 256 << 10
CLOSE_PATIENCE = 2.0
# What waits in the kernel can't be merged any more, so little may.
SEND_BUFFER = 128 << 10
WRITE_LIMIT = 64 << 10

_log = logging.getLogger("ibbridge.server")


class Peer:
    """One connection: its socket and what wakes its sender."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.wake = asyncio.Event()
        self.closing: asyncio.Task[None] | None = None


class WebSocketServer:
    """Serves clients of one bridge."""

    def __init__(self, bridge: Bridge, host: str, port: int, token: str) -> None:
        self._bridge = bridge
        self._host = host
        self._port = port
        self._token = token
        self._peers: dict[int, Peer] = {}
        self._server: Server | None = None

    async def start(self) -> int:
        """Listens; the answer is the port."""
        self._server = await serve(
            self._serve,
            self._host,
            self._port,
            # A browser sends an Origin, the engine doesn't: no page on this machine may read along.
            origins=[None],
            compression=None,
            process_request=self._request,
            max_size=MAX_INBOUND,
            write_limit=WRITE_LIMIT,
            ping_interval=20,
            ping_timeout=20,
            close_timeout=CLOSE_PATIENCE,
            open_timeout=5,
            server_header=None,
        )
        port = 0
        for listener in self._server.sockets:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            port = listener.getsockname()[1]
        return port

    async def stop(self, code: int, reason: str) -> None:
        """Tells every client, then stops listening."""
        for number in list(self._peers):
            self.close(number, code, reason)
        closing = [peer.closing for peer in self._peers.values() if peer.closing is not None]
        if closing:
            await asyncio.wait(closing, timeout=2 * CLOSE_PATIENCE)
        if self._server is not None:
            self._server.close(close_connections=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), CLOSE_PATIENCE)

    def wake(self, number: int) -> None:
        peer = self._peers.get(number)
        if peer is not None:
            peer.wake.set()

    def close(self, number: int, code: int, reason: str) -> None:
        """Closes one client; a client that doesn't read is cut off after a moment."""
        peer = self._peers.get(number)
        if peer is not None and peer.closing is None:
            peer.closing = asyncio.get_running_loop().create_task(self._close(peer, code, reason))

    async def _close(self, peer: Peer, code: int, reason: str) -> None:
        try:
            await asyncio.wait_for(peer.connection.close(code, reason[:120]), CLOSE_PATIENCE)
        except (TimeoutError, ConnectionClosed):
            peer.connection.transport.abort()

    # Handshake

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.split("?", 1)[0]
        if path == PATH:
            return None
        if path in ("/healthz", "/readyz"):
            health = self._bridge.health()
            ready = health["ib"] in ("up", "degraded")
            status = HTTPStatus.OK if ready or path == "/healthz" else HTTPStatus.SERVICE_UNAVAILABLE
            response = connection.respond(status, json.dumps(health) + "\n")
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            return response
        return connection.respond(HTTPStatus.NOT_FOUND, "not here\n")

    def _is_authorized(self, connection: ServerConnection) -> bool:
        if not self._token:
            return True
        request = connection.request
        given = request.headers.get_all("Authorization") if request is not None else []
        expected = f"Bearer {self._token}".encode()
        return len(given) == 1 and hmac.compare_digest(given[0].encode("utf-8", "surrogateescape"), expected)

    # Frames

    async def _serve(self, connection: ServerConnection) -> None:
        peer = Peer(connection)
        number = self._bridge.client_opened(self._is_authorized(connection))
        self._peers[number] = peer
        self._bridge.drain()
        sender = asyncio.get_running_loop().create_task(self._send(number, peer))
        try:
            async for frame in connection:
                self._bridge.client_said(number, frame)
                # Others get their turn, however fast this one talks.
                await asyncio.sleep(0)
        except ConnectionClosed:
            pass
        finally:
            self._bridge.client_closed(number)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender
            if peer.closing is not None:
                await asyncio.wait({peer.closing})
            del self._peers[number]

    async def _send(self, number: int, peer: Peer) -> None:
        """Sends what the outbox has: a frame at once where it's full, else after the batch window."""
        outbox: Any = self._bridge.outbox(number)
        try:
            while outbox is not None:
                await peer.wake.wait()
                if len(outbox) < outbox.limits.frame_events:
                    await asyncio.sleep(BATCH_WINDOW)
                peer.wake.clear()
                while (frame := outbox.frame()) is not None:
                    await peer.connection.send(frame)
        except ConnectionClosed:
            pass
        except Exception:
            _log.exception("a sender failed")
            peer.connection.transport.abort()
