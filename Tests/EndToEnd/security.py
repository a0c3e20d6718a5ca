"""What must be refused: foreign origins, floods, silent sockets, traversal, foreign upgrades; secrets show nowhere."""

import socket
import time

import market
import store
from harness import *
from system import System
from websocket import Connection, HandshakeRefused, Subscriber

GATEWAY_KEY = "canary-gateway-key-55aa55aa55aa"


def raw(port, data, seconds=15):
    """What a server answers to bytes until it closes; None at the end where it didn't close."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), 5)) as sock:
        sock.settimeout(seconds)
        answer = b""
        try:
            sock.sendall(data)
            while True:
                part = sock.recv(65_536)
                if not part:
                    return answer, True
                answer += part
        except socket.timeout:
            return answer, False
        except OSError:
            return answer, True


def upgrade(port, headers):
    """Connects with headers of our choice: what came of it, and everything that was shown."""
    try:
        connection = Connection(port, headers=headers)
    except HandshakeRefused as error:
        return "refused " + error.status, ""
    shown = ""
    with contextlib.suppress(OSError):
        connection.send({"id": 1, "op": "subscribe", "channels": ["symbol:SPY", "plans"]})
    try:
        for _ in range(5):
            text = connection.receive(3)
            if text is None:
                return "closed %s" % connection.close_code, shown
            shown += text
        return "open", shown
    except socket.timeout:
        return "open", shown
    finally:
        connection.sock.close()


def resident(process):
    with open("/proc/%d/statm" % process.process.pid) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def foreign_origins(system):
    port = system.port
    for origin in (
        "http://evil.example", "null", "http://127.0.0.1:%d.evil.example" % port, "http://evil.example:%d" % port,
        "https://127.0.0.1:%d" % port, "http://127.0.0.1", "http://127.0.0.1:%d@evil.example" % port, "file://",
    ):
        outcome, shown = upgrade(port, {"Origin": origin})
        refused = outcome.startswith("refused") or outcome == "closed 4003"
        check("S1: WebSocket with Origin %r: %s" % (origin, outcome), refused and not shown, shown)
    for origin in ("http://127.0.0.1:%d" % port, "http://localhost:%d" % port):
        outcome, shown = upgrade(port, {"Origin": origin})
        check("S1: the page's own origin %s is served" % origin, outcome == "open" and shown, outcome)
    for path in ("/api/v1/plans", "/"):
        status, _, body = http_call(port, "GET", path, headers={"Origin": "http://evil.example"})
        check("S1: GET %s with a foreign Origin: %d" % (path, status), status == 403, body[:200])
    status, headers, _ = http_call(port, "GET", "/api/v1/plans", headers={"Origin": "http://127.0.0.1:%d" % port})
    check("S1: no page elsewhere may read the answer", "access-control-allow-origin" not in headers, headers)
    for host in ("evil.example", "evil.example:%d" % port, "127.0.0.1:%d.evil.example" % port, "127.0.0.1.evil.example"):
        answer, _ = raw(port, b"GET /api/v1/plans HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host.encode())
        check("S1: Host %s: %s" % (host, answer[:12].decode()), answer.startswith(b"HTTP/1.1 403"), answer[:300])
        answer, _ = raw(system.admin_port, b"GET /metrics HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host.encode())
        check("S1: admin with Host %s: %s" % (host, answer[:12].decode()), answer.startswith(b"HTTP/1.1 403"), answer[:300])


def big_messages(system, run):
    before = resident(run)
    for size, wanted in ((65_537, 1009), (1_000_000, 1009), (10_000_000, 1009)):
        connection = Connection(system.port)
        with contextlib.suppress(OSError):
            connection.send_frame(1, b"x" * size)
        with contextlib.suppress(OSError):
            connection.receive(5)
        check_equal("S5: a message of %d bytes" % size, connection.close_code, wanted)
        connection.sock.close()
    connection = Connection(system.port)
    padded = json.dumps({"id": 1, "op": "ping"}).encode()
    connection.send_frame(1, padded + b" " * (65_536 - len(padded)))
    answer = connection.messages(5)
    check("S5: a message of 65,536 bytes is read", bool(answer) and answer[0].get("op") == "pong", connection.close_code)
    pieces = json.dumps({"id": "x", "op": "ping"}).encode() + b" " * 1_000
    for index in range(1_000):
        last = index == 999
        connection.send_frame(1 if index == 0 else 0, pieces[index:] if last else pieces[index : index + 1], last)
    answer = connection.messages(10)
    outcome = answer[0].get("op") if answer else connection.close_code
    check("S5: 1,000 fragments that fit: %s" % outcome, outcome in ("pong", 1009, 4009))
    connection.sock.close()
    connection = Connection(system.port)
    with contextlib.suppress(OSError):
        for index in range(1_000):
            connection.send_frame(1 if index == 0 else 0, b"x" * 1_000, index == 999)
    with contextlib.suppress(OSError):
        connection.receive(5)
    check_equal("S5: 1,000 fragments of 1,000 bytes", connection.close_code, 1009)
    connection.sock.close()
    for _ in range(20):
        connection = Connection(system.port)
        with contextlib.suppress(OSError):
            connection.send_frame(1, b"x" * 5_000_000)
        with contextlib.suppress(OSError):
            connection.receive(5)
        connection.sock.close()
    grown = resident(run) - before
    check("S5: memory stays flat (%+.1f MB after 130 MB)" % (grown / 1e6), grown < 30_000_000)
    head = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" % system.port
    head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    head += "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: striketape.v1\r\n\r\n"
    answer, _ = raw(system.port, head.encode(), 1)
    check("S5: compression isn't taken up", b"101" in answer[:20] and b"permessage-deflate" not in answer, answer[:400])


def traversal(system):
    for path in (
        "/../../../etc/passwd", "/ui/../../../../etc/passwd", "/..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd",
        "/....//....//etc/passwd", "/static/..\\..\\..\\etc\\passwd", "//etc/passwd", "/%00/etc/passwd", "/etc/passwd",
        "/api/v1/../../../etc/passwd", "/idea/../../etc/passwd", "/stream/..%2f..%2fetc%2fpasswd",
    ):
        request = "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % (path, system.port)
        answer, _ = raw(system.port, request.encode())
        status = answer[9:12].decode()
        # Some are no valid path at all; closing without an answer shows nothing either.
        # The library ends a path at a NUL, which leaves the page itself.
        allowed = ("404", "400", "403", "") + (("200",) if path.startswith("/%00") else ())
        fits = status in allowed and b"root:" not in answer
        check("S9: GET %s: %s" % (path, status or "closed"), fits, answer[:300])
    answer, _ = raw(system.port, b"GET /../../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % system.port)
    check("S9: the plain traversal is a 404", answer.startswith(b"HTTP/1.1 404"), answer[:200])


def foreign_upgrades(system):
    for port, name in ((system.port, "public"), (system.admin_port, "admin")):
        base = "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port
        for label, rest in (
            ("h2c", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"),
            ("H2C among others", "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n"), ("foobar", "Connection: Upgrade\r\nUpgrade: foobar\r\n\r\n"),
            ("TLS", "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n"),
        ):
            answer, closed = raw(port, (base + rest).encode(), 12)
            refused = b" 101 " not in answer.split(b"\r\n")[0] + b" "
            check("S13: %s upgrade to %s: %s" % (name, label, answer[:12].decode() or "closed"), refused, answer[:200])
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
        answer, _ = raw(port, preface, 12)
        check("S13: %s: the preface of HTTP/2: %s" % (name, answer[:12]), b"\0\0" not in answer[:9], answer[:60])
        alive, _ = raw(port, ("CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port).encode(), 12)
        check("S13: %s: CONNECT: %s" % (name, alive[:12].decode() or "closed"), b" 200 " not in alive[:20], alive[:100])
    check("S13: the gateway lives", http_call(system.admin_port, "GET", "/healthz")[0] == 200)


class Silent:
    """Sockets that say nothing, or too slowly, opened first and looked at last."""

    def __init__(self, system):
        self.started = time.monotonic()
        self.sockets = {}
        for name, port in (("public", system.port), ("admin", system.admin_port)):
            self.sockets["%s: a silent connection" % name] = socket.create_connection(("127.0.0.1", port))
            slow = socket.create_connection(("127.0.0.1", port))
            slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port)
            self.sockets["%s: headers that don't end" % name] = slow
        body = socket.create_connection(("127.0.0.1", system.port))
        body.sendall(
            b"POST /api/v1/plans HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n{" % system.port
        )
        self.sockets["public: a body that doesn't come"] = body
        self.closed = {}
        self.thread = in_background(self.watch)

    def watch(self):
        while len(self.closed) < len(self.sockets) and time.monotonic() - self.started < 25:
            for name, sock in self.sockets.items():
                if name in self.closed:
                    continue
                if "headers" in name:
                    # A slow loris: one header line now and then.
                    with contextlib.suppress(OSError):
                        sock.sendall(b"X-Slow: 1\r\n")
                sock.settimeout(0.02)
                try:
                    if not sock.recv(4_096):
                        self.closed[name] = time.monotonic() - self.started
                except socket.timeout:
                    pass
                except OSError:
                    self.closed[name] = time.monotonic() - self.started
            time.sleep(0.25)

    def verify(self):
        self.thread.join(30)
        for name in self.sockets:
            after = self.closed.get(name)
            check("S7: %s is closed after %s s" % (name, after and round(after, 1)), after is not None and after < 15)


def without_auth():
    """With a key configured: what is shown without it, and how long a silent WebSocket may stay."""
    system = System("keyed", scratch("keyed-state"), settings={
        "STRIKETAPE_GATEWAY_API_KEY": GATEWAY_KEY, "STRIKETAPE_LOG_LEVEL": "trace",
    })
    run = system.run()
    silent, begin = Connection(system.port), time.monotonic()
    for headers in ({}, {"Authorization": "Bearer wrong-key-000000000000"}, {"Authorization": GATEWAY_KEY}):
        status, _, body = http_call(system.port, "GET", "/api/v1/plans", headers=headers)
        check("key: GET with %s: %d" % (sorted(headers), status), status == 401, body[:200])
    status, _, _ = http_call(system.port, "GET", "/api/v1/plans", headers={"Authorization": "Bearer " + GATEWAY_KEY})
    check_equal("key: GET with the key", status, 200)
    for message in ({"id": 1, "op": "subscribe", "channels": ["symbol:SPY"]}, {"id": 1, "op": "auth", "token": "wrong"}):
        connection = Connection(system.port)
        connection.send(message)
        check("key: WebSocket that sends %s first is closed" % message["op"], connection.receive(5) is None)
        check_equal("key: its close code", connection.close_code, 4003)
        connection.sock.close()
    connection = Connection(system.port)
    connection.send({"id": 1, "op": "auth", "token": GATEWAY_KEY})
    answer = connection.messages(5)
    check("key: `auth` with the key is answered", bool(answer) and answer[0].get("op") == "authenticated", answer)
    check("key: the answer doesn't repeat it", GATEWAY_KEY not in json.dumps(answer))
    connection.close()
    http_call(system.port, "GET", "/api/v1/plans?token=" + GATEWAY_KEY)
    ended = silent.receive(12) is None
    check("S7: a WebSocket without `auth` is closed after %.1f s" % (time.monotonic() - begin), ended)
    check_equal("S7: its close code", silent.close_code, 4003)
    metrics = http_call(system.admin_port, "GET", "/metrics")[2].decode()
    check_equal("ends in order", run.interrupt(), 0)
    return system, metrics


def files_with(secret):
    """Files of this test's directory that hold a secret, compressed tapes read too."""
    found = []
    for directory, _, names in os.walk(scratch("")):
        for name in names:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                data = file.read()
            if name.endswith(".zst"):
                data += subprocess.run(["zstd", "-dc", path], stdout=subprocess.PIPE, check=True).stdout
            if secret.encode() in data:
                found.append(os.path.relpath(path, scratch("")))
    return found


