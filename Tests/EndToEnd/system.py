"""The system under test: simulator, engine and gateway with their settings, and what a subscriber must have seen."""

from harness import CANARY_KEY, accepts, free_port, http_call, striketape, wait_until

# Secrets of the other two providers, to be found nowhere.
TOKENS = {"uw": "canary-uw-token-6c1d", "ib": "canary-ib-token-77e0"}


def three_feeds(port):
    """Settings of a run with all three providers, whom the simulator plays on one port."""
    return {
        "STRIKETAPE_POLYGON_SYMBOLS": "SPY,QQQ,I:SPX",
        "STRIKETAPE_POLYGON_MARKETS": "stocks,options,indices",
        "STRIKETAPE_POLYGON_REST_URL": "http://127.0.0.1:%d" % port,
        "STRIKETAPE_UW_URL": "ws://127.0.0.1:%d/socket" % port,
        "STRIKETAPE_UW_REST_URL": "http://127.0.0.1:%d" % port,
        "STRIKETAPE_UW_TOKEN": TOKENS["uw"],
        "STRIKETAPE_IB_URL": "ws://127.0.0.1:%d/ib/v1" % port,
        "STRIKETAPE_IB_TOKEN": TOKENS["ib"],
        "STRIKETAPE_UNIVERSE_CHAIN_STRIKES": "3",
        "STRIKETAPE_FEED_BACKOFF_MS": "100",
        # In market seconds, which are fast here.
        "STRIKETAPE_FEED_REPAIR_MS": "3600000",
    }


class System:
    """Ports and settings of one system; its processes are started and ended one by one."""

    def __init__(self, name, state, redis=None, settings=None):
        self.name = name
        self.state = state
        self.provider_port, self.port, self.admin_port = free_port(), free_port(), free_port()
        self.engine_admin_port = free_port()
        self.environment = {
            "STRIKETAPE_POLYGON_URL": "ws://127.0.0.1:%d" % self.provider_port,
            "STRIKETAPE_POLYGON_API_KEY": CANARY_KEY,
            "STRIKETAPE_POLYGON_SYMBOLS": "SPY,BAC,QQQ",
            "STRIKETAPE_POLYGON_MARKETS": "stocks",
            "STRIKETAPE_ENGINE_CLOCK": "exchange",
            "STRIKETAPE_STATE_DIR": state,
            "STRIKETAPE_GATEWAY_LISTEN": "127.0.0.1:%d" % self.port,
            "STRIKETAPE_ADMIN_LISTEN": "127.0.0.1:%d" % self.admin_port,
        }
        if redis:
            self.environment["STRIKETAPE_REDIS_URL"] = redis.url
        self.environment.update(settings or {})

    def run(self, roles="engine,gateway", arguments=()):
        """Starts `run` and waits until it runs."""
        name = "%s-%s" % (self.name, roles.replace(",", "-"))
        environment = dict(self.environment)
        if "gateway" not in roles:
            environment["STRIKETAPE_ADMIN_LISTEN"] = "127.0.0.1:%d" % self.engine_admin_port
        process = striketape(name, ["run", "--roles", roles] + list(arguments), environment)
        process.wait_for("event=running")
        return process

    def simulate(self, tape, speed, arguments=()):
        process = striketape(
            self.name + "-simulate",
            ["simulate", "--tape", tape, "--speed", str(speed), "--port", str(self.provider_port)] + list(arguments),
        )
        wait_until(lambda: accepts(self.provider_port), "the simulator listens")
        return process

    def wait_ready(self, seconds=20):
        """Waits until every dependency is ready."""
        wait_until(lambda: self.is_ready, self.name + " is ready", seconds)

    @property
    def is_ready(self):
        try:
            return http_call(self.admin_port, "GET", "/readyz")[0] == 200
        except OSError:
            return False


def read_channel(messages):
    """What is wrong in a plan channel's messages as a subscriber heard them, and its hits' kinds in order.

    A snapshot comes first on each connection; durable offsets go on by one from it; a conflatable message rests on the
    last of them. Hits that came while the subscriber was away stand in the next snapshot.
    """
    problems, hits, last, has_snapshot = [], {}, 0, False

    def note(hit, is_live):
        key = (hit["version"], hit["i"])
        if key in hits and (is_live or hits[key] != hit["kind"]):
            problems.append("hit %s twice" % (key,))
        hits[key] = hit["kind"]

    for message in messages:
        if message.get("op") in ("connected", "gap"):
            # After a gap that is told a snapshot comes.
            has_snapshot = False
            continue
        kind, offset = message["type"], message.get("off")
        if kind == "snapshot":
            if offset < last:
                problems.append("snapshot at %d after %d" % (offset, last))
            last, has_snapshot = offset, True
            if message["d"].get("hits") is None:
                problems.append("a snapshot without the plan at %d" % offset)
            for hit in message["d"].get("hits") or []:
                note(hit, False)
            continue
        if not has_snapshot:
            problems.append("%s before the snapshot" % kind)
        if offset is not None:
            if offset != last + 1:
                problems.append("offset %d after %d" % (offset, last))
            last = offset
            if kind == "hit":
                note(message["d"], True)
        elif message.get("base") != last:
            problems.append("%s rests on %s, the last durable one is %d" % (kind, message.get("base"), last))
    kinds = [hits[key] for key in sorted(hits)]
    numbers = [key[1] for key in sorted(hits)]
    if numbers != list(range(1, len(numbers) + 1)):
        problems.append("hits %s" % numbers)
    return problems, kinds
