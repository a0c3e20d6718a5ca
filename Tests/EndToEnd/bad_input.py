"""Bad input by name: each gives a clear error, and the rest goes on."""

import shutil
import socket
import time

import market
import store
from harness import *
from system import System, read_channel
from websocket import Connection, Subscriber

GOOD = market.plan("SPY", "long", 10, -20, [30, 50, 70], style="leap")
# What is changed in a good plan, and the field that the answer must name.
MALFORMED = [
    ({"symbol": None}, "symbol"), ({"symbol": 7}, "symbol"), ({"symbol": "ZZZZ"}, "symbol"), ({"symbol": "not a symbol"}, "symbol"),
    ({"side": "sideways"}, "side"), ({"side": None}, "side"), ({"side": 1}, "side"),
    ({"style": "forever"}, "style"), ({"kind": "dead"}, "kind"), ({"visibility": "world"}, "visibility"),
    ({"trigger": "rumour"}, "trigger"), ({"triggerOn": "moon"}, "triggerOn"), ({"triggerOn": "contract"}, "contract"),
    ({"contract": "O:NOPE"}, "contract"), ({"contract": 5}, "contract"),
    ({"entry": None}, "entry"), ({"entry": 145}, "entry"), ({"entry": {"type": "touch"}}, "entry.price"),
    ({"entry": {"type": "hope", "price": 145.1}}, "entry.type"), ({"entry": {"type": "touch", "price": "dear"}}, "entry.price"),
    ({"entry": {"type": "touch", "price": -1}}, "entry.price"), ({"entry": {"type": "touch", "price": 145.1234567}}, "entry.price"),
    ({"entry": {"type": "touch", "price": 1e30}}, "entry.price"),
    ({"entry": {"type": "touch", "price": 145.1, "zone": [1]}}, "entry.zone"),
    ({"entry": {"type": "touch", "price": 145.1, "colour": 1}}, "entry.colour"),
    ({"stop": None}, "stop"), ({"stop": {"price": 146}}, "stop"), ({"stop": {"price": []}}, "stop.price"),
    ({"targets": None}, "targets"), ({"targets": []}, "targets"), ({"targets": "high"}, "targets"),
    ({"targets": [{"price": 145, "fraction": 1}]}, "targets[0]"),
    ({"targets": [{"price": 146, "fraction": 0}]}, "targets[0].fraction"),
    ({"targets": [{"price": 146, "fraction": -1}]}, "targets[0].fraction"),
    ({"targets": [{"price": 146, "fraction": 0.6}, {"price": 147, "fraction": 0.6}]}, "targets"),
    ({"targets": [{"price": 147, "fraction": 0.5}, {"price": 146, "fraction": 0.5}]}, "targets[1]"),
    ({"breakevenAfter": 9}, "breakevenAfter"), ({"breakevenAfter": 0.5}, "breakevenAfter"),
    ({"trail": {"after": 9, "distance": 0.1}}, "trail.after"), ({"trail": {"after": 1, "distance": 0}}, "trail.distance"),
    ({"trail": {"after": 1}}, "trail.distance"), ({"trail": 3}, "trail"),
    ({"sessions": ["night"]}, "sessions"), ({"sessions": []}, "sessions"), ({"sessions": "rth"}, "sessions"),
    ({"armAt": "tomorrow"}, "armAt"), ({"armAt": 5}, "armAt"), ({"expiresAt": "never"}, "expiresAt"),
    ({"armAt": "2013-10-08T15:00:00Z", "expiresAt": "2013-10-08T14:00:00Z"}, "expiresAt"),
    ({"size": "big"}, "size"), ({"rationale": 5}, "rationale"), ({"colour": "red"}, "colour"),
]