tape = market.Tape(seed=35, minutes=5).write(scratch("session.jsonl"))
redis = Redis(password=CANARY_PASSWORD)
state = scratch("state")
system = System("guarded", state, redis, {"STRIKETAPE_LOG_LEVEL": "trace"})
run = system.run()
wait_until(lambda: http_call(system.port, "GET", "/api/v1/plans")[0] == 200, "plans can be listed")
plans = [create_plan(system.port, body) for body, _ in market.known_plans()]
witness = Subscriber(system.port, ["symbol:SPY", "plans"])
provider = system.simulate(tape, 2, ["--key", CANARY_KEY])
wait_until(lambda: any(m.get("type") == "tick" for m in witness.received), "ticks: the key and the password are used")

silent = Silent(system)
foreign_origins(system)
big_messages(system, run)
traversal(system)
foreign_upgrades(system)
_, keyed_metrics = without_auth()
silent.verify()
count = len(witness.received)
check("the others still hear the market", came_true(lambda: len(witness.received) > count + 5, 10))
check_equal("the others kept their connection", witness.connections, 1)

# A wrong password is an error that must not show what was tried.
wrong = System("wrong-password", scratch("wrong-state"), settings={
    "STRIKETAPE_REDIS_URL": "redis://default:%s@127.0.0.1:%d/0" % (CANARY_PASSWORD + "-wrong", redis.port),
    "STRIKETAPE_LOG_LEVEL": "trace",
})
other = wrong.run()
check("a wrong Redis password is told", came_true(lambda: "WRONGPASS" in other.err or "AUTH" in other.err.upper(), 10), other.err)
other.interrupt()
pages = [http_call(system.admin_port, "GET", path)[2].decode() for path in ("/metrics", "/readyz")]
pages += [http_call(system.port, "GET", "/api/v1/stream/state?channels=health")[2].decode(), keyed_metrics]
check("/metrics is there", "striketape_" in pages[0], pages[0][:200])
text = json.dumps(witness.received) + "".join(pages)
witness.stop()
check_equal("ends in order", run.interrupt(), 0)
provider.interrupt()
for name, secret in (("API key", CANARY_KEY), ("Redis password", CANARY_PASSWORD), ("gateway key", GATEWAY_KEY)):
    check("canary: the %s is in no answer, message or metric" % name, secret not in text)
    check_equal("canary: the %s is in no log, tape, commit log or checkpoint" % name, files_with(secret), [])
finish()
