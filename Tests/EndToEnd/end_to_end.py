"""Simulator → engine → Redis → gateway → client: snapshot, derived fields and each hit once; the gateway restarts."""

import json

import market
import store
from harness import *
from system import System, read_channel
from websocket import Subscriber

DERIVED = {"price", "plR", "distanceR", "progress", "maeR", "mfeR", "band", "ageMs"}


def make_plans(system):
    return [(create_plan(system.port, body), kinds) for body, kinds in market.known_plans()]


def check_subscriber(name, subscriber, plans, state):
    committed = store.rows(state)
    check_equal(name + ": no hole and no double in the commit log", store.holes(committed), [])
    check_equal(name + ": the client understood everything", subscriber.problems, [])
    for identifier, kinds in plans:
        channel = "plan:" + identifier
        problems, seen = read_channel(subscriber.of(channel))
        check_equal("%s: %s arrives in order, each once" % (name, kinds), (problems, seen), ([], kinds))
        logged = [json.loads(row[6]) for row in committed if row[0] == channel]
        logged_kinds = [message["d"]["kind"] for message in logged if message["type"] == "hit"]
        check_equal("%s: %s is in the commit log" % (name, kinds), logged_kinds, kinds)
        by_offset = {message["off"]: message for message in logged}
        differing = [
            message for message in subscriber.of(channel)
            if message.get("off") and message["type"] != "snapshot" and message != by_offset.get(message["off"])
        ]
        check_equal("%s: %s as committed" % (name, kinds), differing, [])
        fields = set()
        for message in subscriber.of(channel):
            # A snapshot has them all, a delta those that changed since.
            if message.get("type") == "delta":
                fields |= set(message["d"])
            elif message.get("type") == "snapshot":
                fields |= {name for name, value in (message["d"].get("derived") or {}).items() if value is not None}
        check("%s: derived fields of %s" % (name, kinds), DERIVED <= fields, "missing %s" % (DERIVED - fields))


def count_hits(subscriber, plans):
    return sum(len(read_channel(subscriber.of("plan:" + identifier))[1]) for identifier, _ in plans)


def scenario(name, redis, in_one_process, restarts, tape):
    state = scratch(name + "-state")
    system = System(name, state, redis)
    if in_one_process:
        engine = gateway = system.run()
    else:
        engine, gateway = system.run("engine"), system.run("gateway")
        for path, part in (("/healthz", b"alive"), ("/readyz", b"journal"), ("/metrics", b"striketape_bus_appended_total")):
            status, _, body = http_call(system.engine_admin_port, "GET", path)
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            check("%s: %s of an engine alone" % (name, path), status in (200, 503) and part in text, (status, text[:200]))
    # The market begins with the first subscription: plans that are made before meet all of it.
    plans = make_plans(system)
    channels = ["plan:" + identifier for identifier, _ in plans] + ["plans", "symbol:SPY", "bands:SPY", "health"]
    subscriber = Subscriber(system.port, channels)
    wait_until(lambda: any(m.get("type") == "snapshot" for m in subscriber.received), "a snapshot")
    follower = striketape(
        name + "-tail", ["tail", "plans", "--json", "--url", "ws://127.0.0.1:%d/ws" % system.port], system.environment
    )
    provider = system.simulate(tape, 30)
    wanted = sum(len(kinds) for _, kinds in plans)
    for how in restarts:
        before = subscriber.connections
        hits = count_hits(subscriber, plans)
        wait_until(lambda: count_hits(subscriber, plans) > hits, "a hit between restarts of the gateway")
        check_equal(name + ": ends in order", gateway.interrupt(), 0) if how == "interrupt" else gateway.kill()
        gateway = system.run("gateway")
        wait_until(lambda: subscriber.connections > before, "the client is there again")
    came_true(lambda: count_hits(subscriber, plans) >= wanted, 20)
    came_true(lambda: any(m.get("type") == "bands" for m in subscriber.received), 5)
    check_subscriber(name, subscriber, plans, state)
    kinds = {(m.get("ch"), m.get("type")) for m in subscriber.received}
    check(name + ": ticks of the symbol", ("symbol:SPY", "tick") in kinds, kinds)
    check(name + ": bands of the symbol", ("bands:SPY", "bands") in kinds, kinds)
    check(name + ": the feed's health", ("health", "health") in kinds or ("health", "snapshot") in kinds, kinds)
    if restarts:
        check_equal(name + ": the client came back by itself", subscriber.connections, 1 + len(restarts))
        if "interrupt" in restarts:
            check(name + ": a restart is told (1012)", 1012 in subscriber.close_codes, subscriber.close_codes)
    # The project's own client goes on as well.
    last = store.rows(state)[-1]
    mark = create_plan(system.port, market.plan("SPY", "long", 500, 400, [600], style="leap"))
    check(name + ": `tail` goes on by itself", came_true(lambda: mark in follower.out, 10), follower.err[-500:])
    subscriber.stop()
    follower.interrupt()
    check_equal(name + ": the gateway ends in order", gateway.interrupt(), 0)
    check_equal(name + ": the engine ends in order", engine.interrupt(), 0)
    provider.interrupt()
    if redis:
        compare_with_redis(name, redis, state)
    check(name + ": committed went on", store.rows(state)[-1] != last)


def compare_with_redis(name, redis, state):
    wanted = {}
    for channel, offset, _, _, partition, sequence, data in store.rows(state):
        wanted.setdefault(partition, []).append((sequence, channel, offset, data))
    check_equal(name + ": Redis holds what was committed, byte by byte", redis.durable_log(), wanted)
    print("   %d durable messages in %d partitions" % (sum(map(len, wanted.values())), len(wanted)))


tape = market.Tape(seed=30, minutes=3).write(scratch("session.jsonl"))
redis = Redis()
scenario("two processes", redis, False, ["interrupt", "kill"], tape)
redis.call("FLUSHALL")
scenario("one process over Redis", redis, True, [], tape)
scenario("one process alone", None, True, [], tape)
finish()
