"""What is documented is what is sent: real frames and answers held against the schemas that the gateway serves.

Every field that comes must be in its schema with its type, and every field that is required must come. The schemas are
those of docs/openapi.yaml, which docs/asyncapi.yaml refers to; a unit test holds the served text against the files.
"""

import re

from harness import *
from system import System
from websocket import Connection

SEED = int(os.environ.get("STRIKETAPE_TEST_SEED", "52"))
TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
    "null": type(None),
}


class Schemas:
    """The part of JSON Schema that the documents use."""

    def __init__(self, document):
        self.document = document

    def resolve(self, schema):
        while "$ref" in schema:
            target = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            schema = target
        return schema

    @staticmethod
    def fits(kind, value):
        # A bool is an int to Python.
        return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))

    def problems(self, schema, value, place):
        schema = self.resolve(schema)
        if "oneOf" in schema:
            tries = [self.problems(each, value, place) for each in schema["oneOf"]]
            # The nearest one's words.
            return [] if [] in tries else min(tries, key=len)
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(self.fits(kind, value) for kind in kinds):
            return ["%s: expected %s, found %r" % (place, " or ".join(kinds), value)]
        if "enum" in schema and value not in schema["enum"]:
            return ["%s: expected one of %s, found %r" % (place, schema["enum"], value)]
        if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
            return ["%s: expected %s, found %r" % (place, schema["pattern"], value)]
        found = []
        if isinstance(value, dict):
            properties = schema.get("properties", {})
            found += ["%s.%s: missing" % (place, name) for name in schema.get("required", []) if name not in value]
            for name, each in value.items():
                if name in properties:
                    found += self.problems(properties[name], each, place + "." + name)
                elif isinstance(schema.get("additionalProperties"), dict):
                    found += self.problems(schema["additionalProperties"], each, "%s.%s" % (place, name))
                else:
                    found.append("%s.%s: not in the schema" % (place, name))
        if isinstance(value, list) and "items" in schema:
            for number, each in enumerate(value):
                found += self.problems(schema["items"], each, "%s[%d]" % (place, number))
        return found


def settings(port):
    return {
        "STRIKETAPE_POLYGON_SYMBOLS": "SPY,QQQ",
        "STRIKETAPE_POLYGON_MARKETS": "stocks,options",
        "STRIKETAPE_POLYGON_REST_URL": "http://127.0.0.1:%d" % port,
        "STRIKETAPE_UW_URL": "ws://127.0.0.1:%d/socket" % port,
        "STRIKETAPE_UW_REST_URL": "http://127.0.0.1:%d" % port,
        "STRIKETAPE_UW_TOKEN": "schemas-uw-token",
        "STRIKETAPE_UNIVERSE_CHAIN_STRIKES": "3",
    }


def plan_of(symbol, price, side, style):
    sign = 1 if side == "long" else -1
    step = price * 0.0001
    targets = [{"price": round(price + sign * (2 + k) * step, 2), "fraction": 0.5} for k in range(2)]
    return {
        "symbol": symbol, "side": side, "style": style, "kind": "live", "trigger": "last",
        "entry": {"type": "breakout", "price": round(price + sign * step, 2)},
        "stop": {"price": round(price - sign * 4 * step, 2)}, "targets": targets, "rationale": "schemas",
        "breakevenAfter": 1, "trail": {"after": 1, "distance": 0.5},
    }


class Follower:
    """Everything that comes over one socket."""

    def __init__(self, port, channels):
        self.messages = []
        self.connection = Connection(port)
        self.connection.send({"id": 1, "op": "ping"})
        wanted = channels + ["plan:nobody", {"ch": "symbol:SPY"}]
        self.connection.send({"id": "two", "op": "subscribe", "channels": wanted})
        self.connection.send({"id": 3, "op": "nonsense"})
        in_background(self._run)

    def _run(self):
        while True:
            try:
                messages = self.connection.messages(60)
            except OSError:
                return
            if messages is None:
                return
            self.messages += messages

    def has(self, kind, channel=""):
        envelopes = [message for message in list(self.messages) if "ep" in message]
        return any(message["type"] == kind and message["ch"].startswith(channel) for message in envelopes)


print("seed", SEED)
system = System("schemas", scratch("schemas"))
system.environment.update(settings(system.provider_port))
run = system.run()
steps = [{"at": at, "provider": "polygon", "mood": "reset"} for at in (200, 400, 600)]
with open(scratch("scenario.jsonl"), "w") as file:
    file.writelines(json.dumps(step) + "\n" for step in steps)
