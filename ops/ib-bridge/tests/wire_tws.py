"""TWS' side of the socket in its own wire: the handshake, definitions, ticks and messages, written field by field.

A test scripts it in its own process. As a program it is a market: it ticks every line that is asked for, and does what
comes as JSON lines over a second port (`Market`). Standard library only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import struct
import time

SERVER_VERSION = 178
OFFSET = "IB_BRIDGE_TEST_CLOCK_OFFSET"


class WireTWS:
    """TWS' side of the socket. `received` holds the requests as lists of fields."""

    def __init__(self) -> None:
        self.received: list[list[str]] = []
        self.writer: asyncio.StreamWriter | None = None
        self.taken_ids: set[str] = set()
        self.hellos = 0

    async def start(self, port: int = 0) -> int:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.server.close()
        if self.writer is not None:
            self.writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            assert await reader.readexactly(4) == b"API\0"
            (size,) = struct.unpack(">I", await reader.readexactly(4))
            assert (await reader.readexactly(size)).startswith(b"v157..")
            self.writer = writer
            self.send(SERVER_VERSION, "20251119 10:00:00 US/Eastern")
            while True:
                (size,) = struct.unpack(">I", await reader.readexactly(4))
                self._hear((await reader.readexactly(size)).decode().split("\0")[:-1])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass

    def _hear(self, fields: list[str]) -> None:
        self.received.append(fields)
        if fields[0] == "71":
            self.hellos += 1
            if fields[2] in self.taken_ids:
                self.error(-1, 326, "Unable to connect as the client id is already in use.")
                self.writer.close()
                return
            self.send(15, 1, "DU0000000")
            self.send(9, 1, 1)
            self.error(-1, 2104, "Market data farm connection is OK:usfarm")
        elif fields[0] == "9":
            self.define(fields)

    def define(self, fields: list[str]) -> None:
        number, symbol, sec, expiry, strike, right = fields[2], *fields[4:9]
        exchange, currency, trading_class = fields[10], fields[12], fields[14]
        if symbol == "NONE":
            self.error(number, 200, "No security definition has been found for the request")
            return
        self.send(
            10, number, symbol, sec, expiry, strike, right, exchange, currency, symbol, symbol, trading_class, 756733,
            0.01, "", "LMT,MKT", "SMART,ARCA", 1, 0, "A NAME", "ARCA", "", "", "", "", "US/Eastern", "", "", "", 0,
            0, 1, "", "", "26", "", "ETF", 1, 1, 100,
        )  # fmt: skip
        self.send(52, 1, number)

    def send(self, *fields) -> None:
        text = "".join(f"{field}\0" for field in fields).encode()
        self.writer.write(struct.pack(">I", len(text)) + text)

    def error(self, number, code, text) -> None:
        self.send(4, 2, number, code, text, "")

    def number(self, kind: str) -> str:
        """The id of the newest request of a message type."""
        place = 1 if kind == "82" else 2
        return [fields[place] for fields in self.received if fields[0] == kind][-1]


class Market(WireTWS):
    """Ticks what is subscribed: a quote two cents wide and a print at its middle, none in a halt; an index' value."""

    PAUSE = 0.1
    PRICES = {"SPY": 670.0, "SPX": 6700.0}

    def __init__(self) -> None:
        super().__init__()
        self.prices = dict(self.PRICES)
        self.halts: dict[str, int] = {}
        # Lines by request: symbol and kind of security.
        self.lines: dict[str, tuple[str, str]] = {}
        self.flows = True
        self.volume = 0

    def _hear(self, fields: list[str]) -> None:
        if fields[0] == "71":
            self.lines.clear()
        super()._hear(fields)
        if fields[0] == "1":
            self.lines[fields[2]] = (fields[4], fields[5])
            self.send(58, 1, fields[2], 1)
            self.send(45, 6, fields[2], 49, float(self.halts.get(fields[4], 0)))
        elif fields[0] == "2":
            self.lines.pop(fields[2], None)

    async def flow(self) -> None:
        while True:
            await asyncio.sleep(self.PAUSE)
            if self.flows and self.writer is not None and not self.writer.is_closing():
                for line, (symbol, security) in list(self.lines.items()):
                    self._tick(line, symbol, security)

    def _tick(self, line: str, symbol: str, security: str) -> None:
        price = self.prices.get(symbol, 100.0)
        if security == "IND":
            self.send(1, 6, line, 4, price, 0, 0)
            return
        self.volume += 100
        now = time.time_ns() // 1_000_000 + 1000 * int(os.environ.get(OFFSET, "0"))
        # The sizes change, so that each step brings a quote.
        size = 100 + self.volume // 100 % 2 * 100
        self.send(1, 6, line, 1, round(price - 0.01, 2), size, 1)
        self.send(1, 6, line, 2, round(price + 0.01, 2), size, 1)
        if not self.halts.get(symbol):
            self.send(46, 6, line, 48, f"{price};100;{now};{self.volume};{price};true")

    def obey(self, order: dict[str, object]) -> dict[str, object]:
        """One line of the second port."""
        what = order["do"]
        if what == "price":
            self.prices[str(order["symbol"])] = float(str(order["price"]))
        elif what == "halt":
            self.halts[str(order["symbol"])] = int(str(order["value"]))
            for line, (symbol, _) in self.lines.items():
                if symbol == order["symbol"]:
                    self.send(45, 6, line, 49, float(str(order["value"])))
        elif what == "flow":
            self.flows = bool(order["on"])
        elif what == "error":
            self.error(-1, order["code"], order["text"])
        elif what != "count":
            return {"error": f"{what}?"}
        kinds = [fields[0] for fields in self.received]
        return {"hellos": self.hellos, "kinds": {kind: kinds.count(kind) for kind in set(kinds)}}

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(json.dumps(self.obey(json.loads(line))).encode() + b"\n")
                await writer.drain()
        writer.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description="A market that speaks TWS' wire.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control-port", type=int, required=True)
    arguments = parser.parse_args()
    market = Market()
    await market.start(arguments.port)
    await asyncio.start_server(market.control, "127.0.0.1", arguments.control_port)
    await market.flow()


if __name__ == "__main__":
    asyncio.run(main())