def wrong_key():
    tape = market.Tape(seed=34, minutes=1).write(scratch("minute.jsonl"))
    system = System("wrong-key", scratch("wrong-key-state"))
    provider = system.simulate(tape, 10, ["--key", "another-key-0123456789"])
    run = system.run()
    said = came_true(lambda: "feed_alert" in run.err or "auth" in run.err, 10)
    check("wrong key: told by name in the log", said and "auth" in run.err.lower(), run.err[-800:])
    came_true(lambda: not system.is_ready, 5)
    status, _, body = http_call(system.admin_port, "GET", "/readyz")
    check("wrong key: not ready, and the feed is what isn't", status == 503 and b"feed.polygon.stocks" in body, body)
    check("wrong key: the rest goes on", create_plan(system.port, GOOD).startswith("p_"))
    subscriber = Subscriber(system.port, ["health"])
    came_true(lambda: any(m.get("ch") == "health" for m in subscriber.received), 5)
    text = json.dumps(subscriber.received)
    check("wrong key: subscribers hear that the feed is down", '"state": "down"' in text, text)
    subscriber.stop()
    check_equal("wrong key: ends in order", run.interrupt(), 0)
    check("wrong key: the key isn't in the log", CANARY_KEY not in run.err)
    provider.interrupt()


def malformed_plans():
    system = System("plans", scratch("plans-state"))
    run = system.run()
    for change, field in MALFORMED:
        body = {key: value for key, value in dict(GOOD, **change).items() if not (value is None and key in change)}
        name = json.dumps(change)[:70]
        status, headers, answer = http_call(system.port, "POST", "/api/v1/plans", body)
        problem = json.loads(answer)
        named = [entry.get("field", "") for entry in problem.get("problems") or []]
        fits = any(one == field or one.startswith(field + ".") or one.startswith(field + "[") for one in named)
        check("plan with %s: 422 that names %s" % (name, field), status == 422 and fits, (status, problem))
        if status == 201:
            http_call(system.port, "DELETE", "/api/v1/plans/%s?version=1" % problem["id"])
    for name, data, wanted in (
        ("no JSON", b"{", 400), ("an array", b"[]", 400), ("nothing", b"", 400), ("a deep nest", b"[" * 50_000, 400),
        ("no UTF-8", b'{"symbol":"\xff\xfe"}', (400, 422)), ("a body above 64 KiB", b'"' + b"x" * 70_000 + b'"', 413),
        ("a body of 10 MB", b'"' + b"x" * 10_000_000 + b'"', 413),
    ):
        try:
            status, headers, answer = http_call(system.port, "POST", "/api/v1/plans", data)
        except (OSError, http.client.HTTPException) as error:
            # The server may answer and close before the whole body was sent.
            status, answer = "closed", str(error)
        allowed = (wanted if isinstance(wanted, tuple) else (wanted,)) + (("closed",) if len(data) > 1_000_000 else ())
        check("plan body of %s: %s" % (name, status), status in allowed, answer[:300])
    status, _, answer = http_call(system.port, "POST", "/api/v1/plans", GOOD, {"Content-Type": "text/plain"})
    check_equal("plan with another content type", status, 415)
    identifier = create_plan(system.port, GOOD)
    status, _, answer = http_call(system.port, "PATCH", "/api/v1/plans/" + identifier, {"version": 7})
    check("amendment of another version: 409", status == 409, answer)
    status, _, answer = http_call(system.port, "PATCH", "/api/v1/plans/" + identifier, {"stop": {"price": 1}})
    check("amendment without a version: 428", status == 428, answer)
    status, _, answer = http_call(system.port, "GET", "/api/v1/plans/p_unknown")
    check("a plan that isn't there: 404", status == 404, answer)
    check("the engine still takes a good plan", create_plan(system.port, dict(GOOD, style="swing")).startswith("p_"))
    check_equal("ends in order", run.interrupt(), 0)


