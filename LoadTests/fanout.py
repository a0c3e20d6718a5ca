"""`LoadTests/fanout`: starts a whole system and lets `bench fanout` follow prices, bands and plans of it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "EndToEnd"))

from harness import *
from system import System

CONNECTIONS, SECONDS = sys.argv[1], sys.argv[2]
SYMBOLS = ["SPY", "QQQ"]
redis = Redis()
system = System("load", scratch("load"), redis, {"STRIKETAPE_POLYGON_SYMBOLS": ",".join(SYMBOLS)})
# The wall clock's stamps, so that latencies can be told.
system.environment["STRIKETAPE_ENGINE_CLOCK"] = "wall"
engine, gateway = system.run("engine"), system.run("gateway")
arguments = ["simulate", "--providers", "polygon", "--symbols", "2", "--rate", "2000", "--speed", "1"]
striketape("simulate", arguments + ["--port", str(system.provider_port)])
system.wait_ready(40)
plans = []
for symbol in SYMBOLS:
    for style in ("intraday", "swing", "leap"):
        # Far from every price of the model: it stays armed, and its distance changes with each price.
        plan = {
            "symbol": symbol, "side": "long", "style": style, "kind": "live", "trigger": "last",
            "entry": {"type": "touch", "price": 1}, "stop": {"price": 0.5}, "targets": [{"price": 2, "fraction": 1}],
        }
        plans.append(create_plan(system.port, plan))
channels = [kind + symbol for symbol in SYMBOLS for kind in ("symbol:", "bands:")] + ["plan:" + plan for plan in plans]
command = ["bench", "fanout", "--url", "ws://127.0.0.1:%d/ws" % system.port, "--process", str(gateway.process.pid)]
command += ["--connections", CONNECTIONS, "--seconds", SECONDS, "--runs", "1", "--json"]
for channel in channels:
    command += ["--channel", channel]
status, out, err = run_to_end(command, seconds=int(SECONDS) + 120)
check_equal("the benchmark ends with 0", (status, err), (0, ""))
print(out.strip())
figures = json.loads(out) if status == 0 else {}
check("messages came", figures.get("events", 0) > 0)
check_equal("no gap, no double, no error", [figures.get(name) for name in ("gaps", "doubles", "errors")], [0, 0, 0])
for process in (gateway, engine):
    check_equal("%s ends in order" % process.name, process.interrupt(), 0)
finish()
