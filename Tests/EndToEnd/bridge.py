"""The engine and the IB bridge as processes: a socket that speaks TWS' own wire on one end, a subscriber on the other."""

import datetime
import glob

import store
from harness import *
from system import TOKENS, System
from websocket import Subscriber

HOME = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ops", "ib-bridge")
PYTHON = os.environ.get("IB_BRIDGE_PYTHON", sys.executable)
# Whenever the test runs, it's a Wednesday 10:30 in New York for the broker and his bridge; the engine takes their time.
OPEN = datetime.datetime(2025, 11, 19, 15, 30, tzinfo=datetime.timezone.utc).timestamp()
CLOCK = {"IB_BRIDGE_TEST_CLOCK_OFFSET": str(int(OPEN - time.time())), "PYTHONDONTWRITEBYTECODE": "1"}
BROKEN = "Market data farm connection is broken:usfarm"
WELL = "Market data farm connection is OK:usfarm"


class TWS:
    """The broker's program: what it does is told to it line by line."""

    def __init__(self):
        self.port, self.control_port = free_port(), free_port()
        script = os.path.join(HOME, "tests", "wire_tws.py")
        arguments = [PYTHON, script, "--port", str(self.port), "--control-port", str(self.control_port)]
        self.process = Process("tws", arguments, CLOCK)
        wait_until(lambda: accepts(self.control_port), "TWS listens")

    def do(self, what, **more):
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.control_port), 10)) as sock:
            sock.sendall(json.dumps(dict(more, do=what)).encode() + b"\n")
            return json.loads(sock.makefile("rb").readline())


class Bridge:
    """The bridge's process; started again it has the same port."""

    def __init__(self, tws):
        self.port = free_port()
        self.arguments = [PYTHON, os.path.join(HOME, "tests", "shifted.py")]
        self.arguments += ["--listen-port", str(self.port), "--tws-port", str(tws.port)]
        self.start()

    def start(self):
        self.process = Process("bridge", self.arguments, dict(CLOCK, IB_BRIDGE_TOKEN=TOKENS["ib"]))
        wait_until(lambda: accepts(self.port), "the bridge listens")

    @property
    def health(self):
        return json.loads(http_call(self.port, "GET", "/healthz")[2])


def settings(bridge, token=TOKENS["ib"]):
    return {
        "STRIKETAPE_POLYGON_MARKETS": "",
        "STRIKETAPE_POLYGON_SYMBOLS": "SPY,I:SPX",
        "STRIKETAPE_IB_URL": "ws://127.0.0.1:%d/ib/v1" % bridge.port,
        "STRIKETAPE_IB_TOKEN": token,
        "STRIKETAPE_FEED_BACKOFF_MS": "100",
        # Nobody has bars of a gap.
        "STRIKETAPE_FEED_REPAIR_MS": "1000",
    }


def newest(channel, field):
    """The last value that a channel told of a field."""
    for message in reversed(subscriber.of(channel)):
        if field in (message.get("d") or {}):
            return message["d"][field]
    return None


def told(kind):
    return [m["d"] for m in list(subscriber.received) if m.get("ch") == "health" and m.get("type") == kind and "off" in m]


def states():
    """What was told of the feed, in order."""
    return [d["state"] for d in told("health") if d["feed"] == "ib"]


def gaps():
    return [d for d in told("gap") if d["feed"] == "ib" and d["kind"] == "gap"]


def plan(style, entry, stop, target, trigger="last"):
    return create_plan(
        system.port,
        {
            "symbol": "SPY", "side": "long", "style": style, "kind": "live", "trigger": trigger,
            "entry": {"type": "breakout", "price": entry}, "stop": {"price": stop},
            "targets": [{"price": target, "fraction": 1}],
        },
    )  # fmt: skip


PLAN = {
    "symbol": "SPY", "side": "long", "style": "swing", "kind": "live", "trigger": "last",
    "entry": {"type": "touch", "price": 600}, "stop": {"price": 590}, "targets": [{"price": 620, "fraction": 1}],
}  # fmt: skip


def blindness():
    return [(m["d"]["blind"], m["d"]["reason"]) for m in list(watcher.received) if m.get("type") == "status"]


def is_seen(price, field="last"):
    """SPY is brought to a price, and the engine shows it."""
    tws.do("price", symbol="SPY", price=price)
    return came_true(lambda: float(newest("symbol:SPY", field) or 0) == price, 10)


