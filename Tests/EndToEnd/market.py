"""A small made-up market: tapes in the provider's format, and plans whose hits are known from its path."""

import datetime
import json
import random

# 2013-10-08 13:30 UTC: the opening bell in New York.
OPEN = int(datetime.datetime(2013, 10, 8, 13, 30, tzinfo=datetime.timezone.utc).timestamp())
# Cents at the path's middle and how far it swings.
SYMBOLS = {"SPY": (14_500, 100), "BAC": (1_400, 60), "QQQ": (7_900, 80)}
# Seconds from the middle up, down and back.
PERIOD = 60


def path(symbol, second):
    """The price in cents: a triangle that starts in the middle and rises first."""
    middle, swing = SYMBOLS[symbol]
    phase = (second % PERIOD) / PERIOD
    if phase < 0.25:
        height = 4 * phase
    elif phase < 0.75:
        height = 2 - 4 * phase
    else:
        height = 4 * phase - 4
    return middle + round(swing * height)


def dollars(cents):
    return cents / 100


class Tape:
    """Makes a tape line by line; the same seed gives the same bytes."""

    def __init__(self, seed=1, symbols=None, minutes=3, events_per_second=40):
        self.random = random.Random(seed)
        self.symbols = list(symbols or SYMBOLS)
        self.seconds = minutes * 60
        self.events_per_second = events_per_second
        self.sequence = {symbol: 0 for symbol in self.symbols}
        self.bars = {}
        self.events = 0

    def quote(self, symbol, milliseconds, price):
        self.sequence[symbol] += 1
        self.events += 1
        return {
            "ev": "Q", "sym": symbol, "bx": 11, "bp": dollars(price - 1), "bs": self.random.randrange(1, 40),
            "ax": 12, "ap": dollars(price + 1), "as": self.random.randrange(1, 40), "c": 1,
            "t": milliseconds, "q": self.sequence[symbol], "z": 1,
        }

    def trade(self, symbol, milliseconds, price):
        self.sequence[symbol] += 1
        self.events += 1
        size = self.random.randrange(1, 10) * 100
        bar = self.bars.setdefault(symbol, [price, price, price, price, 0])
        bar[1], bar[2], bar[3] = max(bar[1], price), min(bar[2], price), price
        bar[4] += size
        return {
            "ev": "T", "sym": symbol, "x": 11, "i": str(self.sequence[symbol]), "z": 1, "p": dollars(price),
            "s": size, "t": milliseconds, "q": self.sequence[symbol],
        }

    def bar_events(self, start):
        found = []
        for symbol, (first, high, low, last, volume) in self.bars.items():
            self.events += 1
            found.append({
                "ev": "AM", "sym": symbol, "v": volume, "av": volume, "op": dollars(first), "vw": dollars((high + low) // 2),
                "o": dollars(first), "c": dollars(last), "h": dollars(high), "l": dollars(low),
                "a": dollars((high + low) // 2), "z": 100, "s": start, "e": start + 60_000,
            })
        self.bars = {}
        return found

    def lines(self):
        step = 1_000 / self.events_per_second
        for index in range(int(self.seconds * self.events_per_second)):
            offset = int(index * step)
            milliseconds = OPEN * 1_000 + offset
            frame = []
            if offset and offset // 60_000 != int((index - 1) * step) // 60_000:
                frame += self.bar_events(milliseconds - 60_000 - offset % 60_000)
            for symbol in self.symbols:
                price = path(symbol, offset / 1_000)
                frame.append(self.trade(symbol, milliseconds, price))
                frame.append(self.quote(symbol, milliseconds, price))
            yield milliseconds * 1_000_000, frame

    def write(self, file_path, commands=None):
        """Writes the tape; `commands` is {seconds after the open: [command]}, each put before the first later frame."""
        waiting = sorted((commands or {}).items())
        with open(file_path, "w") as file:
            for time, frame in self.lines():
                while waiting and time >= (OPEN + waiting[0][0]) * 1_000_000_000:
                    for command in waiting.pop(0)[1]:
                        file.write(json.dumps({"t": time, "cmd": command}, separators=(",", ":")) + "\n")
                line = {"t": time, "src": "polygon.stocks", "frame": frame}
                file.write(json.dumps(line, separators=(",", ":")) + "\n")
        return file_path


def plan(symbol, side, entry, stop, targets, **more):
    """A plan's body; levels in cents from the middle of the symbol's path."""
    middle = SYMBOLS[symbol][0]
    fractions = {1: [1], 2: [0.5, 0.5], 3: [0.5, 0.3, 0.2]}[len(targets)]
    body = {
        "symbol": symbol, "side": side, "style": "swing", "kind": "live", "trigger": "last",
        "entry": {"type": "touch", "price": dollars(middle + entry)}, "stop": {"price": dollars(middle + stop)},
        "targets": [
            {"price": dollars(middle + target), "fraction": fraction} for target, fraction in zip(targets, fractions)
        ],
    }
    body.update(more)
    return body


def known_plans():
    """Plans and the kinds of their hits on the path, in order: [(body, kinds)]; one live plan a symbol and style."""
    winner = plan("SPY", "long", 20, -20, [40, 60, 80])
    loser = plan("BAC", "long", 20, -20, [500])
    short = plan("QQQ", "short", 20, 90, [0, -20, -40], trigger="bidask")
    return [
        (winner, ["entry", "target", "target", "target"]),
        (loser, ["entry", "stop"]),
        (short, ["entry", "target", "target", "target"]),
    ]


def command(operation, identifier, body, owner="local"):
    return {"op": operation, "id": identifier, "owner": owner, "body": body}
