"""The bridge's own program, its wall clock moved by IB_BRIDGE_TEST_CLOCK_OFFSET seconds: a test's day is a trading day."""

import os
import runpy
import sys
import time
from pathlib import Path

OFFSET = int(os.environ["IB_BRIDGE_TEST_CLOCK_OFFSET"]) * 1_000_000_000
real = time.time_ns
time.time_ns = lambda: real() + OFFSET
sys.path[0] = str(Path(__file__).parent.parent)
runpy.run_module("ibbridge", run_name="__main__", alter_sys=True)
