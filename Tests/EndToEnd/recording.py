"""Tapes as a user handles them: a second recording, segments, verify, cut, a disk that fills up."""

import random
import shutil
import time
import urllib.error
import urllib.request

import market
import store
from harness import *

SEED = int(os.environ.get("STRIKETAPE_TEST_SEED", "36"))
print("seed", SEED)
chance = random.Random(SEED)
maker = market.Tape(seed=SEED, minutes=4, events_per_second=40)
tape = maker.write(scratch("day.jsonl"), {})


def environment(state, admin=0):
    return {
        "STRIKETAPE_STATE_DIR": state, "STRIKETAPE_GATEWAY_LISTEN": "127.0.0.1:0",
        "STRIKETAPE_ADMIN_LISTEN": "127.0.0.1:%d" % admin, "STRIKETAPE_TAPE_SEGMENT_MB": "1",
    }


def lines_of(paths):
    status, out, err = run_to_end(["tape", "cat"] + paths)
    check_equal("cat reads %d files" % len(paths), (status, err), (0, ""))
    return out.splitlines()


def tool(*arguments):
    return run_to_end(["tape"] + list(arguments))


def ready(admin):
    try:
        with urllib.request.urlopen("http://127.0.0.1:%d/readyz" % admin, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metric(admin, name):
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % admin, timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("striketape_%s " % name):
                return float(line.split()[1])
    return None


# A second recording

state, record = scratch("state"), scratch("record")
run = striketape("run", ["run", "--tape", tape, "--record", record], environment(state))
run.wait_for("event=tape_ended", 60)
check_equal("a run that records twice ends in order", run.interrupt(60), 0)
own = store.tape_files(state)
second = sorted(os.path.join(record, name) for name in os.listdir(record) if name.endswith(".zst"))
check("both tapes have several closed segments", len(own) > 2 and len(second) > 2, (own, second))
inputs = [line for line in lines_of(own) if '"meta"' not in line]
check("both tapes hold the same lines", inputs == [line for line in lines_of(second) if '"meta"' not in line])
for directory in (os.path.join(state, "tape"), record):
    status, out, err = tool("verify", "--quiet", directory)
    check("%s verifies" % os.path.basename(directory), status == 0 and "good" in out, out + err)
    status, out, err = tool("info", directory, "--json")
    listed = json.loads(out)["segments"]
    check("info lists its segments", len(listed) > 2 and all(row["closed"] for row in listed), out)
status, out, _ = run_to_end(["replay", "--json", "--quiet"] + second, seconds=60)
check_equal("the second recording replays to the run's digest", json.loads(out)["digest"], store.digest_of_state(state))

# Verify says what is wrong, and where

damaged = scratch("damaged")
shutil.copytree(record, damaged)
victim = os.path.join(damaged, os.path.basename(second[1]))
with open(victim, "r+b") as file:
    place = chance.randrange(40, os.path.getsize(victim) // 2)
    file.seek(place)
    byte = file.read(1)[0]
    file.seek(place)
    file.write(bytes([byte ^ 1 << chance.randrange(8)]))
status, out, _ = tool("verify", "--quiet", "--json", damaged)
report = json.loads(out)
check_equal("a flipped bit ends verify with 1", (status, report["good"]), (1, False))
check("the damaged segment is named", any(row["file"] == victim for row in report["problems"]), out[:500])
shutil.rmtree(damaged)
shutil.copytree(record, damaged)
os.remove(os.path.join(damaged, os.path.basename(second[1])))
status, out, _ = tool("verify", "--quiet", damaged)
check("a missing segment is told", status == 1 and "missing" in out and "continues another segment" in out, out)

# Cut

first_n = json.loads(inputs[0])["n"]
last_n = json.loads(inputs[-1])["n"]
low, high = first_n + (last_n - first_n) // 3, first_n + (last_n - first_n) // 2
part = scratch("part.jsonl.zst")
status, _, err = tool("cut", record, "--quiet", "--from", "n:%d" % low, "--to", "n:%d" % high, "--out", part)
check_equal("cut by ordinals", (status, err), (0, ""))
kept = lines_of([part])
check("the meta line is kept", '"meta"' in kept[0], kept[0])
check("a cut holds what lies between, byte for byte",
      kept[1:] == [line for line in inputs if low <= json.loads(line)["n"] < high], len(kept))
status, out, _ = tool("verify", "--quiet", part)
check_equal("a cut verifies", status, 0)
times = [json.loads(line)["t"] for line in inputs]
middle = times[len(times) // 2]
status, out, _ = tool("cut", "--quiet", "--from", str(middle), *second)
check("cut by time, to standard output",
      out.splitlines()[1:] == [line for line, t in zip(inputs, times) if t >= middle], out[:300])
symbol = list(market.SYMBOLS)[0]
only = scratch("only.jsonl.zst")
status, _, err = tool("cut", record, "--quiet", "--symbol", symbol, "--out", only)
check_equal("cut by symbol", (status, err), (0, ""))
status, out, _ = run_to_end(["replay", "--json", "--quiet", only, "--checkpoints", "09:32"], seconds=60)
answer = json.loads(out)
check_equal("a cut by symbol replays, with that symbol only",
            {row["symbol"] for row in answer["checkpoints"]}, {symbol})
status, out, _ = run_to_end(["replay", "--json", "--quiet", tape, "--checkpoints", "09:32"], seconds=60)
whole = [row for row in json.loads(out)["checkpoints"] if row["symbol"] == symbol]
check_equal("the symbol's figures are those of the whole tape", answer["checkpoints"], whole)
status, _, err = tool("cut", record, "--from", "noon")
check("a time that is none is refused with the forms", status == 1 and "HH:MM" in err, err)

# A second recording that can't be written doesn't stop the engine, is told, and heals

blocked = scratch("blocked")
open(blocked, "w").close()
admin = free_port()
run = striketape("blocked", ["run", "--tape", tape, "--record", blocked], environment(scratch("state2"), admin))
run.wait_for("event=record_failing")
run.wait_for("event=tape_ended", 60)
status, body = ready(admin)
check("the engine is ready all the same, and says why it doesn't record", status == 200 and blocked in body, (status, body))
check("what isn't recorded is counted", (metric(admin, "record_lost_lines_total") or 0) > 1000)
os.remove(blocked)
run.wait_for("event=record_durable")
check_equal("told once", run.err.count("record_failing"), 1)
check_equal("and ends in order", run.interrupt(60), 0)

# A full disk under the run's own tape


def mounted(directory, megabytes):
    os.makedirs(directory)
    status = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=%dm" % megabytes, "tmpfs", directory],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ).returncode if os.getuid() == 0 and shutil.which("mount") else 1
    if status == 0:
        atexit.register(lambda: subprocess.run(["umount", "-l", directory]))
    return status == 0


full = scratch("state3")
if mounted(os.path.join(full, "tape"), 16):
    ballast = os.path.join(full, "tape", "ballast")
    with open(ballast, "wb") as file:
        file.write(bytes(14 << 20))
    admin = free_port()
    settings = environment(full, admin)
    settings["STRIKETAPE_TAPE_SEGMENT_MB"] = "64"
    run = striketape("full", ["run", "--tape", tape], settings)
    run.wait_for("event=journal_failing")
    run.wait_for("event=tape_ended", 60)
    status, body = ready(admin)
    check("a full disk isn't ready, and says why", status == 503 and "No space left" in body, (status, body))
    check("the failures are counted", (metric(admin, "tape_failures_total") or 0) > 0)
    check_equal("told once", run.err.count("journal_failing"), 1)
    os.remove(ballast)
    run.wait_for("event=journal_durable")
    wait_until(lambda: ready(admin)[0] == 200, "ready again")
    check_equal("no line was lost", metric(admin, "tape_lost_lines_total"), 0)
    run.kill()
    status, out, err = tool("verify", "--quiet", *store.tape_files(full))
    check_equal("the tape is whole: %s" % (out + err)[-400:], status, 0)
    check_equal("every input is on it", [line for line in lines_of(store.tape_files(full)) if '"meta"' not in line], inputs)
else:
    print("skipped: no small file system can be mounted here (needs root): a full disk under the tape")
finish()
