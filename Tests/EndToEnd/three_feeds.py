"""Three providers at once over real sockets: their health, a cable pulled from each, the tape of all, and no secret shown."""

import glob

import store
from harness import *
from system import TOKENS, System, three_feeds
from websocket import Subscriber

SEED = int(os.environ.get("STRIKETAPE_TEST_SEED", "37"))
FEEDS = ["polygon.stocks", "polygon.options", "polygon.indices", "uw", "ib"]


def simulate(system, speed, scenario=None):
    arguments = ["simulate", "--providers", "polygon,uw,ib", "--seed", str(SEED), "--symbols", "3", "--rate", "300"]
    arguments += ["--speed", str(speed), "--port", str(system.provider_port)]
    if scenario:
        path = scratch("scenario.jsonl")
        with open(path, "w") as file:
            file.writelines(json.dumps(step) + "\n" for step in scenario)
        arguments += ["--scenario", path]
    process = striketape("simulate", arguments)
    wait_until(lambda: accepts(system.provider_port), "the simulator listens")
    return process


def health(subscriber):
    """The feeds' states in the order in which they were told: {feed: [state]}."""
    found = {}
    for message in list(subscriber.received):
        if message.get("ch") == "health" and message.get("type") == "health" and "off" in message:
            found.setdefault(message["d"]["feed"], []).append(message["d"]["state"])
    return found


def ledger(subscriber, kind):
    return [
        message["d"]
        for message in list(subscriber.received)
        if message.get("ch") == "health" and message.get("type") == "gap" and message["d"]["kind"] == kind
    ]


def last_price(port, symbol):
    _, _, body = http_call(port, "GET", "/api/v1/stream/state?channels=symbol:" + symbol)
    for message in json.loads(body).get("messages", json.loads(body)) if body else []:
        if isinstance(message, dict) and message.get("d", {}).get("last"):
            return message["d"]["last"]
    return None


def shown_secrets(system, subscriber):
    secrets = [CANARY_KEY] + list(TOKENS.values())
    texts = {"messages": json.dumps(subscriber.received)}
    _, _, metrics = http_call(system.admin_port, "GET", "/metrics")
    texts["metrics"] = metrics.decode()
    for path in glob.glob(os.path.join(os.path.dirname(scratch("x")), "*.err")) + glob.glob(scratch("*.out")):
        with open(path, "rb") as file:
            texts[os.path.basename(path)] = file.read().decode("utf-8", "replace")
    for path in store.tape_files(system.state):
        _, out, _ = run_to_end(["tape", "cat", path], name="cat")
        texts[os.path.basename(path)] = out
    return [(name, secret) for name, text in texts.items() for secret in secrets if secret in text]


print("seed", SEED)
redis = Redis()
state = scratch("three")
system = System("three", state, redis)
system.environment.update(three_feeds(system.provider_port))
scenario = [
    {"at": 60, "provider": "polygon", "mood": "reset"},
    {"at": 120, "provider": "uw", "mood": "abort"},
    {"at": 180, "provider": "ib", "mood": "restart", "for": 20},
    {"at": 240, "provider": "polygon", "mood": "duplicate-events", "for": 20},
    {"at": 300, "provider": "ib", "mood": "sequence-hole"},
]
run = system.run()
subscriber = Subscriber(system.port, ["health", "symbol:SPY", "plans"])
provider = simulate(system, 20, scenario)
wait_until(lambda: len(health(subscriber)) >= len(FEEDS), "every feed is told of")
system.wait_ready(40)
check("every feed is ready", True)
price = wait_until(
    lambda: next(
        (
            message["d"]["last"]
            for message in reversed(list(subscriber.received))
            if message.get("ch") == "symbol:SPY" and (message.get("d") or {}).get("last")
        ),
        None,
    ),
    "a price of SPY",
)
price = float(price)
plans = []
for side, sign, style in (("long", 1, "swing"), ("short", -1, "leap")):
    body = {
        "symbol": "SPY", "side": side, "style": style, "kind": "live", "trigger": "last",
        "entry": {"type": "breakout", "price": round(price * (1 + sign * 0.0002), 2)},
        "stop": {"price": round(price * (1 - sign * 0.001), 2)},
        "targets": [{"price": round(price * (1 + sign * 0.001), 2), "fraction": 1}],
    }
    plans.append(create_plan(system.port, body))
watcher = Subscriber(system.port, ["plan:" + plan for plan in plans])

def went_down_and_up(feed, times):
    states = health(subscriber).get(feed, [])
    return states.count("down") >= times and states and states[-1] == "up"

for feed, seconds in (("polygon.stocks", 40), ("uw", 40), ("ib", 60)):
    check(
        "%s: a pulled cable is told, and that it is back" % feed,
        came_true(lambda: went_down_and_up(feed, 1), seconds),
        health(subscriber),
    )
check("the outage stands in the gap ledger", came_true(lambda: ledger(subscriber, "gap"), 20), "")
check("repeated events stand in the gap ledger", came_true(lambda: ledger(subscriber, "duplicate"), 30), "")
check("a hole in the bridge's sequence makes a new connection", came_true(lambda: went_down_and_up("ib", 2), 30), health(subscriber))

def statuses():
    return [message["d"] for message in list(watcher.received) if message.get("type") == "status"]

check("plans were told that they are blind", came_true(lambda: any(s["blind"] is True for s in statuses()), 20), statuses())
check("and that they see again", came_true(lambda: any(s["blind"] is not True and s["reason"] == "seeing" for s in statuses()), 20), statuses())
for feed in FEEDS:
    check("%s: frames are counted" % feed, (metric(system.admin_port, 'striketape_feed_frames_total{feed="%s"}' % feed) or 0) > 0)
check("gaps were asked for", "event=gap_answered" in run.err)
check_equal("no secret is shown", shown_secrets(system, subscriber), [])
for each in (subscriber, watcher):
    each.stop()
check_equal("the run ends in order", run.interrupt(), 0)
provider.interrupt()

committed = store.rows(state)
check_equal("no hole and no double in the commit log", store.holes(committed), [])
files = store.tape_files(state)
status, out, err = run_to_end(["replay"] + files + ["--json", "--quiet"], seconds=120, name="replay")
check_equal("the replay of the tape ends with 0", (status, err if status else ""), (0, ""))
report = json.loads(out) if status == 0 else {}
check_equal("and has the digest of the live run", report.get("digest"), store.digest_of_state(state))
events = report.get("events", {})
for kind in ("T", "Q", "V", "uw.option_trades", "ib.q"):
    check("the tape holds %s" % kind, events.get(kind, 0) > 0, events)
for arguments in (["--shards", "2"], ["--shards", "5"]):
    status, out, _ = run_to_end(["replay"] + files + ["--json", "--quiet"] + arguments, seconds=120, name="replay")
    check_equal("the same with " + " ".join(arguments), json.loads(out)["digest"] if status == 0 else status, report.get("digest"))
status, out, err = run_to_end(["tape", "verify"] + files, seconds=60, name="verify")
check_equal("the tape is whole", status, 0)
finish()
