"""A WebSocket client (RFC 6455) that reads on a thread and, where wanted, connects again by itself."""

import base64
import json
import os
import socket
import struct
import threading
import time


class HandshakeRefused(Exception):
    def __init__(self, status, text):
        super().__init__("handshake refused: %s" % status)
        self.status = status
        self.text = text


class Connection:
    """One connection, blocking."""

    def __init__(self, port, path="/ws", headers=None, subprotocol="striketape.v1", seconds=10):
        self.sock = socket.create_connection(("127.0.0.1", port), seconds)
        self.reader = self.sock.makefile("rb")
        self.close_code = None
        self.lock = threading.Lock()
        lines = ["GET %s HTTP/1.1" % path, "Host: 127.0.0.1:%d" % port, "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(), "Sec-WebSocket-Version: 13"]
        if subprotocol:
            lines.append("Sec-WebSocket-Protocol: " + subprotocol)
        lines += ["%s: %s" % pair for pair in (headers or {}).items()]
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = self.reader.readline().decode("latin-1")
        rest = []
        while True:
            line = self.reader.readline().decode("latin-1")
            if line in ("\r\n", ""):
                break
            rest.append(line)
        if " 101 " not in status:
            self.sock.close()
            raise HandshakeRefused(status.strip() or "no answer", status + "".join(rest))

    def send_frame(self, opcode, payload, final=True):
        mask = os.urandom(4)
        head = bytes([(0x80 if final else 0) | opcode])
        length = len(payload)
        if length < 126:
            head += bytes([0x80 | length])
        elif length < 65_536:
            head += bytes([0x80 | 126]) + struct.pack("!H", length)
        else:
            head += bytes([0x80 | 127]) + struct.pack("!Q", length)
        masked = (
            int.from_bytes(payload, "little") ^ int.from_bytes((mask * (length // 4 + 1))[:length], "little")
        ).to_bytes(length, "little")
        with self.lock:
            self.sock.sendall(head + mask + masked)

    def send(self, message):
        text = message if isinstance(message, (str, bytes)) else json.dumps(message)
        self.send_frame(1, text.encode() if isinstance(text, str) else text)

    def _exactly(self, count):
        data = self.reader.read(count)
        if data is None or len(data) < count:
            raise ConnectionError("the connection ended")
        return data

    def receive(self, seconds=10):
        """The next text; None once the server closed, `close_code` says how (1006: without a word)."""
        self.sock.settimeout(seconds)
        whole = b""
        while True:
            try:
                first, second = self._exactly(2)
                length = second & 0x7F
                if length == 126:
                    length = struct.unpack("!H", self._exactly(2))[0]
                elif length == 127:
                    length = struct.unpack("!Q", self._exactly(8))[0]
                payload = self._exactly(length)
            except socket.timeout:
                raise
            except OSError:
                self.close_code = self.close_code or 1006
                return None
            opcode = first & 0x0F
            if opcode == 8:
                self.close_code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                try:
                    self.send_frame(8, payload[:2])
                except OSError:
                    pass
                return None
            if opcode == 9:
                self.send_frame(10, payload)
                continue
            if opcode == 10:
                continue
            whole += payload
            if first & 0x80:
                return whole.decode()

    def messages(self, seconds=10):
        """The next frame's messages, which must be an array; None once closed."""
        text = self.receive(seconds)
        if text is None:
            return None
        frame = json.loads(text)
        if not isinstance(frame, list):
            raise ValueError("a frame that is no array: %s" % text[:200])
        return frame

    def close(self):
        try:
            self.send_frame(8, struct.pack("!H", 1000))
        except OSError:
            pass
        self.sock.close()


class Subscriber:
    """Subscribes, keeps everything that it hears, and connects again whenever the connection ends."""

    def __init__(self, port, channels):
        self.port = port
        self.channels = channels
        self.received = []
        self.connections = 0
        self.close_codes = []
        self.problems = []
        self.is_stopped = False
        self.connection = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.is_stopped:
            try:
                self.connection = Connection(self.port)
                self.connections += 1
                self.received.append({"op": "connected"})
                refused = self._follow()
            except (OSError, HandshakeRefused):
                refused = True
            except ValueError as error:
                self.problems.append(str(error))
                return
            if refused:
                time.sleep(0.1)

    def _follow(self):
        connection = self.connection
        connection.send({"id": 1, "op": "subscribe", "channels": self.channels})
        while not self.is_stopped:
            try:
                messages = connection.messages(60)
            except socket.timeout:
                self.problems.append("nothing for 60 s")
                return True
            if messages is None:
                self.close_codes.append(connection.close_code)
                return True
            self.received += messages
            # The engine or the bus was away: asked again, as a client does.
            if any(message.get("op") == "error" for message in messages):
                connection.sock.close()
                return True
        return False

    def of(self, channel):
        """The channel's messages in the order in which they came, with marks where a connection began."""
        return [message for message in list(self.received) if message.get("ch") == channel or message.get("op") == "connected"]

    def hits(self, channel):
        return [message for message in list(self.received) if message.get("ch") == channel and message.get("type") == "hit"]

    def stop(self):
        self.is_stopped = True
        if self.connection:
            self.connection.close()
        self.thread.join(5)
