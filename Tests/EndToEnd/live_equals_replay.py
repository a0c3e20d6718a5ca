"""A live run through real sockets, then its own tape replayed: the same durable messages, however it is replayed."""

import market
import store
from harness import *
from system import System

SEED = int(os.environ.get("STRIKETAPE_TEST_SEED", "33"))


def replay(name, files, arguments):
    status, out, err = run_to_end(["replay"] + files + ["--json", "--quiet"] + arguments, seconds=60, name="replay")
    if not check("%s: replay ends with 0" % name, status == 0, err):
        return {"digest": None, "digestAll": None, "hits": None}
    return json.loads(out)


def live(name, redis, kill, settings=None):
    """A live session with plans made before the market and in the middle of it; gives its state directory."""
    state = scratch(name.replace(" ", "-"))
    system = System("live", state, redis, settings)
    run = system.run()
    for body, _ in market.known_plans():
        create_plan(system.port, body)
    provider = system.simulate(tape, 30)
    wait_until(lambda: any(b'"kind":"entry"' in row[6] for row in store.rows(state)), "a first entry")
    made = [create_plan(system.port, market.plan("SPY", "short", 0, 30, [-20, -40], style="intraday"))]
    if kill:
        run.kill()
        run = system.run()
    made.append(create_plan(system.port, market.plan("BAC", "long", 0, -30, [20, 40], style="scalp", breakevenAfter=1)))
    change = {"version": 1, "stop": {"price": market.dollars(market.SYMBOLS["SPY"][0] + 35)}}
    status, _, body = http_call(system.port, "PATCH", "/api/v1/plans/" + made[0], change)
    check("%s: an amendment in the session (%d)" % (name, status), status in (200, 409, 422), body)
    identifier = create_plan(system.port, market.plan("QQQ", "long", 0, -30, [20, 40], style="leap"))
    status, _, body = http_call(system.port, "DELETE", "/api/v1/plans/%s?version=1" % identifier)
    check("%s: a cancellation in the session (%d)" % (name, status), status in (200, 409), body)
    count = len(store.rows(state))
    wait_until(lambda: len(store.rows(state)) > count + 10, "durable messages after the commands")
    check_equal(name + ": ends in order", run.interrupt(), 0)
    check(name + ": stopped in the middle of the session", provider.is_running)
    provider.interrupt()
    return state


def compare(name, state):
    committed = store.rows(state)
    check_equal(name + ": no hole and no double in the commit log", store.holes(committed), [])
    hits = sum(b'"type":"hit"' in row[6] for row in committed if row[0].startswith("plan:"))
    check(name + ": the session had hits", hits >= 5, hits)
    digest = store.digest_of_state(state)
    files = store.tape_files(state)
    out = scratch("messages.jsonl")
    first = replay(name, files, ["--out", out])
    if not check_equal(name + ": the replay of its own tape has the digest of the live run", first["digest"], digest):
        explain(committed, out)
    check_equal(name + ": as many hits", first["hits"], hits)
    for arguments in (["--shards", "2"], ["--shards", "5"], ["--speed", "3600"], ["--speed", "3600", "--shards", "5"]):
        other = replay(name, files, arguments)
        for key in ("digest", "digestAll"):
            check_equal("%s: %s with %s" % (name, key, " ".join(arguments)), other[key], first[key])
    print("   %d durable messages, %d hits, digest %s" % (len(committed), hits, digest))


def explain(committed, out):
    """The first message of a channel that differs."""
    replayed = {}
    with open(out, "rb") as file:
        for line in file:
            message = json.loads(line)
            if "off" in message:
                replayed.setdefault(message["ch"], []).append(line.rstrip(b"\n"))
    for channel in sorted({row[0] for row in committed} | set(replayed)):
        one, other = [row[6] for row in committed if row[0] == channel], replayed.get(channel, [])
        if one == other:
            continue
        place = next((i for i, pair in enumerate(zip(one, other)) if pair[0] != pair[1]), min(len(one), len(other)))
        print("   %s: live has %d, replay %d messages; differ at %d" % (channel, len(one), len(other), place))
        print("   live   %r" % (one[place][:500] if place < len(one) else None))
        print("   replay %r" % (other[place][:500] if place < len(other) else None))
        return


print("seed", SEED)
tape = market.Tape(seed=SEED, minutes=5).write(scratch("session.jsonl"))
redis = Redis()
compare("live over Redis", live("live over Redis", redis, kill=False))
redis.call("FLUSHALL")
compare("killed once over Redis", live("killed once over Redis", redis, kill=True))
compare("live alone", live("live alone", None, kill=False))
# Other settings stand on the tape, and a replay finds them there.
other = {"STRIKETAPE_ENGINE_PUBLISH_MS": "200", "STRIKETAPE_NBBO_SAMPLE_MS": "500", "STRIKETAPE_NBBO_STALE_MS": "900"}
compare("live with other settings", live("live with other settings", None, kill=True, settings=other))

# The made-up tape itself: no ordinals, no clock lines, plans from a file.
plans = [dict(body, id="p_%d" % number) for number, (body, _) in enumerate(market.known_plans(), 1)]
with open(scratch("plans.json"), "w") as file:
    json.dump(plans, file)
given = ["--plans", scratch("plans.json")]
first = replay("tape", [tape], given)
check_equal("tape: hits as the path gives them", first["hits"], sum(len(kinds) for _, kinds in market.known_plans()))
for arguments in (["--shards", "2"], ["--shards", "5"], ["--speed", "3600"]):
    other = replay("tape", [tape], given + arguments)
    for key in ("digest", "digestAll"):
        check_equal("tape: %s with %s" % (key, " ".join(arguments)), other[key], first[key])
finish()
