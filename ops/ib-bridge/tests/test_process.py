"""Configuration, logs, and the process as a whole."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ibbridge import config, logs

ROOT = Path(__file__).parent.parent
TOKEN = "canary-token-0123456789"


def test_defaults_flags_and_environment():
    plain = config.read([], {})
    assert (plain.listen_host, plain.listen_port, plain.tws_host) == ("127.0.0.1", 8791, "127.0.0.1")
    assert (plain.core.tws_port, plain.core.lines, plain.core.books, plain.token) == (4001, 100, 3, "")
    both = config.read(["--tws-port", "7497"], {"IB_BRIDGE_TWS_PORT": "4002", "IB_BRIDGE_LINES": "200"})
    assert (both.core.tws_port, both.core.lines) == (7497, 200)
    assert config.read([], {"IB_BRIDGE_DELAYED_FALLBACK": "1"}).core.delayed_fallback


def test_the_token_comes_from_a_file_or_the_environment(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    assert config.read(["--token-file", str(file)], {}).token == TOKEN
    assert config.read([], {"IB_BRIDGE_TOKEN_FILE": str(file)}).token == TOKEN
    assert config.read([], {"IB_BRIDGE_TOKEN": TOKEN}).token == TOKEN
    assert TOKEN not in repr(config.read([], {"IB_BRIDGE_TOKEN": TOKEN}))


@pytest.mark.parametrize(
    ("arguments", "environment", "word"),
    [
        (["--listen-host", "0.0.0.0"], {}, "loopback"),
        (["--listen-host", "::"], {}, "loopback"),
        (["--listen-host", "bridge.example"], {}, "loopback"),
        ([], {"IB_BRIDGE_TOKEN": "short"}, "token"),
        ([], {"IB_BRIDGE_TOKEN": "with space in the middle"}, "token"),
        (["--token-file", "/nonexistent"], {}, "token"),
        ([], {"IB_BRIDGE_TWS_PORT": "many"}, "IB_BRIDGE_TWS_PORT"),
        (["--tws-port", "70000"], {}, "tws-port"),
        (["--lines", "0"], {}, "lines"),
        (["--client-id", "0"], {}, "client-id"),
        (["--log-level", "loud"], {}, "log-level"),
    ],
)
def test_what_can_not_be_started_is_refused(arguments, environment, word):
    with pytest.raises(config.Refused, match=word):
        config.read(arguments, environment)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.9.1"])
def test_loopback_needs_no_token_and_others_do(host):
    assert config.read(["--listen-host", host], {}).token == ""
    assert config.read(["--listen-host", "0.0.0.0"], {"IB_BRIDGE_TOKEN": TOKEN}).listen_host == "0.0.0.0"


def test_log_lines_are_json_and_limited():
    record = logging.makeLogRecord({"msg": "a\n%s", "args": ("b",), "name": "x", "levelname": "INFO", "created": 1.0})
    record.fields = {"k": "v"}
    line = logs.JSONFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line) == {
        "ts": "1970-01-01T00:00:01.000+00:00",
        "level": "info",
        "logger": "x",
        "msg": "a\nb",
        "k": "v",
    }
    limit = logs.RateFilter(10)
    passed = [limit.filter(logging.makeLogRecord({"msg": "m", "created": 5.0})) for _ in range(30)]
    assert sum(passed) == 10
    late = logging.makeLogRecord({"msg": "m", "created": 6.5})
    assert limit.filter(late) and late.fields == {"suppressed": 20}


def test_the_process_starts_answers_and_stops(tmp_path):
    token = tmp_path / "token"
    token.write_text(TOKEN)
    environment = {**os.environ, "IB_BRIDGE_TOKEN_FILE": str(token), "PYTHONDONTWRITEBYTECODE": "1"}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ibbridge", "--listen-port", "0", "--tws-port", "1"],
            cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            end = time.monotonic() + 20
            port = 0
            while not port and time.monotonic() < end:
                assert process.poll() is None, log.read_text()
                for line in log.read_text().splitlines():
                    port = port or json.loads(line).get("port", 0)
                time.sleep(0.02)
            assert port
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        finally:
            process.kill()
            process.wait()
    text = log.read_text()
    assert TOKEN not in text
    assert all(json.loads(line) for line in text.splitlines())


def test_the_process_refuses_with_a_word():
    process = subprocess.run(
        [sys.executable, "-m", "ibbridge", "--listen-host", "0.0.0.0"],
        cwd=ROOT, capture_output=True, text=True, timeout=30, env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert process.returncode == 78
    assert "IB_BRIDGE_TOKEN_FILE" in process.stderr and "Traceback" not in process.stderr