def outage(name, begin, end):
    """The bridge or the broker goes and comes back: what was told from the one to the other."""
    before, saw, holes = len(states()), len(blindness()), len(gaps())
    begin()
    check("%s: told" % name, came_true(lambda: "down" in states()[before:], 10), states())
    check("%s: not ready" % name, came_true(lambda: not system.is_ready, 5))
    check("%s: plans are blind" % name, came_true(lambda: True in [b for b, _ in blindness()[saw:]], 10), blindness())
    end()
    check("%s: back" % name, came_true(lambda: len(states()) > before and states()[-1] == "up", 20), states())
    check("%s: ready again" % name, came_true(lambda: system.is_ready, 10))
    check("%s: plans see again" % name, came_true(lambda: blindness()[-1][0] is not True and blindness()[-1][1] == "seeing", 20), blindness())
    check("%s: the gap is told" % name, came_true(lambda: len(gaps()) > holes, 10), told("gap"))
    check("%s: prices come again" % name, is_seen(670.0 + outage.count), newest("symbol:SPY", "last"))
    outage.count = 1 - outage.count


outage.count = 1

tws = TWS()
bridge = Bridge(tws)
state = scratch("bridge")
system = System("bridge", state, settings=settings(bridge))
run = system.run()
subscriber = Subscriber(system.port, ["health", "symbol:SPY", "symbol:I:SPX"])
system.wait_ready(30)
check("the feed is ready", True)
check("and told as up", came_true(lambda: states()[-1:] == ["up"], 10), states())

# Prices.
check("a price of SPY", is_seen(670.25), subscriber.of("symbol:SPY")[-3:])
check_equal("from the bridge", newest("symbol:SPY", "source"), "ib")
check_equal("with its quote", (float(newest("symbol:SPY", "bid")), float(newest("symbol:SPY", "ask"))), (670.24, 670.26))
tws.do("price", symbol="SPX", price=6712.5)
check("a value of the index", came_true(lambda: float(newest("symbol:I:SPX", "last") or 0) == 6712.5, 10), subscriber.of("symbol:I:SPX")[-3:])
check_equal("from the bridge too", newest("symbol:I:SPX", "source"), "ib")

# A plan.
swing = plan("swing", 671, 668, 672)
follower = Subscriber(system.port, ["plan:" + swing])
hits = lambda: [m["d"] for m in follower.hits("plan:" + swing)]
wait_until(lambda: follower.of("plan:" + swing)[1:], "the plan is told")
is_seen(671.25)
check("entry", came_true(lambda: [h["kind"] for h in hits()] == ["entry"], 10), hits())
is_seen(672.5)
check("target", came_true(lambda: [h["kind"] for h in hits()] == ["entry", "target"], 10), hits())
check_equal("at the bridge's prices", [float(h["price"]) for h in hits()], [671.25, 672.5])
check("and say whose they are", all(h["why"].get("feed") == "ib" for h in hits()), hits())
follower.stop()

# A plan that stays, and what goes wrong around it.
leap = plan("leap", 700, 600, 800)
watcher = Subscriber(system.port, ["plan:" + leap])
wait_until(lambda: watcher.of("plan:" + leap)[1:], "the plan is told")
is_seen(670.0)

def break_farm():
    tws.do("flow", on=False)
    tws.do("error", code=2103, text=BROKEN)

def mend_farm():
    tws.do("flow", on=True)
    tws.do("error", code=2104, text=WELL)

asked = tws.do("count")["kinds"]["1"]
outage("a broken farm", break_farm, mend_farm)
check_equal("a broken farm: everything was asked for anew", tws.do("count")["kinds"]["1"] - asked, 2)

def lose_broker():
    tws.do("flow", on=False)
    tws.do("error", code=1100, text="Connectivity between IBKR and Trader Workstation has been lost.")

def find_broker():
    tws.do("flow", on=True)
    tws.do("error", code=1101, text="Connectivity restored - data lost.")

outage("TWS without IB", lose_broker, find_broker)
outage("the bridge killed", bridge.process.kill, bridge.start)

def terminate():
    bridge.process.process.send_signal(signal.SIGTERM)
    check_equal("the bridge ends in order", bridge.process.wait(10), 0)

