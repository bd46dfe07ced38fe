"""`tune`: which recipe a static encoder should be learned with on a corpus, chosen without labels."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tolman.corpus.reading import read_corpus
from tolman.cost import Stopwatch
from tolman.errors import TolmanError
from tolman.learning import Source, parse_dials, require_documents
from tolman.making import Maker
from tolman.plan import Plan, load_pretrained
from tolman.progress import Progress, Silent
from tolman.recipe import ScratchRecipe
from tolman.recipe_file import write_recipe

_SHOWN = ("dim", "temperature", "document_dropout", "heads_share", "rate", "steps")


@dataclass(frozen=True)
class Tuning:
    """What `tune` found.

    Attributes:
        recipe: the chosen one.
        trials: every recipe that was tried, the usual one first: its numbers, the judge's `grade` and, for people,
            nDCG@10 on the judge's questions.
        certainty: how sure the choice is: `best` (how often it is the best when the judge's documents are drawn anew),
            `lead` over the usual recipe with its standard `error`, and the `regret` to be expected, all in grades; None
            where there was nothing to choose by.
        blend: weight beside the pretrained model of the base; None without one.
        judging_seconds: that the judge took, of the budget.
    """

    recipe: ScratchRecipe
    trials: tuple[Mapping[str, Any], ...]
    certainty: Mapping[str, float] | None
    blend: float | None
    judging_seconds: float

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    def write(self, path: str | Path) -> None:
        """A file that `learn(..., recipe=path)` takes.

        Raises:
            TolmanError: something else than a recipe is there.
            StorageError: the disk refuses.
        """
        report = {name: value for name, value in self.to_json().items() if name != "recipe"}
        write_recipe(Path(path), self.recipe, report)


def tune(
    source: Source,
    *,
    base: str | Path = "scratch",
    budget: str | float = "60s",
    seed: int = 0,
    text: str | None = None,
    title: str | None = None,
    id: str | None = None,
    label: str | None = None,
    progress: Progress | None = None,
) -> Tuning:
    """Choose a recipe by successive halving, judged on questions cut out of the corpus itself; nothing is kept on disk.

    Args:
        source: what `read_corpus` takes, or a Corpus.
        base: "scratch" or "scratch+MODEL".
        budget: time for all trials.
        seed: of every draw.
        text, title, id, label: columns of the source; guessed when None. Labels are never looked at.
        progress: who watches; nobody when None.

    Raises:
        TolmanError: what `learn` would refuse, or a base that has no static encoder to learn.
    """
    watch = Stopwatch(progress or Silent())
    require_static(str(base))
    dials = {"base": base, "objectives": None, "size": None, "budget": budget, "steps": None, "recipe": "auto"}
    plan, seconds, seed = parse_dials(dials | {"seed": seed})
    model = load_pretrained(plan, watch)
    corpus = require_documents(read_corpus(source, text=text, title=title, id=id, label=label, progress=watch))
    with TemporaryDirectory(prefix="tolman-tune-") as folder:
        pretrained = model.encoder if model else None
        made = Maker(corpus, plan, pretrained, seconds=seconds, seed=seed, workshop=Path(folder), progress=watch).make()
    return _tuning(plan, made.recipe)


def require_static(base: str) -> None:
    """Refuse a base that has no static encoder to choose a recipe for.

    Raises:
        TolmanError: it is a transformer, or a model as others made it.
    """
    if Plan.parse(base, None, None).learner != "static":
        raise TolmanError(
            f"tune chooses a recipe for a static encoder: expected base scratch or scratch+MODEL, got {base}"
        )


def _tuning(plan: Plan, found: Mapping[str, Any]) -> Tuning:
    blend = (found.get("blend") or {}).get("weight") if plan.pretrained else None
    return Tuning(
        ScratchRecipe(**found["scratch"]),
        tuple(found["trials"]),
        found.get("certainty"),
        blend,
        found["judging_seconds"],
    )


def show_tuning(tuning: Tuning) -> Iterator[tuple[str, ...]]:
    """Columns for people: best grade first, the chosen recipe marked."""
    yield ("", *_SHOWN, "grade", "nDCG@10")
    chosen = asdict(tuning.recipe)
    for trial in sorted(tuning.trials, key=lambda trial: _number(trial["grade"]), reverse=True):
        mark = "*" if all(trial[name] == chosen[name] for name in _SHOWN) else ""
        numbers = (f"{trial[name]:.4g}" for name in _SHOWN)
        yield (mark, *numbers, *("-" if trial[k] is None else f"{trial[k]:.4f}" for k in ("grade", "ndcg")))


def explain_choice(tuning: Tuning) -> str:
    """How sure it is, in a line."""
    sure = tuning.certainty
    if sure is None:
        return "the usual recipe: there was nothing to choose by, or no time for others"
    draws = f"best in {sure['best']:.0%} of draws, regret to be expected {sure['regret']:.4f} of grade"
    if sure["lead"] == 0:
        return f"the usual recipe stays: no other led it beyond noise; {draws}"
    return f"the usual recipe is left; lead {sure['lead']:+.4f} (standard error {sure['error']:.4f}), {draws}"


def _number(grade: float | None) -> float:
    return -1.0 if grade is None else grade