def redis_absent_and_dying():
    tape = market.Tape(seed=34, minutes=5).write(scratch("session.jsonl"))
    redis = Redis()
    redis.kill()
    state = scratch("redis-state")
    system = System("redis", state, redis)
    run = system.run()
    status, _, body = http_call(system.admin_port, "GET", "/readyz")
    check("Redis absent at the start: not ready, and the bus is what isn't", status == 503 and b'"bus"' in body, body)
    status, _, body = http_call(system.port, "POST", "/api/v1/plans", GOOD)
    check("Redis absent at the start: a plan is refused with 503", status == 503, (status, body))
    check("Redis absent at the start: said in the log", "event=bus" in run.err and "state=down" in run.err, run.err)
    redis.start()
    wait_until(lambda: b'"bus":{"ready":true' in http_call(system.admin_port, "GET", "/readyz")[2], "the bus is up")
    wait_until(lambda: http_call(system.port, "GET", "/api/v1/plans")[0] == 200, "plans can be listed")
    plans = [(create_plan(system.port, body), kinds) for body, kinds in market.known_plans()]
    subscriber = Subscriber(system.port, ["plan:" + identifier for identifier, _ in plans] + ["health"])
    wait_until(lambda: any(m.get("type") == "snapshot" for m in subscriber.received), "a snapshot")
    provider = system.simulate(tape, 15)

    def committed_hits():
        return sum(b'"type":"hit"' in row[6] for row in store.rows(state) if row[0].startswith("plan:"))

    wait_until(lambda: committed_hits() >= 3, "hits with Redis")
    redis.kill()
    before = committed_hits()
    check("Redis dies in the middle: the engine goes on and commits hits", came_true(lambda: committed_hits() > before + 1, 10))
    check("Redis dies in the middle: both processes' parts run", run.is_running)
    redis.start()
    wanted = sum(len(kinds) for _, kinds in plans)
    check("every hit is committed", came_true(lambda: committed_hits() >= wanted, 15), committed_hits())

    def in_redis():
        found = {}
        for channel, offset, _, _, partition, sequence, data in store.rows(state):
            found.setdefault(partition, []).append((sequence, channel, offset, data))
        try:
            return redis.durable_log() == found
        except OSError:
            return False

    check("Redis is back, empty: it gets every durable message in order", came_true(in_redis, 15), redis.durable_log().keys())

    def all_heard():
        return all(read_channel(subscriber.of("plan:" + identifier)) == ([], kinds) for identifier, kinds in plans)

    if not check("the subscriber has every hit once", came_true(all_heard, 10)):
        for identifier, kinds in plans:
            print("   wanted %s, heard %s" % (kinds, read_channel(subscriber.of("plan:" + identifier))))
            for message in subscriber.of("plan:" + identifier):
                if message.get("type") != "delta":
                    print("   " + json.dumps(message)[:160])
    check_equal("the subscriber's connection held", subscriber.connections, 1)
    states = [m["d"]["state"] for m in subscriber.received if m.get("type") == "health" and m["d"]["feed"] == "bus"]
    check("subscribers hear that the bus was away", any(state != "up" for state in states), states)
    subscriber.stop()
    check_equal("ends in order", run.interrupt(), 0)
    check_equal("no hole and no double in the commit log", store.holes(store.rows(state)), [])
    provider.interrupt()
    redis.kill()


def taken_ports():
    with contextlib.closing(socket.socket()) as holder:
        port = free_port()
        holder.bind(("127.0.0.1", port))
        holder.listen()
        for key in ("STRIKETAPE_GATEWAY_LISTEN", "STRIKETAPE_ADMIN_LISTEN"):
            system = System("taken", scratch("taken-state"), settings={key: "127.0.0.1:%d" % port})
            status, _, err = run_to_end(["run"], system.environment)
            check("%s taken: ends with 1 and names the port" % key, status == 1 and str(port) in err, (status, err))
        tape = market.Tape(minutes=1).write(scratch("taken.jsonl"))
        status, _, err = run_to_end(["simulate", "--tape", tape, "--port", str(port)])
        check("simulate: port taken: ends with 1 and names it", status == 1 and str(port) in err, (status, err))
    system = System("twice", scratch("twice-state"))
    run = system.run()
    other = System("second", scratch("twice-state"))
    status, _, err = run_to_end(["run"], other.environment)
    check("state.dir of another process: ends with 1 and names it", status == 1 and "twice-state" in err, (status, err))
    check("the first goes on", run.is_running and http_call(system.admin_port, "GET", "/healthz")[0] == 200)
    check_equal("ends in order", run.interrupt(), 0)