outage("the bridge restarted", terminate, bridge.start)
check("the engine heard why", any("the bridge restarts" in (d.get("reason") or "") for d in told("health")), told("health"))

# A halt.
is_seen(670.0)
swing = plan("swing", 671, 668, 672, trigger="mid")
follower = Subscriber(system.port, ["plan:" + swing])
wait_until(lambda: follower.of("plan:" + swing)[1:], "the plan is told")
tws.do("halt", symbol="SPY", value=2)
check("a quote in a halt is shown", is_seen(671.5, "mid"))
check("and back", is_seen(670.0, "mid"))
check_equal("and gives no entry", hits(), [])
tws.do("halt", symbol="SPY", value=0)
is_seen(671.25)
check("after the halt it does", came_true(lambda: [h["kind"] for h in hits()] == ["entry"], 10), hits())
check_equal("at the price of after", [float(h["price"]) for h in hits()], [671.25])
follower.stop()

# A plan of before the bridge is there.
early = System("early", scratch("early"), settings=dict(settings(bridge), STRIKETAPE_IB_URL="ws://127.0.0.1:1/ib/v1"))
alone = early.run()
first = create_plan(early.port, PLAN)
_, _, body = http_call(early.port, "GET", "/api/v1/plans/" + first)
check("a plan of before the bridge is there is blind", b'"blind":true' in body.replace(b" ", b""), body)
check_equal("it ends in order", alone.interrupt(), 0)

# A token that isn't the bridge's.
wrong = "canary-wrong-token-5f2c"
stranger = System("stranger", scratch("stranger"), settings=settings(bridge, wrong))
refused = stranger.run()
said = lambda: [line for line in refused.err.splitlines() if "feed_alert" in line]
came_true(lambda: said(), 10)
time.sleep(3)
check("a wrong token is said, and once", len(said()) == 1 and "refused the token" in said()[0], refused.err[-2000:])
check_equal("and tried once", metric(stranger.admin_port, 'striketape_feed_attempts_total{feed="ib"}'), 1)
check_equal("and isn't ready", http_call(stranger.admin_port, "GET", "/readyz")[0], 503)
check_equal("it ends in order", refused.interrupt(), 0)

# Nothing went astray.
health = bridge.health
check_equal("no command of the engine was refused", {k: v for k, v in health["counters"].items() if "bad" in k or "fault" in k}, {})
_, _, metrics = http_call(system.admin_port, "GET", "/metrics")
malformed = [line for line in metrics.decode().splitlines() if ("malformed" in line or "unknown" in line) and not line.startswith("#") and not line.endswith(" 0")]
check_equal("no event of the bridge was malformed", malformed, [])
for each in (subscriber, watcher):
    check_equal("a subscriber had no trouble", each.problems, [])
    each.stop()
check_equal("the run ends in order", run.interrupt(), 0)

files = store.tape_files(state)
tape = "".join(run_to_end(["tape", "cat", path], name="cat")[1] for path in files)
texts = {"messages": json.dumps(subscriber.received), "metrics": metrics.decode(), "health": json.dumps(health), "tape": tape}
for path in glob.glob(scratch("*.err")) + glob.glob(scratch("*.out")):
    with open(path, "rb") as file:
        texts[os.path.basename(path)] = file.read().decode("utf-8", "replace")
secrets = [CANARY_KEY, wrong] + list(TOKENS.values())
check_equal("no secret is shown", [(name, secret) for name, text in texts.items() for secret in secrets if secret in text], [])
epochs = set(part.split('"')[0].rstrip("\\") for part in tape.replace("\\", "").split('"epoch":"')[1:])
check("each of the bridge's lives had its epoch", len(epochs) >= 3, epochs)
check_equal("no hole and no double in the commit log", store.holes(store.rows(state)), [])
status, out, err = run_to_end(["replay"] + files + ["--json", "--quiet"], seconds=60, name="replay")
check_equal("the replay of the tape ends with 0", (status, err if status else ""), (0, ""))
report = json.loads(out) if status == 0 else {}
check_equal("and has the digest of the live run", report.get("digest"), store.digest_of_state(state))
events = report.get("events", {})
for kind in ("ib.snap", "ib.q", "ib.t"):
    check("the tape holds %s" % kind, events.get(kind, 0) > 0, events)
finish()
