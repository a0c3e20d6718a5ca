"""Every mood of the three providers, one after the other, on a running engine: counted, told, and the rest goes on."""

import store
from harness import *
from system import System, three_feeds
from websocket import Subscriber

SEED = int(os.environ.get("STRIKETAPE_TEST_SEED", "40"))
SPEED = 20
# Market seconds of a mood, and between two.
LENGTH, PAUSE = 20, 10
DATA = [
    ("polygon", ["late-prints", "late-bars", "resent-bars", "duplicate-events", "backward-sequence", "number-forms",
                 "empty-strings", "unknown-events", "malformed-elements", "broken-frame", "huge-frames", "fragments"]),
    ("uw", ["empty-strings", "unknown-events", "malformed-elements", "broken-frame", "fragments", "silent-drop"]),
    ("ib", ["unknown-events", "malformed-elements", "broken-frame", "fragments", "gap", "1100", "1101", "1102", "2103",
            "10197", "10225", "317"]),
]
# What ends a connection; each is back by itself.
ENDINGS = [
    ("polygon", ["reset", "abort", "close-1008", "close-1012"]),
    ("uw", ["reset", "abort", "close-1012", "close-1013"]),
    ("ib", ["reset", "abort", "close-1013", "restart", "sequence-hole"]),
]


def scenario():
    steps, at = [], 60
    for provider, moods in DATA + ENDINGS:
        for mood in moods:
            step = {"at": at, "provider": provider, "mood": mood}
            if (provider, moods) in DATA and mood != "317":
                step["for"] = LENGTH
            if mood == "restart":
                step["for"] = LENGTH
            steps.append(step)
            at += LENGTH + PAUSE
    return steps, at


print("seed", SEED)
state = scratch("moods")
system = System("moods", state)
system.environment.update(three_feeds(system.provider_port))
system.environment["STRIKETAPE_FEED_BACKOFF_MS"] = "50"
steps, end = scenario()
path = scratch("moods.jsonl")
with open(path, "w") as file:
    file.writelines(json.dumps(step) + "\n" for step in steps)
run = system.run()
provider = striketape("simulate", [
    "simulate", "--providers", "polygon,uw,ib", "--seed", str(SEED), "--symbols", "3", "--rate", "200",
    "--speed", str(SPEED), "--port", str(system.provider_port), "--scenario", path,
])
wait_until(lambda: accepts(system.provider_port), "the simulator listens")
subscriber = Subscriber(system.port, ["health", "symbol:SPY"])
system.wait_ready(40)

def times():
    return [int(message["t"]) for message in list(subscriber.received) if message.get("type") == "tick"]

begin = wait_until(lambda: (times() or [0])[0], "the market begins", 30)
wait_until(
    lambda: (times() or [0])[-1] >= begin + (end + 60) * 1_000_000_000 or not run.is_running,
    "all moods have passed",
    end / SPEED * 3 + 60,
)
check("the engine lives", run.is_running, run.err[-2000:])
check("every feed is back", came_true(lambda: system.is_ready, 40), http_call(system.admin_port, "GET", "/readyz")[2])
for name in ("malformed_events_total", "unknown_events_total", "duplicate_events_total", "out_of_order_events_total"):
    check("%s is counted" % name, (metric(system.admin_port, "striketape_" + name) or 0) > 0)
states = {}
for message in list(subscriber.received):
    if message.get("ch") == "health" and message.get("type") == "health":
        states.setdefault(message["d"].get("feed"), []).append(message["d"].get("state"))
for feed, least in (("polygon.stocks", 4), ("uw", 4), ("ib", 5)):
    count = states.get(feed, []).count("down")
    check("%s: each ending is told (%d)" % (feed, count), count >= least, states.get(feed))
check("no crash and no trap in the log", "Fatal error" not in run.err and "crashed" not in run.err, run.err[-2000:])
subscriber.stop()
check_equal("the run ends in order", run.interrupt(30), 0)
provider.interrupt()
check_equal("no hole and no double in the commit log", store.holes(store.rows(state)), [])
files = store.tape_files(state)
status, out, err = run_to_end(["replay"] + files + ["--json", "--quiet"], seconds=120, name="replay")
check_equal("the replay of its tape ends with 0", (status, err if status else ""), (0, ""))
check_equal("and has the digest of the live run", json.loads(out)["digest"] if status == 0 else None, store.digest_of_state(state))
finish()