def configurations():
    os.mkdir(scratch("directory.yaml"))
    status, _, err = run_to_end(["run", "--config", scratch("directory.yaml")])
    check("config that is a directory: 78 and its name", status == 78 and "directory.yaml" in err, (status, err))
    with open(scratch("binary.yaml"), "wb") as file:
        file.write(bytes(range(256)))
    status, _, err = run_to_end(["run", "--config", scratch("binary.yaml")])
    check("config that is no text: 78 and its name", status == 78 and "binary.yaml" in err, (status, err))
    with open(scratch("many.yaml"), "w") as file:
        file.write("engine: {shards: none, publishMs: 7}\nredis: {url: 'http://x'}\ngateway: {lisen: x, flushMs: -1}\n")
    status, _, err = run_to_end(["run", "--config", scratch("many.yaml")], {"STRIKETAPE_LOG_LEVEL": "loud"})
    for key in ("engine.shards", "engine.publishMs", "redis.url", "gateway.lisen", "gateway.flushMs", "log.level"):
        check("invalid config: one error names %s" % key, status == 78 and key in err, (status, err))
    status, _, err = run_to_end(["run"], {"STRIKETAPE_ENGINE_CLOCK": "sundial", "STRIKETAPE_STATE_DIR": scratch("none-state")})
    check("invalid environment: 78 and its name", status == 78 and "engine.clock" in err, (status, err))
    run = striketape("no-tape", ["run", "--tape", scratch("none.jsonl")], {
        "STRIKETAPE_STATE_DIR": scratch("no-tape-state"), "STRIKETAPE_GATEWAY_LISTEN": "127.0.0.1:0",
        "STRIKETAPE_ADMIN_LISTEN": "127.0.0.1:0",
    })
    check("run on a tape that isn't there: named", came_true(lambda: "none.jsonl" in run.err, 10), run.err)
    run.interrupt()


