import struct
import sys
import time
from pathlib import Path

import pytest
from conftest import TICKETS, Cli, tree

from tolman.errors import MissingExtra, StorageError, TolmanError
from tolman.progress import Silent
from tolman.tracking import TensorBoard, Tracking, WeightsAndBiases, tracked


class Kept:
    def __init__(self):
        self.rows = []

    def begin(self, name):
        self.rows.append(name)

    def write(self, values, step):
        self.rows.append((step, values))

    def end(self):
        self.rows.append("end")


class Listening(Silent):
    def __init__(self):
        self.heard = []

    def start(self, stage, total=None):
        self.heard.append((stage, total))

    def advance(self, amount=1.0, **facts):
        self.heard.append((amount, facts))

    def say(self, message):
        self.heard.append(message)


def train_twice(progress):
    progress.start("reading", 2)
    progress.advance(2, documents=2)
    for _ in range(2):
        progress.start("learning", 1.0)
        progress.advance(0.0, objective="masked + causal")
        progress.advance(0.5, step=1, loss=3.5, masked=4.0, causal=3.0)
        progress.advance(0.5, step=2, loss=3.0, quality=0.25, **{"tokens/s": 900})
    progress.start("judging")
    progress.advance(1, step=3, loss=9.0)
    progress.say("done")


EXPECTED = [(1, {"loss": 3.5, "loss/masked": 4.0, "loss/causal": 3.0})]
EXPECTED += [(2, {"loss": 3.0, "quality": 0.25, "tokens/s": 900.0})]


def test_each_training_is_a_run_and_the_watcher_misses_nothing():
    kept, alone, beside = Kept(), Listening(), Listening()
    train_twice(Tracking(beside, [kept], "x"))
    train_twice(alone)
    assert kept.rows == ["x", *EXPECTED, "x-2", *EXPECTED]
    assert beside.heard == alone.heard


def test_tensorboard_reads_what_was_written(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with tracked(name="x", tensorboard=tmp_path / "runs") as progress:
        train_twice(progress)
    for name in ("x", "x-2"):
        events = EventAccumulator(str(tmp_path / "runs" / name))
        events.Reload()
        assert set(events.Tags()["scalars"]) == {"loss", "loss/masked", "loss/causal", "quality", "tokens/s"}
        assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 3.5), (2, 3.0)]
        assert [(event.step, event.value) for event in events.Scalars("quality")] == [(2, 0.25)]


def records(file):
    """Of a file of less than one block of 32 KiB: after a head of 7 bytes each has checksum, length and type."""
    from wandb.proto.wandb_internal_pb2 import Record

    log, place = file.read_bytes(), 7
    assert len(log) < 32_768
    found = []
    while place < len(log):
        length, kind = struct.unpack("<HB", log[place + 4 : place + 7])
        assert kind == 1, "a whole record"
        found.append(Record.FromString(log[place + 7 : place + 7 + length]))
        place += 7 + length
    return found


def whole_records(folder, runs):
    """Of every run: another process writes them, a moment after the run ended."""
    for _ in range(300):
        read = [records(file) for file in sorted(folder.glob("wandb/offline-run-*/*.wandb"))]
        if len(read) == runs and all(run and run[-1].WhichOneof("record_type") == "exit" for run in read):
            return read
        time.sleep(0.1)
    pytest.fail("the runs never ended")


def test_weights_and_biases_keep_what_was_written(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with tracked(name="x", wandb="shelf") as progress:
        train_twice(progress)
    names = []
    for run in whole_records(tmp_path, runs=2):
        names += [(record.run.project, record.run.display_name) for record in run if record.HasField("run")]
        rows = []
        for record in run:
            items = {"".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
            if items:
                rows.append((int(items.pop("_step")), {k: float(v) for k, v in items.items() if not k.startswith("_")}))
        assert rows == EXPECTED
    assert sorted(names) == [("shelf", "x"), ("shelf", "x-2")]


def test_who_is_unknown_to_weights_and_biases_is_told_so(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")

    def refuse():
        raise wandb.errors.UsageError("No API key configured.\nUse `wandb login` to log in.")

    monkeypatch.setattr(wandb, "login", refuse)
    with pytest.raises(TolmanError, match=r"No API key configured\. Use `wandb login` to log in.; or set WANDB_MODE"):
        WeightsAndBiases("shelf")


@pytest.mark.parametrize(
    ("module", "flag", "line"),
    [
        ("tensorboard", "--tensorboard", "error: TensorBoard needs an extra: pip install 'tolman[tensorboard]'"),
        ("wandb", "--wandb", "error: Weights & Biases needs an extra: pip install 'tolman[wandb]'"),
    ],
)
def test_what_is_not_installed_is_said_before_work_starts(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, flag: str, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    outcome = cli("learn", TICKETS, flag, "x")
    assert outcome.code == 1
    assert outcome.stderr.splitlines() == [line]
    assert tree(tmp_path) == {}


def test_a_file_is_no_folder_for_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(StorageError, match="expected a folder"):
        TensorBoard(tmp_path / "runs")
    assert (tmp_path / "runs").read_text() == "mine"


def test_learn_writes_for_tensorboard(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = ("--text", "body", "--title", "subject", "--budget", "2s", "--tensorboard", tmp_path / "runs")
    assert cli("learn", TICKETS, "-o", tmp_path / "t.space", *options).code == 0
    events = EventAccumulator(str(tmp_path / "runs" / "t"))
    events.Reload()
    assert len(events.Scalars("loss")) > 1
    assert events.Scalars("quality")


def test_a_missing_extra_is_an_error_of_ours(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtra) as caught, tracked(wandb="x"):
        pytest.fail("got in")
    assert caught.value.extra == "wandb"