arguments = ["simulate", "--providers", "polygon,uw", "--seed", str(SEED), "--symbols", "3", "--rate", "200", "--speed", "20"]
provider = striketape("simulate", arguments + ["--port", str(system.provider_port), "--scenario", scratch("scenario.jsonl")])
wait_until(lambda: accepts(system.provider_port), "the simulator listens")
system.wait_ready(40)

status, headers, body = http_call(system.port, "GET", "/api/v1/openapi.json")
if not check_equal("the document is served", (status, headers.get("content-type")), (200, "application/json")):
    finish()
document = json.loads(body)
schemas = Schemas(document)


def call(method, path, template, body=None, headers=None):
    """Calls, and holds the answer against what the document says of this operation and status."""
    status, found, text = http_call(system.port, method, path, body, headers)
    operation = document["paths"][template][method.lower()]
    answer = schemas.resolve(operation["responses"].get(str(status)) or operation["responses"].get("default"))
    media = found.get("content-type")
    problems = ["no schema of %s" % media]
    if media in answer.get("content", {}):
        place = "%s %s %d" % (method, template, status)
        problems = schemas.problems(answer["content"][media]["schema"], json.loads(text), place)
    check_equal("%s %s: %d is as documented" % (method, template, status), problems, [])
    return status, json.loads(text)


def last_price():
    _, frames = http_call(system.port, "GET", "/api/v1/stream/state?channels=symbol:SPY")[::2]
    return ((json.loads(frames)[0].get("d") or {}).get("tick") or {}).get("last")


price = float(wait_until(last_price, "a price of SPY", 40))
plans = []
for side, style in (("long", "swing"), ("short", "leap"), ("long", "intraday")):
    status, made = call("POST", "/api/v1/plans", "/api/v1/plans", plan_of("SPY", price, side, style))
    if status == 201:
        plans.append((made.get("plan") or made)["id"])
check("plans were made", len(plans) > 1, plans)
follower = Follower(system.port, ["health", "symbol:SPY", "bands:SPY", "plans"] + ["plan:" + plan for plan in plans])
plan = plans[0]
call("POST", "/api/v1/plans", "/api/v1/plans", {"symbol": "SPY", "side": "up"})
call("POST", "/api/v1/plans", "/api/v1/plans", "[]")
call("POST", "/api/v1/plans", "/api/v1/plans", "x", {"Content-Type": "text/plain"})
for path, template in (
    ("/api/v1/plans", "/api/v1/plans"), ("/api/v1/plans/" + plan, "/api/v1/plans/{id}"),
    ("/api/v1/plans/p_0123456789abcdefghij", "/api/v1/plans/{id}"), ("/idea/" + plan, "/idea/{id}"),
    ("/api/v1/symbols", "/api/v1/symbols"), ("/api/v1/session", "/api/v1/session"),
    ("/api/v1/stream/state?channels=symbol:SPY,health,plan:%s,plan:none" % plan, "/api/v1/stream/state"),
    ("/api/v1/stream/state", "/api/v1/stream/state"),
):
    call("GET", path, template)
call("PATCH", "/api/v1/plans/" + plan, "/api/v1/plans/{id}", {"rationale": "again"})
call("PATCH", "/api/v1/plans/" + plan, "/api/v1/plans/{id}", {"version": 1, "rationale": "again"})
call("DELETE", "/api/v1/plans/" + plan, "/api/v1/plans/{id}", {"version": 77})
for kind in ("tick", "bar", "bands", "status", "hit", "delta", "health", "gap"):
    check("%s came" % kind, came_true(lambda: follower.has(kind), 40), follower.messages[-3:])
follower.connection.send({"id": 4, "op": "unsubscribe", "channels": ["plans"]})
call("GET", "/api/v1/plans/" + plans[-1], "/api/v1/plans/{id}")
call("GET", "/idea/" + plans[-1], "/idea/{id}")
# Once more, now that there are hits.
late = Follower(system.port, ["health", "symbol:SPY"] + ["plan:" + plan for plan in plans])
wait_until(lambda: late.has("snapshot", "plan"), "a plan's snapshot")
found, count = {}, {}
for message in list(follower.messages) + list(late.messages):
    kind = message.get("op") or "%s on %s" % (message["type"], message["ch"].split(":")[0])
    count[kind] = count.get(kind, 0) + 1
    for problem in schemas.problems({"$ref": "#/components/schemas/ServerMessage"}, message, kind):
        found.setdefault(re.sub(r"\[\d+\]", "[]", problem.partition(", found")[0]), problem)
print(count)
check_equal("every message is as documented", list(found.values()), [])
for operation in ("pong", "subscribed", "unsubscribed", "error"):
    check("an answer %s was seen" % operation, operation in count, count)
provider.interrupt()
check_equal("the run ends in order", run.interrupt(), 0)
finish()