def damaged_tapes():
    good = market.Tape(seed=34, minutes=1).write(scratch("good.jsonl"))
    plans = [dict(body, id="p_%d" % number) for number, (body, _) in enumerate(market.known_plans(), 1)]
    with open(scratch("plans.json"), "w") as file:
        json.dump(plans, file)
    lines = open(good, "rb").read().splitlines(keepends=True)
    place = len(lines) * 2 // 3
    position = sum(map(len, lines[:place]))
    cut = scratch("cut.jsonl")
    with open(cut, "wb") as file:
        file.writelines(lines[:place])
    _, out, _ = run_to_end(["replay", cut, "--plans", scratch("plans.json"), "--json", "--quiet", "--out", scratch("cut.out")])
    wanted = open(scratch("cut.out"), "rb").read()
    check("the good part has hits", json.loads(out)["hits"] > 0)
    for name, bad in (
        ("rubbish", b"rubbish\n"), ("half a line", lines[place][:100] + b"\n"), ("no time", b'{"src":"polygon.stocks","frame":[]}\n'),
        ("an unknown source", b'{"t":1,"src":"nowhere","frame":[]}\n'), ("binary", bytes(range(1, 10)) + b"\n"),
    ):
        path = scratch("bad.jsonl")
        with open(path, "wb") as file:
            file.writelines(lines[:place] + [bad] + lines[place:])
        status, out, err = run_to_end(
            ["replay", path, "--plans", scratch("plans.json"), "--json", "--quiet", "--out", scratch("bad.out")]
        )
        positioned = "bad.jsonl" in err and (str(place + 1) in err or str(position) in err)
        check("tape with %s: replay ends with 1 and says where" % name, status == 1 and positioned, (status, err))
        check("tape with %s: what was good was run" % name, open(scratch("bad.out"), "rb").read() == wanted)
    with open(scratch("bad.jsonl"), "wb") as file:
        file.writelines(lines[:place] + [b"rubbish\n"])
    run = striketape("bad-tape", ["run", "--tape", scratch("bad.jsonl")], {
        "STRIKETAPE_STATE_DIR": scratch("bad-tape-state"), "STRIKETAPE_GATEWAY_LISTEN": "127.0.0.1:0",
        "STRIKETAPE_ADMIN_LISTEN": "127.0.0.1:0",
    })
    said = came_true(lambda: "bad.jsonl" in run.err or not run.is_running, 10)
    check("tape with rubbish: run says where", said and "bad.jsonl" in run.err, run.err[-600:])
    if run.is_running:
        check_equal("ends in order", run.interrupt(), 0)
    status, _, err = run_to_end(["replay", scratch("absent.jsonl"), "--quiet"])
    check("tape that isn't there: 1 and its name", status == 1 and "absent.jsonl" in err, (status, err))
    if shutil.which("zstd"):
        subprocess.run(["zstd", "-qf", good, "-o", scratch("whole.zst")], check=True)
        data = open(scratch("whole.zst"), "rb").read()
        for name, bad in (("cut", data[: len(data) // 2]), ("damaged", data[:-300] + b"\0" * 300)):
            with open(scratch(name + ".jsonl.zst"), "wb") as file:
                file.write(bad)
            status, out, err = run_to_end(["replay", scratch(name + ".jsonl.zst"), "--json", "--quiet"])
            check("compressed tape that is %s: ends with 1 and its name" % name, status == 1 and name in err, (status, err))


def rubbish_clients():
    tape = market.Tape(seed=34, minutes=5).write(scratch("session.jsonl"))
    system = System("clients", scratch("clients-state"))
    run = system.run()
    witness = Subscriber(system.port, ["symbol:SPY"])
    provider = system.simulate(tape, 10)
    wait_until(lambda: any(m.get("type") == "tick" for m in witness.received), "ticks")
    random_bytes = random.Random(34).randbytes(2_000)
    for name, payload, opcode, wanted in (
        ("no JSON", b"rubbish", 1, 4001), ("an array", b"[1]", 1, 4001), ("a number", b"1", 1, 4001), ("nothing", b"", 1, 4001),
        ("binary", random_bytes, 2, 4001), ("no UTF-8", b"\xff\xfe\xfd", 1, (1007, 4001)), ("10 MB", b"x" * 10_000_000, 1, 1009),
        ("a deep nest", b"[" * 60_000, 1, 4001), ("an unknown opcode", b"x", 11, 1002),
    ):
        connection = Connection(system.port)
        try:
            connection.send_frame(opcode, payload)
        except OSError:
            pass
        try:
            while connection.receive(5) is not None:
                pass
        except socket.timeout:
            connection.close_code = "none"
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        check("client that sends %s: closed with %s" % (name, connection.close_code), connection.close_code in wanted)
        connection.sock.close()
    connection = Connection(system.port)
    for request, code in (
        ({"id": 1, "op": "explode"}, "unknown_op"), ({"id": 2}, "bad_request"), ({"id": 3, "op": "subscribe"}, "bad_request"),
        ({"id": 4, "op": "subscribe", "channels": ["nonsense"]}, "unknown_channel"),
        ({"id": 5, "op": "subscribe", "channels": ["plan:p_of_somebody"]}, "unknown_channel"),
        ({"id": 6, "op": "subscribe", "channels": [{"ch": "symbol:SPY", "maxrate": 3}]}, "bad_request"),
        ({"id": 7, "op": "subscribe", "channels": ["plans:somebody"]}, "unknown_channel"),
    ):
        connection.send(request)
        answer = connection.messages(10)
        fits = bool(answer) and answer[0].get("op") == "error" and answer[0].get("code") == code
        check("request %s: error %s, and the connection stays" % (json.dumps(request)[:60], code), fits, answer)
    connection.send({"id": 8, "op": "ping"})
    answer = connection.messages(5)
    check("a good request on the same connection is answered", bool(answer) and answer[0].get("op") == "pong", answer)
    connection.close()
    raw = socket.create_connection(("127.0.0.1", system.port), 5)
    raw.sendall(random_bytes)
    raw.settimeout(15)
    with contextlib.suppress(OSError):
        while raw.recv(4_096):
            pass
    raw.close()
    count = len(witness.received)
    check("the others still hear the market", came_true(lambda: len(witness.received) > count + 5, 5))
    check_equal("the others kept their connection", witness.connections, 1)
    witness.stop()
    check_equal("ends in order", run.interrupt(), 0)
    provider.interrupt()


PARTS = [wrong_key, malformed_plans, redis_absent_and_dying, taken_ports, configurations, damaged_tapes, rubbish_clients]
wanted_parts = sys.argv[1:]
for part in PARTS:
    if not wanted_parts or part.__name__ in wanted_parts:
        print("-- " + part.__name__.replace("_", " "), flush=True)
        part()
finish()
