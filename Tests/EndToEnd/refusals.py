"""What a provider refuses is said once, clearly, with what to do, and nobody hammers at its door."""

import store
from harness import *
from system import TOKENS, System, three_feeds

# A refused feed may try so often within the seconds that are looked at.
SECONDS = 6


def start(name, moods, settings=None, provider=True):
    state = scratch(name.replace(" ", "-"))
    system = System(name.replace(" ", "-"), state)
    system.environment.update(three_feeds(system.provider_port))
    system.environment.update({"STRIKETAPE_FEED_BACKOFF_MS": "1000", "STRIKETAPE_POLYGON_MARKETS": "stocks"})
    system.environment.update(settings or {})
    simulator = None
    if provider:
        arguments = ["simulate", "--providers", "polygon,uw,ib", "--port", str(system.provider_port), "--speed", "1"]
        for mood in moods:
            arguments += ["--mood", mood]
        simulator = striketape("simulate", arguments)
        wait_until(lambda: accepts(system.provider_port), "the simulator listens")
    return system, system.run(), simulator


def attempts(system, feed):
    return metric(system.admin_port, 'striketape_feed_attempts_total{feed="%s"}' % feed) or 0


def refused(name, moods, feed, words, most, settings=None, provider=True, lines=1):
    """Runs with a mood and looks at the one feed: how often it tried, what was said, and that the rest goes on."""
    system, run, simulator = start(name, moods, settings, provider)
    said = lambda: [line for line in run.err.splitlines() if "feed_alert" in line and "feed=%s" % feed in line]
    if words:
        came_true(lambda: any(words in line for line in said()), 15)
    time.sleep(SECONDS)
    tries = attempts(system, feed)
    check("%s: %d attempts" % (name, tries), 1 <= tries <= most, run.err[-2000:])
    if words:
        found = [line for line in said() if words in line]
        check("%s: said, and once" % name, len(found) == lines, said())
    status, _, body = http_call(system.admin_port, "GET", "/readyz")
    check("%s: not ready, and which feed" % name, status == 503 and feed.encode() in body, body)
    check("%s: a plan is taken all the same" % name, create_plan(system.port, PLAN) is not None)
    shown = run.err + http_call(system.admin_port, "GET", "/metrics")[2].decode()
    for secret in [CANARY_KEY] + list(TOKENS.values()):
        check("%s: no secret in log and metrics" % name, secret not in shown)
    check_equal("%s: ends in order" % name, run.interrupt(30), 0)
    if simulator:
        simulator.interrupt()
    tape = b"".join(row[6] for row in store.rows(system.state)).decode()
    check("%s: the feed's state is told with its cause" % name, '"feed":"%s","state":"down"' % feed in tape, tape[:600])


PLAN = {
    "symbol": "SPY", "side": "long", "style": "swing", "kind": "live", "trigger": "last",
    "entry": {"type": "touch", "price": 600}, "stop": {"price": 590}, "targets": [{"price": 620, "fraction": 1}],
}

# A wrong key, or a plan without the right: terminal, one attempt.
refused("polygon wrong key", ["polygon:auth-failure"], "polygon.stocks", "auth_failed", 1)
refused("polygon without websocket", ["polygon:no-websocket-plan"], "polygon.stocks", "websocket access", 1)
refused("uw wrong token", ["uw:auth-failure"], "uw", "401", 1)
refused("ib wrong token", ["ib:auth-failure"], "ib", "refused the token", 1)
refused("ib other version", ["ib:version-mismatch"], "ib", "another version", 1)
# The account's cap: a long pause, not a second a try.
refused("polygon cap", ["polygon:refuse-newcomer"], "polygon.stocks", None, 2)
# Nobody there: tried again with growing pauses (1, 2, 4 s), for all three.
for feed, most in (("polygon.stocks", 6), ("uw", 4), ("ib", 6)):
    refused("nobody at " + feed, [], feed, None, most, provider=False)
finish()
