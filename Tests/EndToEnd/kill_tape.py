"""A tape as the feed, killed at ten random places: the durable messages equal those of the uninterrupted run."""

import re
import shutil
import time

import market
import store
from harness import *

SEED = int(os.environ.get("STRIKETAPE_TEST_SEED", "32"))
KILLS = 10


def commands(chance, seconds):
    """Plans of many owners all over the tape, some of them cancelled: commands stand between frames everywhere."""
    found, number = {}, 0
    for second in range(seconds):
        found[second] = []
        for symbol in market.SYMBOLS:
            number += 1
            identifier = "p_%06d" % number
            entry = chance.randrange(-40, 40)
            if chance.random() < 0.5:
                body = market.plan(symbol, "long", entry, entry - 25, [entry + 15, entry + 30, entry + 45])
            else:
                body = market.plan(symbol, "short", entry, entry + 25, [entry - 15, entry - 30])
            body["trigger"] = chance.choice(["last", "last", "mid", "bidask"])
            body["id"] = identifier
            owner = "u_%d" % number
            found[second].append(market.command("create", "c_%d" % number, body, owner))
            if chance.random() < 0.2:
                cancel = {"id": identifier, "version": 1}
                found[second].append(market.command("cancel", "x_%d" % number, cancel, owner))
    return found


def start(state):
    environment = {
        "STRIKETAPE_STATE_DIR": state, "STRIKETAPE_GATEWAY_LISTEN": "127.0.0.1:0",
        "STRIKETAPE_ADMIN_LISTEN": "127.0.0.1:0", "STRIKETAPE_ENGINE_CHECKPOINT_S": "1",
        # Segments end all the time, so that kills hit rotation and closing too.
        "STRIKETAPE_TAPE_SEGMENT_MB": "1",
        # A short queue, so that a checkpoint isn't far behind the reader.
        "STRIKETAPE_ENGINE_MAILBOX_EVENTS": "1024",
    }
    return striketape("tape", ["run", "--tape", tape], environment)


def end(process):
    process.wait_for("event=tape_ended", 90)
    check_equal("ends in order", process.interrupt(60), 0)


def cut_behind_a_command(state):
    """Makes of a kill one that came right behind a command: the tape may be ahead of the commit log, never behind.

    Says whether there was such a place.
    """
    committed = max((row[2] for row in store.rows(state)), default=0)
    path = store.tape_files(state)[-1]
    if path.endswith(".zst"):
        return False
    with open(path, "rb") as file:
        lines = file.read().splitlines(keepends=True)
    for index in range(len(lines) - 1, -1, -1):
        found = re.match(rb'\{"t":\d+,"n":(\d+),"cmd"', lines[index])
        if found and int(found.group(1)) >= committed:
            with open(path, "r+b") as file:
                file.truncate(sum(map(len, lines[: index + 1])))
            # A checkpoint of what is cut off now could not have been written yet.
            shutil.rmtree(os.path.join(state, "checkpoints"), ignore_errors=True)
            return True
    return False


print("seed", SEED)
chance = random.Random(SEED)
minutes = int(os.environ.get("STRIKETAPE_TEST_MINUTES", "22"))
maker = market.Tape(seed=SEED, minutes=minutes, events_per_second=40)
tape = maker.write(scratch("big.jsonl"), commands(chance, minutes * 60 - 5))
print("   tape: %d events, %.1f MB" % (maker.events, os.path.getsize(tape) / 1e6))

# Both runs begin from the same state, so that even the name of the log is the same.
seed_state = scratch("seed-state")
empty = scratch("empty.jsonl")
open(empty, "w").close()
first = striketape("empty", ["run", "--tape", empty], {
    "STRIKETAPE_STATE_DIR": seed_state, "STRIKETAPE_GATEWAY_LISTEN": "127.0.0.1:0",
    "STRIKETAPE_ADMIN_LISTEN": "127.0.0.1:0",
})
first.wait_for("event=running")
first.kill()
check_equal("nothing is committed before the tape", store.rows(seed_state), [])

whole_state, cut_state = scratch("whole-state"), scratch("cut-state")
shutil.copytree(seed_state, whole_state)
shutil.copytree(seed_state, cut_state)
whole = start(whole_state)
whole.wait_for("event=running")
begin = time.monotonic()
whole.wait_for("event=tape_ended", 90)
duration = time.monotonic() - begin
check_equal("the uninterrupted run ends in order", whole.interrupt(60), 0)
wanted = store.rows(whole_state)
hits = sum(b'"type":"hit"' in row[6] for row in wanted if row[0].startswith("plan:"))
check("the uninterrupted run has hits all over the tape", hits > 50 * minutes, hits)

places, partial, behind = [], 0, 0
last = max(row[2] for row in wanted)
for number in range(KILLS):
    process = start(cut_state)
    process.wait_for("event=running")
    # By time, as segments shrink when they are closed; what a restart costs doesn't count.
    time.sleep(duration / (KILLS + 1) * chance.uniform(0.3, 1.5))
    process.kill()
    place = max((row[2] for row in store.rows(cut_state)), default=0) / last
    partial += place < 0.999
    behind += number % 3 == 1 and cut_behind_a_command(cut_state)
    places.append("%.1f %%" % (100 * place))
print("   killed at " + ", ".join(places) + " of the tape")
print("   %d of them right behind a command" % behind)
check("the kills hit the middle of the tape", partial >= KILLS - 1, places)
end(start(cut_state))
found = store.rows(cut_state)
check_equal("no hole and no double in the commit log", store.holes(found), [])
check_equal("as many durable messages as without kills", len(found), len(wanted))
if not check("the durable messages are the same bytes in the same order", [r[6] for r in found] == [r[6] for r in wanted]):
    for index, (one, other) in enumerate(zip(found, wanted)):
        if one[6] != other[6]:
            print("   message %d:\n   killed %r\n   whole  %r" % (index, one[6][:400], other[6][:400]))
            break
check_equal("the same digest", store.digest_of_state(cut_state), store.digest_of_state(whole_state))
print("   %d durable messages, %d hits compared" % (len(wanted), hits))

# The run's own tape, in as many pieces as it has, is one whole tape.
for state, name in ((whole_state, "uninterrupted"), (cut_state, "killed")):
    status, out, err = run_to_end(["replay"] + store.tape_files(state) + ["--json", "--quiet"], seconds=90)
    digest = json.loads(out)["digest"] if status == 0 else err
    verified, out_text, err_text = run_to_end(["tape", "verify", "--quiet"] + store.tape_files(state), seconds=90)
    check_equal("the %s run's own tape verifies: %s" % (name, (out_text + err_text)[-600:]), verified, 0)
    check_equal("the %s run's own tape replays to its digest" % name, digest, store.digest_of_state(state))
finish()
