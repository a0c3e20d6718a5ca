"""`python3 -m ibbridge`: see `--help` and the README."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from . import config, logs
from .bridge import Bridge


async def run(settings: config.Config) -> None:
    bridge = Bridge(settings)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, over.set)
    await bridge.start()
    await over.wait()
    await bridge.stop()


def main() -> int:
    try:
        settings = config.read(sys.argv[1:], os.environ)
    except config.Refused as refusal:
        print(f"ibbridge: {refusal}", file=sys.stderr)
        return 78
    logger = logs.set_up(settings.log_level)
    try:
        asyncio.run(run(settings))
    except OSError as fault:
        logger.error("cannot listen", extra={"fields": {"why": fault.strerror, "port": settings.listen_port}})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
