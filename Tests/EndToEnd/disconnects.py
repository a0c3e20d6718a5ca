"""A day with many disconnects against the same day undisturbed: the hits are equal, or say that they were repaired or uncertain.

The market is the simulator's, with one seed: what a client misses, REST has. The day runs as fast as STRIKETAPE_TEST_SPEED says.
"""

import store
from harness import *
from system import System, three_feeds
from websocket import Connection, Subscriber

SEED = int(os.environ.get("STRIKETAPE_TEST_SEED", "38"))
SPEED = int(os.environ.get("STRIKETAPE_TEST_SPEED", "400"))
DISCONNECTS = int(os.environ.get("STRIKETAPE_TEST_DISCONNECTS", "200"))
# Market seconds of the day with disconnects, and how long the last of them may take to be repaired.
SPAN, REST = 18_000, 6_000
SYMBOLS = ["SPY", "QQQ", "IWM"]
STYLES = ["scalp", "intraday", "swing", "leap"]


def simulate(port, scenario=None):
    arguments = ["simulate", "--providers", "polygon,uw,ib", "--seed", str(SEED), "--symbols", "3", "--rate", "30"]
    arguments += ["--speed", str(SPEED), "--port", str(port)]
    if scenario:
        path = scratch("disconnects.jsonl")
        with open(path, "w") as file:
            file.write(json.dumps(scenario) + "\n")
        arguments += ["--scenario", path]
    process = striketape("simulate", arguments)
    wait_until(lambda: accepts(port), "the simulator listens")
    return process


def first_prices():
    """The market's first price of each symbol: where plans can be put."""
    port = free_port()
    provider = simulate(port)
    connection = Connection(port, "/stocks", subprotocol=None)
    found = {}
    connection.messages()
    connection.send({"action": "auth", "params": "any-key"})
    connection.send({"action": "subscribe", "params": ",".join("T." + symbol for symbol in SYMBOLS)})
    while len(found) < len(SYMBOLS):
        for event in connection.messages():
            if event.get("ev") == "T":
                found.setdefault(event["sym"], event["p"])
    connection.close()
    provider.interrupt()
    return found


def plans(prices):
    """One plan a symbol and style, with levels that the day crosses: steps around the first price.

    No entry is met by the first price already: which price a run sees first depends on when it connected.
    """
    for symbol in SYMBOLS:
        for number, style in enumerate(STYLES):
            sign = 1 if number % 2 == 0 else -1
            step = prices[symbol] * 0.0006
            kind = ["breakout", "touch"][number // 2]
            entry = prices[symbol] + (sign if kind == "breakout" else -sign) * step
            yield {
                "symbol": symbol, "side": "long" if sign > 0 else "short", "style": style, "kind": "live",
                "trigger": "last", "entry": {"type": kind, "price": round(entry, 2)},
                "stop": {"price": round(entry - sign * 2 * step, 2)},
                "targets": [
                    {"price": round(entry + sign * 1.5 * step, 2), "fraction": 0.5},
                    {"price": round(entry + sign * 4 * step, 2), "fraction": 0.5},
                ],
            }


def hits(state, until):
    """The hits of the plans' own channels up to a market time, by plan."""
    found = {}
    for row in store.rows(state):
        if row[0].startswith("plan:"):
            message = json.loads(row[6])
            if message["type"] == "hit" and int(message["d"]["t"]) <= until:
                found.setdefault(message["d"]["plan"], []).append(message["d"])
    return found


def day(name, prices, scenario):
    state = scratch(name)
    system = System(name, state)
    system.environment.update(three_feeds(system.provider_port))
    system.environment.update({
        "STRIKETAPE_POLYGON_SYMBOLS": ",".join(SYMBOLS),
        "STRIKETAPE_POLYGON_MARKETS": "stocks",
        "STRIKETAPE_FEED_BACKOFF_MS": "10",
        "STRIKETAPE_POLYGON_REQUESTS_PER_MINUTE": "6000",
        "STRIKETAPE_UNIVERSE_CHAIN_STRIKES": "0",
    })
    run = system.run()
    made = [create_plan(system.port, body) for body in plans(prices)]
    subscriber = Subscriber(system.port, ["symbol:SPY"])
    provider = simulate(system.provider_port, scenario)

    def times():
        return [int(message["t"]) for message in list(subscriber.received) if message.get("type") == "tick"]

    begin = wait_until(lambda: (times() or [0])[0], name + ": the market begins", 30)
    whole = (SPAN + REST) * 1_000_000_000
    wait_until(lambda: (times() or [0])[-1] >= begin + whole, name + ": the day is over", (SPAN + REST) / SPEED * 3 + 30)
    attempts = metric(system.admin_port, 'striketape_feed_attempts_total{feed="polygon.stocks"}')
    subscriber.stop()
    check_equal(name + ": the run ends in order", run.interrupt(60), 0)
    provider.interrupt()
    check_equal(name + ": no hole and no double in the commit log", store.holes(store.rows(state)), [])
    found = hits(state, begin + SPAN * 1_000_000_000)
    return [found.get(plan, []) for plan in made], attempts


def compare(quiet, disturbed):
    """Walks both days' hits of each plan side by side: counts, and what is wrong."""
    counts, problems = {"equal": 0, "repaired": 0, "uncertain": 0}, []
    for number, (one, other) in enumerate(zip(quiet, disturbed)):
        identities = [(hit["version"], hit["i"]) for hit in other]
        if len(set(identities)) != len(identities):
            problems.append("plan %d: a hit twice" % number)
        for place in range(max(len(one), len(other))):
            a = one[place] if place < len(one) else None
            b = other[place] if place < len(other) else None
            if b and (b.get("ambiguous") or b.get("uncertainTime")):
                # It says that it can't be decided; what follows from it may differ, too.
                counts["uncertain"] += 1
                break
            if a is None or b is None or (a["kind"], a["k"]) != (b["kind"], b["k"]):
                problems.append("plan %d, hit %d: %s against %s" % (number, place + 1, a, b))
                break
            if b.get("repaired"):
                counts["repaired"] += 1
            elif (a["price"], a["t"]) == (b["price"], b["t"]):
                counts["equal"] += 1
            else:
                problems.append("plan %d, hit %d: %s against %s" % (number, place + 1, a, b))
    return counts, problems


print("seed", SEED, "speed", SPEED)
prices = first_prices()
quiet, _ = day("quiet", prices, None)
wanted = {"random": {"disconnects": DISCONNECTS, "seed": SEED, "over": SPAN, "providers": ["polygon", "uw", "ib"]}}
disturbed, attempts = day("disturbed", prices, wanted)
check("the day has hits (%d)" % sum(map(len, quiet)), sum(map(len, quiet)) >= 12, quiet)
check("the feed was cut often (%s connections)" % attempts, (attempts or 0) >= DISCONNECTS / 6, attempts)
counts, problems = compare(quiet, disturbed)
check_equal("each hit is equal, or says that it was repaired or is uncertain", problems, [])
print("   %(equal)d equal, %(repaired)d repaired, %(uncertain)d uncertain" % counts)
finish()
