"""Curves while they grow: what a run tells whoever watches, handed on to TensorBoard or Weights & Biases.

Each training of a run is one of theirs: `NAME`, and where a learner trains several times, `NAME-2` and so on.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tolman.errors import MissingExtra, StorageError, TolmanError
from tolman.progress import Progress, Silent
from tolman.storage import storing

_TRAINING = "learning"  # the stage that `tolman.training` announces
_KNOWN = ("loss", "quality", "tokens/s")  # facts; others are an objective's loss


class Writer(Protocol):
    """Somewhere that curves are kept."""

    def begin(self, name: str) -> None:
        """Another training; ends the one before."""
        ...

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Numbers after so many steps."""
        ...

    def end(self) -> None:
        """No more of it."""
        ...


class TensorBoard:
    """Event files, one folder a training.

    Raises:
        MissingExtra: TensorBoard isn't installed.
        StorageError: the folder is something else.
    """

    def __init__(self, folder: Path | str) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtra("TensorBoard", extra="tensorboard") from error
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise StorageError(f"expected a folder for TensorBoard, {folder} is a file: choose another name")
        self._make = SummaryWriter
        self._open: Any = None

    def begin(self, name: str) -> None:
        """Another training."""
        self.end()
        with storing(f"can't write for TensorBoard to {self.folder}"):
            self._open = self._make(str(self.folder / name))

    def write(self, values: Mapping[str, float], step: int) -> None:
        """One scalar each."""
        for name, value in values.items():
            self._open.add_scalar(name, value, step)

    def end(self) -> None:
        """Everything is on disk afterwards."""
        if self._open:
            self._open.close()
        self._open = None


class WeightsAndBiases:
    """Runs of a project, online or, with WANDB_MODE=offline, in the folder `wandb`.

    Raises:
        MissingExtra: wandb isn't installed.
        TolmanError: it doesn't know who you are.
    """

    def __init__(self, project: str) -> None:
        try:
            import wandb
        except ImportError as error:
            raise MissingExtra("Weights & Biases", extra="wandb") from error
        self.project, self._wandb = project, wandb
        self._open: Any = None
        try:
            wandb.login()
        except wandb.Error as error:
            told = " ".join(str(error).split())
            raise TolmanError(f"Weights & Biases said no: {told}; or set WANDB_MODE=offline") from error

    def begin(self, name: str) -> None:
        """Another training."""
        self.end()
        settings = self._wandb.Settings(console="off")  # bars are drawn on the terminal itself
        self._open = self._wandb.init(project=self.project, name=name, settings=settings)

    def write(self, values: Mapping[str, float], step: int) -> None:
        """One row."""
        self._open.log(dict(values), step=step)

    def end(self) -> None:
        """Everything is handed over afterwards."""
        if self._open:
            self._open.finish()
        self._open = None


class Tracking:
    """A `Progress` that tells another one everything, and writers the numbers of every training."""

    def __init__(self, watcher: Progress, writers: Sequence[Writer], name: str) -> None:
        self.watcher, self.writers, self.name = watcher, writers, name
        self._trainings = 0
        self._training = False

    def start(self, stage: str, total: float | None = None) -> None:
        """A stage; training begins a run at each writer."""
        self.watcher.start(stage, total)
        self._training = stage == _TRAINING
        if self._training:
            self._trainings += 1
            for writer in self.writers:
                writer.begin(self.name if self._trainings == 1 else f"{self.name}-{self._trainings}")

    def advance(self, amount: float = 1.0, **facts: float | str) -> None:
        """Facts that are numbers are written, if a step is among them."""
        self.watcher.advance(amount, **facts)
        step = facts.get("step")
        if self._training and isinstance(step, int):
            values = {_tag(name): float(fact) for name, fact in facts.items() if not isinstance(fact, str)}
            for writer in self.writers:
                writer.write({name: value for name, value in values.items() if name != "step"}, step)

    def say(self, message: str) -> None:
        """For the other one only."""
        self.watcher.say(message)


@contextmanager
def tracked(
    progress: Progress | None = None,
    *,
    name: str = "run",
    tensorboard: str | Path | None = None,
    wandb: str | None = None,
) -> Iterator[Progress]:
    """A `Progress` for `learn` that also writes losses and held-out quality where experiments are kept.

    Args:
        progress: who watches besides; nobody when None.
        name: of the run.
        tensorboard: folder for TensorBoard's event files.
        wandb: project at Weights & Biases.

    Raises:
        MissingExtra: one that was asked for isn't installed.
        StorageError: the folder for TensorBoard is a file.
        TolmanError: Weights & Biases doesn't know who you are.
    """
    writers: list[Writer] = [TensorBoard(tensorboard)] if tensorboard is not None else []
    writers += [WeightsAndBiases(wandb)] if wandb is not None else []
    try:
        yield Tracking(progress or Silent(), writers, name)
    finally:
        for writer in writers:
            writer.end()


def _tag(fact: str) -> str:
    return fact if fact in (*_KNOWN, "step") else f"loss/{fact}"
