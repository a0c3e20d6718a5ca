"""Processes, ports, waits and checks of the end-to-end tests. Standard library only."""

import atexit
import contextlib
import ctypes
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

BINARY = os.environ.get("STRIKETAPE_BIN", "")
CANARY_KEY = "canary-key-0123456789abcdef"
CANARY_PASSWORD = "canary-redis-fedcba9876543210"

_processes = []
_scratch = tempfile.mkdtemp(prefix="striketape-e2e-")
_passed = 0
_failed = []


def _cleanup():
    for process in reversed(_processes):
        process.kill()
    if os.environ.get("KEEP_SCRATCH"):
        print("kept", _scratch)
    else:
        shutil.rmtree(_scratch, ignore_errors=True)


atexit.register(_cleanup)
for _signal in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(_signal, lambda number, frame: sys.exit(128 + number))


def scratch(name):
    """A path under this test's own directory."""
    return os.path.join(_scratch, name)


# Checks


def check(name, condition, detail=""):
    """Counts a check; a failed one is printed with what was seen and fails the script at its end."""
    global _passed
    if condition:
        _passed += 1
        print("ok", name, flush=True)
    else:
        _failed.append(name)
        print("FAILED %s: %s" % (name, str(detail)[:3000]), flush=True)
    return bool(condition)


def check_equal(name, found, wanted):
    return check(name, found == wanted, "found %r, wanted %r" % (found, wanted))


def finish():
    """Prints the counts and ends the script."""
    print("%d checks passed, %d failed" % (_passed, len(_failed)))
    for name in _failed:
        print("failed:", name)
    sys.exit(1 if _failed else 0)


def give_up(message):
    """A condition that the rest of the script needs did not come true."""
    _failed.append(message)
    print("FAILED", message, flush=True)
    for process in _processes:
        process.print_tail()
    finish()


def wait_until(condition, what, seconds=20):
    """Waits for a condition, gives its value; ends the script where it doesn't come true in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            give_up("not within %g s: %s" % (seconds, what))
        time.sleep(0.01)


def came_true(condition, seconds=20):
    """As `wait_until`, but says whether the condition came true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# Ports


def free_port():
    """A port below the range that the kernel hands out by itself."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with contextlib.closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def accepts(port):
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


# Processes


def _die_with_parent():
    # Without it a killed script would leave its servers behind.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Process:
    """A process whose output goes to files of the test's own directory."""

    _count = 0

    def __init__(self, name, arguments, environment=None):
        Process._count += 1
        self.name = name
        self.arguments = arguments
        base = scratch("%02d-%s" % (Process._count, name))
        self.out_path, self.err_path = base + ".out", base + ".err"
        whole = {key: value for key, value in os.environ.items() if not key.startswith("STRIKETAPE_")}
        # What a process keeps for its user stays with the test.
        whole["HOME"] = _scratch
        whole.update(environment or {})
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=whole, preexec_fn=_die_with_parent
            )
        _processes.append(self)

    @property
    def out(self):
        with open(self.out_path, "rb") as file:
            return file.read().decode("utf-8", "replace")

    @property
    def err(self):
        with open(self.err_path, "rb") as file:
            return file.read().decode("utf-8", "replace")

    @property
    def is_running(self):
        return self.process.poll() is None

    def wait(self, seconds=20):
        """The exit status; ends the script where the process doesn't end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            give_up("%s did not end within %g s" % (self.name, seconds))

    def wait_for(self, text, seconds=20):
        """Waits for a text in the process's log."""
        wait_until(lambda: text in self.err or not self.is_running, "%s says %r" % (self.name, text), seconds)
        if text not in self.err:
            give_up("%s ended with %s and did not say %r" % (self.name, self.process.returncode, text))

    def kill(self):
        """Ends it as a power failure would."""
        if self.is_running:
            self.process.kill()
        self.process.wait()

    def interrupt(self, seconds=20):
        """Ctrl-C; gives the exit status."""
        if self.is_running:
            self.process.send_signal(signal.SIGINT)
        return self.wait(seconds)

    def print_tail(self):
        lines = (self.out + self.err).splitlines()[-12:]
        state = "running" if self.is_running else "ended with %s" % self.process.returncode
        print("  -- %s (%s)" % (self.name, state))
        for line in lines:
            print("     " + line[:400])


def striketape(name, arguments, environment=None):
    return Process(name, [BINARY] + arguments, environment)


def run_to_end(arguments, environment=None, seconds=60, name="command"):
    """Runs a command to its end: exit status, output, errors."""
    process = striketape(name, arguments, environment)
    status = process.wait(seconds)
    return status, process.out, process.err


# Redis


class Redis:
    """A server of our own on loopback that keeps nothing on disk."""

    def __init__(self, password=None):
        self.port = free_port()
        self.password = password
        self.directory = scratch("redis-%d" % self.port)
        os.mkdir(self.directory)
        self.start()

    def start(self):
        arguments = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        arguments += ["--dir", self.directory, "--daemonize", "no"]
        if self.password:
            arguments += ["--requirepass", self.password]
        self.process = Process("redis", arguments)
        wait_until(lambda: accepts(self.port), "redis accepts connections")

    def kill(self):
        self.process.kill()

    @property
    def url(self):
        user = "default:%s@" % self.password if self.password else ""
        return "redis://%s127.0.0.1:%d/0" % (user, self.port)

    def call(self, *words):
        """One command, RESP2."""
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.port), 10)) as sock:
            reader = sock.makefile("rb")
            if self.password:
                self._send(sock, ("AUTH", self.password))
                self._reply(reader)
            self._send(sock, words)
            return self._reply(reader)

    @staticmethod
    def _send(sock, words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        sock.sendall(b"".join(parts))

    @classmethod
    def _reply(cls, reader):
        line = reader.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if int(rest) < 0 else reader.read(int(rest) + 2)[:-2]
        return None if int(rest) < 0 else [cls._reply(reader) for _ in range(int(rest))]

    def durable_log(self):
        """What stands in the partitions' streams: {partition: [(sequence, channel, offset, envelope)]}."""
        found = {}
        for partition in range(16):
            entries = []
            for identifier, fields in self.call("XRANGE", "st:{p%d}:log" % partition, "-", "+") or []:
                values = dict(zip(fields[::2], fields[1::2]))
                sequence = int(identifier.split(b"-")[0])
                entries.append((sequence, values[b"ch"].decode(), int(values[b"off"]), values[b"m"]))
            if entries:
                found[partition] = entries
        return found


# HTTP


def http_call(port, method, path, body=None, headers=None, seconds=10):
    """Status, headers in lower case, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    sent = dict(headers or {})
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    if body is not None:
        sent.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, path, body=body, headers=sent)
        response = connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def create_plan(port, plan, seconds=15):
    """Makes a plan over HTTP and gives its id; a bus that isn't connected yet is waited for."""
    deadline = time.monotonic() + seconds
    while True:
        status, _, body = http_call(port, "POST", "/api/v1/plans", plan)
        if status == 503 and b"isn't connected" in body and time.monotonic() < deadline:
            time.sleep(0.05)
            continue
        if status != 201:
            give_up("plan refused with %d: %s" % (status, body.decode("utf-8", "replace")))
        answer = json.loads(body)
        return (answer.get("plan") or answer)["id"]


def metric(port, name):
    """A metric of the admin listener, None where it isn't there."""
    _, _, body = http_call(port, "GET", "/metrics")
    for line in body.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    return None


def in_background(body):
    """Runs a function on a thread of its own."""
    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread
