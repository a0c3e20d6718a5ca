"""The commit log as tests read it: what was committed, in order, byte by byte."""

import hashlib
import json
import os
import re
import sqlite3
import glob


def rows(state):
    """Every durable message: [(channel, off, n, idx, partition, pseq, bytes)] in the order of their commit."""
    path = os.path.join(state, "commits.sqlite")
    if not os.path.exists(path):
        return []
    connection = sqlite3.connect(path, timeout=10)
    try:
        found = connection.execute(
            "SELECT channel, off, n, idx, partition, pseq, bytes FROM messages ORDER BY id"
        ).fetchall()
        return [row[:6] + (bytes(row[6]),) for row in found]
    finally:
        connection.close()


def last_offsets(state):
    """The last durable message of each channel."""
    connection = sqlite3.connect(os.path.join(state, "commits.sqlite"), timeout=10)
    try:
        return dict(connection.execute("SELECT channel, MAX(off) FROM messages GROUP BY channel"))
    finally:
        connection.close()


def epoch(state):
    connection = sqlite3.connect(os.path.join(state, "commits.sqlite"), timeout=10)
    try:
        return connection.execute("SELECT text FROM meta WHERE name = 'epoch'").fetchone()[0]
    finally:
        connection.close()


def digest(messages):
    """The digest of architecture 8 over [(channel, bytes)]."""
    channels = {}
    for channel, data in messages:
        channels.setdefault(channel.encode(), hashlib.sha256()).update(data + b"\n")
    total = hashlib.sha256()
    for channel in sorted(channels):
        total.update(channel + b"\t" + channels[channel].hexdigest().encode() + b"\n")
    return total.hexdigest()


def digest_of_state(state):
    return digest((row[0], row[6]) for row in rows(state))


def holes(found):
    """What is wrong with the offsets of channels and the sequences of partitions; empty if nothing."""
    problems = []
    offsets, sequences, last = {}, {}, (-1, -1)
    for channel, off, n, index, partition, sequence, _ in found:
        if off != offsets.get(channel, 0) + 1:
            problems.append("%s: offset %d after %d" % (channel, off, offsets.get(channel, 0)))
        if sequence != sequences.get(partition, 0) + 1:
            problems.append("partition %d: %d after %d" % (partition, sequence, sequences.get(partition, 0)))
        if (n, index) <= last:
            problems.append("%s: (%d, %d) after %s" % (channel, n, index, last))
        offsets[channel], sequences[partition], last = off, sequence, (n, index)
    return problems


def tape_files(state):
    """The segments in order; where a raw and a closed copy are there, the raw one."""
    found = {}
    for path in sorted(glob.glob(os.path.join(state, "tape", "tape-*"))):
        name = os.path.basename(path)
        if re.fullmatch(r"tape-\d+\.jsonl(\.zst)?", name):
            found.setdefault(name.split(".")[0], path)
    return [found[name] for name in sorted(found)]


def tape_index(path):
    """The index at the end of a closed segment."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[-8:] == b"STKINDX1", path
    size = int.from_bytes(data[-12:-8], "little")
    text = data[-44 - size : -44]
    assert hashlib.sha256(text).digest() == data[-44:-12], path
    return json.loads(text)


def tape_size(state):
    """Bytes of text on the tape; a segment that is closed meanwhile counts as it did."""
    size = 0
    for path in tape_files(state):
        try:
            size += tape_index(path)["bytes"] if path.endswith(".zst") else os.path.getsize(path)
        except FileNotFoundError:
            size += tape_index(path + ".zst")["bytes"]
    return size
