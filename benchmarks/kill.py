"""kill -9 at random moments of learning, making and changing a space: does it open at a committed version, every time?

    python benchmarks/kill.py [--rounds 30]

A child process makes a space anew, adds, removes and compacts, over and over; the parent kills it at a random moment
and checks what is on disk. Every commit of the child keeps a rule (groups of 10 documents, all of one turn), so half a
commit would show. Each kind of work is killed `rounds` times. `tolman learn` is killed while it replaces a space:
either the old or the new one must open, and once more the same command must end with a space. It is killed at any
moment of its run, and, by itself, while it trains: then the same command must go on from the last checkpoint, and end
with the encoder of a run that nobody killed. Checkpoints are a twentieth of a second apart here, for the run is short.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from report import Cell, write_result

from tolman.errors import TolmanError
from tolman.space.space import open_space

TESTS = Path(__file__).parents[1] / "tests"
TICKETS = Path(__file__).parents[1] / "examples" / "tickets.csv"
GROUPS = {"create": 100, "add": 10, "remove": 10, "compact": 10}
CHILD = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from datetime import timedelta
from pathlib import Path
from tiny import tiny_corpus, tiny_encoder
from tolman.space import space
from tolman.space.space import LatentSpace, open_space
path, work = Path(sys.argv[1]), sys.argv[2]
space.BATCH = 32
encoder = tiny_encoder()
group = range(100, 110)
print("ready", flush=True)
turn = int(sys.argv[3]) * 100_000
while True:
    turn += 1
    if work == "create":
        LatentSpace.create(path, tiny_corpus(range(100), changed=f"Turn {{turn}}. "), encoder)
        continue
    opened = open_space(path)
    if work == "add":
        opened.add(tiny_corpus(group, changed=f"Turn {{turn}}. "))
    elif work == "remove":
        opened.add(tiny_corpus(group, changed=f"Turn {{turn}}. "))
        opened.remove([f"d{{n}}" for n in group])
    else:
        opened.add(tiny_corpus(group, changed=f"Turn {{turn}}. "))
        opened.compact(keep=timedelta(milliseconds=200))
"""
LEARN = "from tolman import training; training.CHECKPOINT_EVERY_S = 0.05; from tolman.cli import main; main()"
NOTES = (
    "SIGKILL 0 to 0.6 s after the child began to work; learn is killed at a moment drawn from the time that the row "
    "names. resumed: the next run of the same command went on from a checkpoint (it can't where the kill came before "
    "the first or after training). left behind: files beside the space when all was done."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    moment = random.Random(options.seed)
    rows: list[dict[str, Cell]] = []
    for work in GROUPS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "killed.space"
            if work != "create":
                run(path, "create", 0, wait=2.0)
            verdicts = Counter(attack(path, work, turn, moment) for turn in range(1, options.rounds + 1))
        rows.append(as_row(work, options.rounds, verdicts))
    rows += [kill_learning(options.rounds, moment), kill_training(options.rounds, moment)]
    write_result("kill", rows, f"{NOTES} Seed {options.seed}.")
    lost = any(row["opened and whole"] != row["rounds"] or row["left behind"] for row in rows)
    if lost or not rows[-1]["resumed"] or rows[-1]["same encoder at last"] != options.rounds:
        sys.exit(1)


def attack(path: Path, work: str, turn: int, moment: random.Random) -> str:
    """Let a child work, kill it, and look."""
    run(path, work, turn, wait=moment.uniform(0, 0.6))
    if not path.exists():  # the very first space was never finished
        return "whole" if work == "create" else "not opened"
    try:
        opened = open_space(path)
        opened.search("refund arrived", 5)
        texts = dict(zip(*opened.table(["id", "text"]).to_pydict().values(), strict=True))
    except TolmanError as error:
        print(f"{work}, turn {turn}: {error}", file=sys.stderr)
        return "not opened"
    numbers = range(100) if work == "create" else range(100, 110)
    turns = [text.split(".")[0] for name, text in texts.items() if int(name[1:]) in numbers]
    return "whole" if len(turns) in (0, GROUPS[work]) and len(set(turns)) <= 1 else "half"


def learning(path: Path, seed: int) -> "subprocess.Popen[str]":
    """`tolman learn` of the tickets, ended by its steps on any machine."""
    options = ["--output", str(path), "--seed", str(seed), "--budget", "1h"]
    command = [sys.executable, "-c", LEARN, "learn", str(TICKETS), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def learn_to_the_end(path: Path, seed: int) -> str:
    """What it said."""
    with learning(path, seed) as child:
        said = child.communicate()[1]
    assert child.returncode == 0, said
    return said


def kill_learning(rounds: int, moment: random.Random) -> dict[str, Cell]:
    """Kill `tolman learn` where it takes the place of a space, again and again; at last let it end."""
    verdicts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "killed.space"
        started = time.monotonic()
        learn_to_the_end(path, seed=0)
        usual = time.monotonic() - started
        for _ in range(rounds):
            with learning(path, seed=1) as child:
                time.sleep(moment.uniform(0, usual))
                child.kill()
            verdicts[look(path)] += 1
        learn_to_the_end(path, seed=1)
        verdicts["left behind"] = len(list(Path(folder).iterdir())) - 1
    return as_row(f"learn, at any moment of its {usual:.0f} s", rounds, verdicts)


def kill_training(rounds: int, moment: random.Random) -> dict[str, Cell]:
    """Kill `tolman learn` while it trains; run it again to its end."""
    verdicts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "killed.space"
        said = learn_to_the_end(path, seed=1)
        expected = open_space(path).description.encoder.fingerprint
        training = sum(map(float, re.findall(r"^learning: ([\d.]+) s", said, re.MULTILINE)))
        learn_to_the_end(path, seed=0)
        for _ in range(rounds):
            with learning(path, seed=1) as child:
                assert child.stderr
                next(line for line in child.stderr if line.startswith("learning ..."))
                time.sleep(moment.uniform(0, training))
                child.kill()
            verdicts[look(path)] += 1
            verdicts["resumed"] += "resuming at step" in learn_to_the_end(path, seed=1)
            verdicts["same encoder"] += open_space(path).description.encoder.fingerprint == expected
            verdicts["left behind"] += len(list(Path(folder).iterdir())) - 1
    again = {"resumed": verdicts["resumed"], "same encoder at last": verdicts["same encoder"]}
    return as_row(f"learn, in its {training:.1f} s of training", rounds, verdicts) | again


def as_row(work: str, rounds: int, verdicts: Counter[str]) -> dict[str, Cell]:
    return {
        "killed during": work,
        "rounds": rounds,
        "opened and whole": verdicts["whole"],
        "not opened": verdicts["not opened"],
        "half a commit": verdicts["half"],
        "left behind": verdicts["left behind"],
    }


def look(path: Path) -> str:
    """Whether a space opens and finds every document it holds."""
    try:
        opened = open_space(path)
        found = opened.search_many(["refund"], len(opened), mode="dense")[0]
    except TolmanError as error:
        print(f"learn: {error}", file=sys.stderr)
        return "not opened"
    return "whole" if len(found) == len(opened) else "half"


def run(path: Path, work: str, turn: int, *, wait: float) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path), work, str(turn)], stdout=subprocess.PIPE)
    with child:
        assert child.stdout
        assert child.stdout.readline() == b"ready\n"
        time.sleep(wait)
        child.kill()


if __name__ == "__main__":
    main()
