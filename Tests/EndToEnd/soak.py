"""Hours in small: three providers whose cables are pulled, engine, Redis, gateway and fifty subscribers.

STRIKETAPE_SOAK_SECONDS says how long it is measured (60 by default) after a warm-up of half as long, 30 s at least. Sampled
every second: resident memory, open files, threads and the depths of all queues. After the warm-up memory may grow by no more
than what the day itself adds (bars, plans' hits), open files by nothing that stays.
"""

import re

import store
from harness import *
from system import System
from watcher import Watcher

SECONDS = int(os.environ.get("STRIKETAPE_SOAK_SECONDS", "60"))
WARM_UP = max(30, min(300, SECONDS // 2))
SEED = int(os.environ.get("STRIKETAPE_TEST_SEED", "50"))
SPEED = int(os.environ.get("STRIKETAPE_SOAK_SPEED", "8"))
SUBSCRIBERS = 50
SYMBOLS = ["SPY", "QQQ"]
FEEDS = ["polygon.stocks", "polygon.options", "polygon.indices", "uw", "ib"]
# What resident memory of a process may grow by after the warm-up, in MiB: once, for an allocator that still settles, and a minute.
# A short run can only tell large growth; half an hour allows 19 MiB.
MEMORY_ONCE, MEMORY_MINUTE = 4.0, 0.5
# Open files come and go with the feeds' connections; a leak of one a reconnect would be one every CABLE seconds.
FILES_SLACK = 3
CABLE = 10
# Depths of queues, with what they may be when the machine is as busy as it likes.
DEPTHS = {
    "striketape_bus_pending_messages": 2_048,
    "striketape_bus_spilled_messages": 0,
    "striketape_sequencer_backlog_messages": 0,
    "striketape_sequencer_pending_messages": 65_536,
}
# Counters that must stay 0.
NEVER = [
    "striketape_bus_fenced_total", "striketape_bus_lost_total", "striketape_bus_malformed_total",
    "striketape_bus_server_errors_total", "striketape_failed_commits_total", "striketape_gateway_bus_inbox_dropped_total",
    "striketape_gateway_holes_total", "striketape_tape_failures_total", "striketape_tape_lost_lines_total",
]


def settings(port):
    return {
        "STRIKETAPE_POLYGON_SYMBOLS": "SPY,QQQ,I:SPX",
        "STRIKETAPE_POLYGON_MARKETS": "stocks,options,indices",
        "STRIKETAPE_POLYGON_REST_URL": "http://127.0.0.1:%d" % port,
        "STRIKETAPE_UW_URL": "ws://127.0.0.1:%d/socket" % port,
        "STRIKETAPE_UW_REST_URL": "http://127.0.0.1:%d" % port,
        "STRIKETAPE_UW_TOKEN": "soak-uw-token",
        "STRIKETAPE_IB_URL": "ws://127.0.0.1:%d/ib/v1" % port,
        "STRIKETAPE_IB_TOKEN": "soak-ib-token",
        "STRIKETAPE_UNIVERSE_CHAIN_STRIKES": "3",
        "STRIKETAPE_FEED_BACKOFF_MS": "100",
        "STRIKETAPE_FEED_REPAIR_MS": "3600000",
        "STRIKETAPE_ENGINE_CHECKPOINT_S": "10",
    }


def scenario():
    """A cable is pulled every CABLE seconds, of each provider by turns; the last 20 s are quiet."""
    cables = [("polygon", "reset"), ("uw", "abort"), ("ib", "restart"), ("polygon", "duplicate-events"), ("uw", "reset")]
    steps = []
    for turn, at in enumerate(range(15, WARM_UP + SECONDS - 20, CABLE)):
        provider, mood = cables[turn % len(cables)]
        step = {"at": at, "clock": "wall", "provider": provider, "mood": mood}
        if mood in ("restart", "duplicate-events"):
            step["for"] = 2
        steps.append(step)
    return steps


def simulate(port):
    path = scratch("scenario.jsonl")
    with open(path, "w") as file:
        file.writelines(json.dumps(step) + "\n" for step in scenario())
    arguments = ["simulate", "--providers", "polygon,uw,ib", "--seed", str(SEED), "--symbols", "3", "--rate", "200"]
    process = striketape("simulate", arguments + ["--speed", str(SPEED), "--port", str(port), "--scenario", path])
    wait_until(lambda: accepts(port), "the simulator listens")
    return process


# Samples


def gauges(port):
    _, _, body = http_call(port, "GET", "/metrics")
    found = {}
    for line in body.decode().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def sample(name, process, port, start):
    """What one process holds now; `/proc`, so that the process's own word isn't needed."""
    base = "/proc/%d/" % process.process.pid
    with open(base + "statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    with open(base + "stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return {
        "at": time.monotonic() - start,
        "rss": resident,
        "files": len(os.listdir(base + "fd")),
        "threads": int(fields[17]),
        "cpu": (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        "metrics": gauges(port),
    }


def slope(points):
    """Least squares, a minute; over medians of fives, so that one peak says little."""
    medians = []
    for place in range(0, len(points) - 4, 5):
        group = points[place : place + 5]
        medians.append((group[2][0], sorted(value for _, value in group)[2]))
    count = len(medians)
    x, y = sum(a for a, _ in medians) / count, sum(b for _, b in medians) / count
    spread = sum((a - x) ** 2 for a, _ in medians)
    return 60 * sum((a - x) * (b - y) for a, b in medians) / spread


def soak(processes, start):
    samples = {name: [] for name, _, _ in processes}
    while time.monotonic() - start < WARM_UP + SECONDS:
        for name, process, port in processes:
            if not process.is_running:
                give_up("%s ended with %s" % (name, process.process.returncode))
            samples[name].append(sample(name, process, port, start))
        if len(samples["engine"]) % CABLE == 0:
            make_plans(system.port)
        time.sleep(max(0, 1 - (time.monotonic() - start) % 1))
    return samples


def judge(name, samples):
    measured = [each for each in samples if each["at"] >= WARM_UP]
    first, last = measured[0], measured[-1]
    memory = slope([(each["at"], each["rss"]) for each in measured])
    files = [each["files"] for each in measured]
    third = len(files) // 3
    print(
        "%s: rss %.1f -> %.1f MiB (peak %.1f, slope %+.2f MiB/min), files %d..%d, threads %d..%d, CPU %.2f s a s"
        % (
            name, first["rss"], last["rss"], max(each["rss"] for each in samples), memory, min(files), max(files),
            min(each["threads"] for each in measured), max(each["threads"] for each in measured),
            (last["cpu"] - first["cpu"]) / (last["at"] - first["at"]),
        ),
        flush=True,
    )
    minutes = (last["at"] - first["at"]) / 60
    allowed = MEMORY_ONCE + MEMORY_MINUTE * minutes
    check("%s: memory is flat after the warm-up" % name, memory * minutes <= allowed, (memory * minutes, allowed))
    if "striketape_symbols" in last["metrics"]:
        print("  symbols: %d -> %d" % (first["metrics"]["striketape_symbols"], last["metrics"]["striketape_symbols"]))
    check("%s: open files are flat" % name, min(files[-third:]) <= min(files[:third]) + FILES_SLACK, files)
    threads = [each["threads"] for each in measured]
    check("%s: threads are flat" % name, min(threads[-third:]) <= min(threads[:third]) + 2, threads)
    for depth, limit in DEPTHS.items():
        seen = [each["metrics"][depth] for each in measured if depth in each["metrics"]]
        if seen:
            print("  %s: median %d, most %d" % (depth, sorted(seen)[len(seen) // 2], max(seen)))
            check("%s: %s stays within its limit" % (name, depth), max(seen) <= limit, max(seen))
            check("%s: %s has no trend" % (name, depth), min(seen[-third:]) <= min(seen[:third]) + limit // 8, seen[-20:])
    for counter in NEVER:
        if counter in last["metrics"]:
            check_equal("%s: %s" % (name, counter), last["metrics"][counter], 0)


# Subscribers


def prices(watcher_port, symbols):
    """The last prices, once each symbol has one."""

    def read():
        # Well below what one address may ask in a second.
        time.sleep(0.1)
        query = ",".join("symbol:" + symbol for symbol in symbols)
        _, _, body = http_call(watcher_port, "GET", "/api/v1/stream/state?channels=" + query)
        found = {}
        for message in json.loads(body):
            if isinstance(message, dict) and "ch" in message:
                last = ((message.get("d") or {}).get("tick") or {}).get("last")
                if last:
                    found[message["ch"].split(":")[1]] = float(last)
        return found if len(found) == len(symbols) else None

    return wait_until(read, "prices of %s" % symbols, 40)


def make_plans(port):
    """Makes what is missing of a live plan a symbol and style (there may be no two), a few hundredths of a percent off.

    Gives the new ones' ids; a refusal is that one is open still, or that its symbol is blind just now.
    """
    plans = []
    for symbol, price in prices(port, SYMBOLS).items():
        for number, style in enumerate(("intraday", "swing", "leap")):
            sign = 1 if number % 2 == 0 else -1
            step = price * 0.0001
            targets = [{"price": round(price + sign * (2 + k) * step, 2), "fraction": 0.25} for k in range(4)]
            plan = {
                "symbol": symbol, "side": "long" if sign > 0 else "short", "style": style, "trigger": "last",
                "kind": "live", "entry": {"type": "breakout", "price": round(price + sign * step, 2)},
                "stop": {"price": round(price - sign * 4 * step, 2)}, "targets": targets,
            }
            status, _, body = http_call(port, "POST", "/api/v1/plans", plan)
            if status == 201:
                answer = json.loads(body)
                plans.append((answer.get("plan") or answer)["id"])
            elif status not in (409, 422):
                check("plans can be made", False, (status, body))
    return plans


def subscribe(port, plans):
    """Fast ones, many at a rate, and one that hardly reads."""
    symbols = ["symbol:" + symbol for symbol in SYMBOLS]
    everything = ["health", "plans", "bands:SPY"] + symbols + ["plan:" + plan for plan in plans]
    watchers = [Watcher(port, everything) for _ in range(3)]
    for number in range(SUBSCRIBERS - len(watchers) - 1):
        time.sleep(0.05)
        own = ["plan:" + plan for plan in plans[number % 3 :: 3]]
        watchers.append(Watcher(port, ["plans"] + symbols + own, rate=2))
    slow = Watcher(port, everything, pause=1.0, receive_buffer=4_096)
    return watchers + [slow], slow


def judge_subscribers(watchers, slow, state):
    committed = store.rows(state)
    check_equal("no hole and no double in the commit log", store.holes(committed), [])
    quick = [watcher for watcher in watchers if watcher is not slow]
    def behind():
        # Read anew: with the simulator gone the feeds are told as down.
        ends = store.last_offsets(state)
        return [
            (number, channel, place.offset, ends.get(channel, 0))
            for number, watcher in enumerate(quick)
            for channel, place in watcher.places.items()
            if place.offset != ends.get(channel, 0)
        ]

    check("every subscriber has heard the last durable message", came_true(lambda: not behind(), 20), behind())
    check_equal("no subscriber saw a hole or a double", [p for w in watchers for p in w.problems][:20], [])
    check_equal("no gap was told", sum(watcher.gaps for watcher in watchers), 0)
    check_equal("no error was told", [e for w in quick for e in w.errors][:20], [])
    check_equal("nobody but the slow one was cut", [c for w in quick for c in w.close_codes], [])
    check("the slow one was cut as too slow, if at all", set(slow.close_codes) <= {4008}, slow.close_codes)
    check("every subscriber heard something", min(watcher.messages for watcher in watchers) > 0)
    heard = (slow.messages, quick[0].messages)
    check("the slow one heard less, in wider steps", heard[0] < heard[1] / 2, heard)
    hits = len([row for row in committed if row[0].startswith("plan:") and b'"type":"hit"' in row[6]])
    check("plans were hit", hits > 0)
    durable = sum(place.durable for watcher in watchers for place in watcher.places.values())
    print("log: %d durable messages, %d hits" % (len(committed), hits))
    print(
        "subscribers: %d messages in %d frames, %d durable; the slow one %d in %d, %d connections"
        % (
            sum(watcher.messages for watcher in watchers), sum(watcher.frames for watcher in watchers), durable,
            slow.messages, slow.frames, slow.connections,
        )
    )


def lines_of_trouble(process, expected="$^"):
    lines = [line for line in process.err.splitlines() if re.search(r"level=(error|critical)", line)]
    return [line[:300] for line in lines if not re.search(expected, line)][:10]


print("seed", SEED, "warm-up", WARM_UP, "s, measured", SECONDS, "s, speed", SPEED, flush=True)
redis = Redis()
state = scratch("soak")
system = System("soak", state, redis)
system.environment.update(settings(system.provider_port))
engine = system.run("engine")
gateway = system.run("gateway")
provider = simulate(system.provider_port)
start = time.monotonic()
system.wait_ready(40)
plans = make_plans(system.port)
watchers, slow = subscribe(system.port, plans)
samples = soak([("engine", engine, system.engine_admin_port), ("gateway", gateway, system.admin_port)], start)
for name in samples:
    judge(name, samples[name])

# A gateway that starts only now must know every feed from the bus.
late_system = System("late", scratch("late"), redis)
late_system.environment["STRIKETAPE_POLYGON_SYMBOLS"] = "SPY,QQQ,I:SPX"
late_gateway = late_system.run("gateway")
late = Watcher(late_system.port, ["health"])
check(
    "every feed is live at the end, also to a gateway that starts late",
    came_true(lambda: all(late.health.get(feed) == "up" for feed in FEEDS), 40),
    late.health,
)
check(
    "the engine is ready", came_true(lambda: http_call(system.engine_admin_port, "GET", "/readyz")[0] == 200, 20),
    http_call(system.engine_admin_port, "GET", "/readyz"),
)
told = len([1 for line in engine.err.splitlines() if "event=feed_" in line])
print("feeds: %d lines of feeds, %d cables pulled" % (told, len(scenario())))
for process in (engine, gateway):
    check_equal("%s: no error in the log while it is measured" % process.name, lines_of_trouble(process), [])
# No more news but that the feeds are gone, so that the subscribers can be held against the log.
provider.kill()
wait_until(lambda: gauges(system.engine_admin_port)["striketape_sequencer_pending_messages"] == 0, "all was released")
judge_subscribers(watchers, slow, state)
for each in watchers + [late]:
    each.stop()
for each in (late_gateway, gateway):
    check_equal("%s ends in order" % each.name, each.interrupt(), 0)
check_equal("the engine ends in order", engine.interrupt(), 0)
for process in (engine, gateway):
    # The simulator's end is a provider that can't be reached.
    trouble = lines_of_trouble(process, "event=feed_alert .*can't be reached")
    check_equal("%s: no error in the log at its end" % process.name, trouble, [])
status, out, err = run_to_end(["tape", "verify"] + store.tape_files(state), seconds=120, name="verify")
check_equal("the tape is whole", status, 0)
finish()
