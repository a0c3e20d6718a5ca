"""Subscribers that check what they hear as it comes and keep only the places: they may listen for hours."""

import socket
import threading
import time

from websocket import Connection, HandshakeRefused



class Place:
    """Where a subscriber stands in one channel."""

    def __init__(self):
        self.offset, self.epoch, self.run = None, None, None
        # A snapshot is due: just subscribed, or a gap was told.
        self.is_fresh = True
        self.durable = 0


class Watcher:
    """Follows channels over a connection of its own; every hole and every double is written down.

    - A snapshot comes first, and never stands before what was heard.
    - Durable offsets go on by one; a hit comes once.
    - A conflatable message rests on durable ones that were heard, its revision grows within its run.
    """

    def __init__(self, port, channels, rate=None, pause=0.0, receive_buffer=None):
        self.port = port
        self.channels = [{"ch": name, "maxRate": rate} if rate else name for name in channels]
        self.pause, self.receive_buffer = pause, receive_buffer
        self.places, self.hits, self.health = {}, set(), {}
        self.messages = self.frames = self.gaps = self.connections = 0
        self.problems, self.close_codes, self.errors = [], [], []
        self.is_stopped = False
        self.connection = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.is_stopped:
            try:
                self.connection = Connection(self.port)
                self.connections += 1
                if self.receive_buffer:
                    self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
                for place in self.places.values():
                    place.is_fresh = True
                self._follow()
            except (OSError, HandshakeRefused) as error:
                if not self.is_stopped:
                    self.errors.append(str(error))
            except (ValueError, KeyError, TypeError) as error:
                self.problems.append("%s: %s" % (type(error).__name__, error))
                return
            time.sleep(1)

    def _follow(self):
        self.connection.send({"id": 1, "op": "subscribe", "channels": self.channels})
        while not self.is_stopped:
            messages = self.connection.messages(60)
            if messages is None:
                if not self.is_stopped:
                    self.close_codes.append(self.connection.close_code)
                return
            self.frames += 1
            for message in messages:
                self._take(message)
            if self.pause:
                time.sleep(self.pause)

    def _take(self, message):
        operation = message.get("op")
        if operation == "gap":
            self.gaps += 1
            self.places.setdefault(message["ch"], Place()).is_fresh = True
        elif operation == "error":
            self.errors.append("%s: %s" % (message.get("code"), message.get("message")))
        if operation or "ch" not in message:
            return
        self.messages += 1
        channel = message["ch"]
        place = self.places.setdefault(channel, Place())
        if message["type"] == "snapshot":
            self._snapshot(channel, place, message)
        elif place.is_fresh:
            self.problems.append("%s: %s before the snapshot" % (channel, message["type"]))
        elif "off" in message:
            self._durable(channel, place, message)
        else:
            self._conflatable(channel, place, message)

    def _snapshot(self, channel, place, message):
        if place.epoch == message["ep"] and message["off"] < (place.offset or 0):
            self.problems.append("%s: snapshot at %d after %d" % (channel, message["off"], place.offset))
        place.offset, place.epoch, place.is_fresh, place.run = message["off"], message["ep"], False, None
        for hit in message["d"].get("hits") or []:
            self.hits.add((channel, hit["version"], hit["i"]))
        if channel == "health":
            for feed, told in (message["d"].get("health") or {}).items():
                self.health[feed] = told["state"]

    def _durable(self, channel, place, message):
        if message["off"] != place.offset + 1:
            self.problems.append("%s: offset %d after %d" % (channel, message["off"], place.offset))
        place.offset = message["off"]
        place.durable += 1
        if message["type"] == "hit" and channel.startswith("plan:"):
            hit = (channel, message["d"]["version"], message["d"]["i"])
            # A hit whose trade was taken back comes once more, marked.
            if hit in self.hits and not message["d"].get("voided"):
                self.problems.append("%s: hit %s twice" % (channel, hit[1:]))
            self.hits.add(hit)
        if message["type"] == "health":
            self.health[message["d"]["feed"]] = message["d"]["state"]

    def _conflatable(self, channel, place, message):
        if message["base"] > place.offset:
            self.problems.append("%s: rests on %d, heard is %d" % (channel, message["base"], place.offset))
        # Fields that wait are merged a type, each with the revision of its last change.
        key = (message["run"], message["type"])
        if place.run is None:
            place.run = {}
        if message["rev"] <= place.run.get(key, 0):
            self.problems.append("%s: %s revision %d after %d" % (channel, key[1], message["rev"], place.run[key]))
        place.run[key] = message["rev"]
        if message["type"] == "health":
            self.health[message["d"]["feed"]] = message["d"]["state"]

    def stop(self):
        self.is_stopped = True
        if self.connection:
            self.connection.close()
        self.thread.join(5)
