"""The engine is killed at ten random moments of a live session: nothing committed is lost, no hole, no double."""

import json
import shutil
import time

import market
import store
from harness import *
from system import System, read_channel
from websocket import Subscriber

SEED = int(os.environ.get("STRIKETAPE_TEST_SEED", "31"))
KILLS = 10
OPEN_STATES = {"draft", "armed", "entered"}


class Trader:
    """Keeps a live plan in every slot, over HTTP, whatever happens to the engine."""

    def __init__(self, port):
        self.port = port
        self.made = []
        self.answers = {}
        self.is_stopped = False
        self.thread = in_background(self.run)

    def run(self):
        number = 0
        while not self.is_stopped:
            for style in ("scalp", "intraday", "swing", "leap"):
                for symbol in market.SYMBOLS:
                    number += 1
                    self.make(market.plan(symbol, "long", number % 5, -30, [20 + number % 7, 40], style=style))
            time.sleep(0.05)

    def make(self, body):
        if self.is_stopped:
            return
        # Held below the limit of 100 requests a second.
        time.sleep(0.015)
        try:
            status, _, answer = http_call(self.port, "POST", "/api/v1/plans", body, seconds=3)
        except OSError:
            status = "no answer"
        self.answers[status] = self.answers.get(status, 0) + 1
        if status == 201:
            plan = json.loads(answer)
            self.made.append((plan.get("plan") or plan)["id"])

    def stop(self):
        self.is_stopped = True
        self.thread.join(10)


class PlanFollower(Subscriber):
    """A subscriber that adds the channels of plans that come later, on the open connection."""

    def add(self, channel):
        if channel in self.channels:
            return
        self.channels.append(channel)
        try:
            self.connection.send({"id": 2, "op": "subscribe", "channels": [channel]})
        except OSError:
            pass


def committed_copy(state, number):
    """What is committed after a kill, read from a copy: reading in place would end the write-ahead log."""
    copy = scratch("copy-%d" % number)
    os.mkdir(copy)
    for ending in ("", "-wal", "-shm"):
        if os.path.exists(state + "/commits.sqlite" + ending):
            shutil.copy(state + "/commits.sqlite" + ending, copy)
    return store.rows(copy)


print("seed", SEED)
chance = random.Random(SEED)
tape = market.Tape(seed=SEED, minutes=15, events_per_second=20).write(scratch("session.jsonl"))
redis = Redis()
state = scratch("state")
system = System("live", state, redis, {"STRIKETAPE_ENGINE_CHECKPOINT_S": "1"})
gateway, engine = system.run("gateway"), system.run("engine")
provider = system.simulate(tape, 30)
subscriber = PlanFollower(system.port, ["plans", "health"])
trader = Trader(system.port)
wait_until(lambda: store.rows(state), "a first durable message")

before = []
lost = 0
moments = []
for number in range(KILLS):
    # Something must be committed between two kills, or a kill shows nothing.
    count = len(before)
    wait_until(lambda: len(store.rows(state)) > count, "durable messages after restart %d" % number)
    pause = chance.uniform(0.05, 1.0)
    time.sleep(pause)
    for identifier in trader.made[-2:]:
        subscriber.add("plan:" + identifier)
    engine.kill()
    after = committed_copy(state, number)
    moments.append("%.2f s: %d committed" % (pause, len(after)))
    lost += after[: len(before)] != before
    before = after
    engine = system.run("engine")
print("   killed after " + "; ".join(moments))
check_equal("nothing committed is lost or changed by %d kills" % KILLS, lost, 0)
check("the kills hit a session under way", provider.is_running)
count = len(before)
wait_until(lambda: len(store.rows(state)) > count + 5, "durable messages after the last restart")
trader.stop()

# The end: everything that was committed reaches Redis and the client, which was never told to do anything.
check_equal("the engine ends in order", engine.interrupt(), 0)
committed = store.rows(state)
check("what was committed before stands as it stood", committed[: len(before)] == before)
check_equal("no hole and no double in the commit log", store.holes(committed), [])
wanted = {}
for channel, offset, _, _, partition, sequence, data in committed:
    wanted.setdefault(partition, []).append((sequence, channel, offset, data))
came_true(lambda: redis.durable_log() == wanted, 5)
found = redis.durable_log()
for partition in sorted(set(found) | set(wanted)):
    check(
        "Redis, partition %d: what was committed, in order, byte by byte" % partition,
        found.get(partition) == wanted.get(partition),
        "%d entries, wanted %d" % (len(found.get(partition, [])), len(wanted.get(partition, []))),
    )

last = max(row[1] for row in committed if row[0] == "plans:local")
came_true(lambda: any(m.get("ch") == "plans:local" and m.get("off") == last for m in subscriber.received), 5)
check_equal("the client needed one connection", subscriber.connections, 1)
check_equal("the client understood everything", subscriber.problems, [])
gaps = [m for m in subscriber.received if m.get("op") == "gap"]
check_equal("the client was told of no gap", gaps, [])
for channel in ("plans:local", "health"):
    logged = {row[1]: json.loads(row[6]) for row in committed if row[0] == channel}
    heard = [m for m in subscriber.received if m.get("ch") == channel and m.get("off") and m["type"] != "snapshot"]
    start = next(m["off"] for m in subscriber.received if m.get("ch") == channel and m["type"] == "snapshot")
    offsets = [m["off"] for m in heard]
    check_equal(
        "the client heard %s from %d to %d, each once" % (channel, start + 1, max(logged)),
        offsets,
        list(range(start + 1, max(logged) + 1)),
    )
    check("the client heard %s as committed" % channel, all(m == logged.get(m["off"]) for m in heard))
wrong, hits = [], 0
for name in subscriber.channels[2:]:
    logged = [json.loads(row[6]) for row in committed if row[0] == name]
    problems, kinds = read_channel([m for m in subscriber.received if m.get("ch") == name])
    hits += len(kinds)
    if problems or kinds != [m["d"]["kind"] for m in logged if m["type"] == "hit"]:
        wrong.append((name, problems, kinds))
check_equal("%d plans watched through the kills have each of %d hits once" % (len(subscriber.channels) - 2, hits), wrong, [])
identities = {}
for row in committed:
    message = json.loads(row[6])
    if message["type"] == "hit" and row[0].startswith("plan:"):
        key = (message["d"]["plan"], message["d"]["version"], message["d"]["i"])
        identities[key] = identities.get(key, 0) + 1
check("no hit is committed twice", all(value == 1 for value in identities.values()), identities)
known = {row[0] for row in committed}
missing = [identifier for identifier in trader.made if "plan:" + identifier not in known]
check_equal("%d plans that were answered with 201 are there" % len(trader.made), missing, [])
check("there were hits", len(identities) > 20, len(identities))
print("   %d durable messages, %d hits, answers to creations: %s" % (len(committed), len(identities), trader.answers))
subscriber.stop()
check_equal("the gateway ends in order", gateway.interrupt(), 0)
finish()
