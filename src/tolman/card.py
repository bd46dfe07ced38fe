"""card.md: what a space or a model is, how good, what it cost, how to use it, for people who weren't there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tolman.cost import Cost
from tolman.prediction import show_flops
from tolman.space.description import SpaceDescription

LOADING = {
    "static": "SentenceTransformer({folder!r}, trust_remote_code=True)  # its module lies in the folder, read it",
    "blended": "SentenceTransformer({folder!r}, trust_remote_code=True)  # its module lies in the folder, read it",
    "transformer": "SentenceTransformer({folder!r})",
}
TRIALS = "trials"  # in the recipe: what was tried, one entry a recipe
DISTILLATION = "distillation"  # in the recipe: what a distilled encoder lost
PRETRAINED = "pretrained"  # in the recipe: the model that others made
RECIPE = {
    "plan: learner": "learner",
    "plan: pretrained": "pretrained model",
    "plan: objectives": "objectives and their weights",
    "plan: size": "size asked for",
}
MEASURED_ON = ("questions", "documents", "confidence_calibration_error")
OF_SEARCHING = ("bm25", "hybrid", "confidence_calibration_error")
MEASURES = {
    "bm25": "words alone (BM25)",
    "start": "the learned encoder at its start (LSA)",
    "learned": "the learned encoder at its end",
    "pretrained": "the pretrained encoder alone",
    "teacher": "the encoder that it was distilled from",
    "dense": "the encoder of this space (meaning alone)",
    "hybrid": "both, weighted as in this space",
}
LOST = {
    "teacher_ndcg": "nDCG@10 of the teacher",
    "student_ndcg": "nDCG@10 of this encoder",
    "kept": "share kept",
    "spearman": "Spearman of the similarities of questions and documents",
    "shared_nearest": "share of the ten nearest documents of a question that both agree on",
}
LIMITS = {
    "static": (
        "It knows the words of the corpus it was learned on. Words that never occur there have no meaning here, nor "
        "does word order.",
        "It was learned on one corpus; on text of another kind expect less.",
    ),
    "transformer": ("It was trained by others on other text; what they chose and left out is in it.",),
    "fresh": ("It was learned on one corpus and knows nothing else; on text of another kind expect less.",),
    "blended": (
        "It is two encoders side by side: one learned on this corpus, one trained by others on other text; "
        "the limits of both apply.",
    ),
}
MEASURED_BY = (
    "Quality was measured on questions cut out of the corpus itself, not on judgments of people: it ranks choices "
    "well, its level is not comparable with benchmarks.",
    "Confidence is calibrated on such questions too. Of questions of another kind it knows less than it says.",
)
ALWAYS = ("Nobody has looked for bias in it yet.",)


def render_card(name: str, description: SpaceDescription, drawn: Sequence[str] = ()) -> str:
    """The card of the space `name` as Markdown; `drawn` are files beside it that show how it learned."""
    sections = (
        f"# {name}\n",
        _corpus(description),
        _encoder(description),
        _curves(drawn),
        _trials(description),
        _distillation(description),
        _quality(description),
        _search(description),
        _cost(description),
        _elsewhere(name, description),
        _limits(description),
    )
    return "\n".join(section for section in sections if section)


def render_model_card(name: str, description: SpaceDescription, drawn: Sequence[str] = ()) -> str:
    """The card of a model that is kept without a space, as Markdown; of `description` all but search counts. `drawn` as
    for `render_card`."""
    sections = (
        f"# {name}\n",
        _corpus(description, searched=False),
        _encoder(description),
        _trials(description),
        _curves(drawn),
        _model_quality(description),
        _cost(description),
        _section("Using it", f"```python\n{_model_use(name, description)}\n```"),
        _limits(description, MEASURED_BY[:1] if description.quality else ()),
    )
    return "\n".join(section for section in sections if section)


def _model_quality(description: SpaceDescription) -> str:
    """What was measured of vectors; nothing is known of search, and a causal model gives none."""
    measured = {name: value for name, value in description.quality.items() if name not in OF_SEARCHING}
    if description.encoder.family == "causal":
        told = "`tolman evaluate MODEL --text FILE` measures it on text that it hasn't seen."
        return _section("Quality", f"It guesses tokens and gives no vectors. {told}")
    return _quality(replace(description, quality=measured)).replace(MEASURES["dense"], "the encoder (meaning alone)")


def _model_use(name: str, description: SpaceDescription) -> str:
    encoder, learned = description.encoder, (description.recipe.get("plan") or {}).get("objectives") or {}
    parts, family = [], encoder.family
    if family != "causal":
        load = LOADING.get(family, LOADING["transformer"]).format(folder=name)
        parts.append(
            f"from sentence_transformers import SentenceTransformer  # pip install sentence-transformers\n\n"
            f'model = {load}\nmodel.encode(["your text"])            # (1, {encoder.dim}), unit length'
        )
    if family == "transformer" and "masked" in learned:
        parts.append(
            f"from transformers import AutoModelForMaskedLM\n\nguesser = AutoModelForMaskedLM.from_pretrained({name!r})"
        )
    if family == "causal" or {"causal", "autoencoding"} & set(learned):
        where = repr(name) if family == "causal" else f'{name!r}, subfolder="causal"'
        parts.append(
            f"from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            f"tokenizer = AutoTokenizer.from_pretrained({where})\n"
            f"writer = AutoModelForCausalLM.from_pretrained({where})\n"
            f'begun = tokenizer("The first words", return_tensors="pt")\n'
            f"tokenizer.decode(writer.generate(**begun, max_new_tokens=30)[0])"
        )
    return "\n\n".join(parts)


def _corpus(description: SpaceDescription, *, searched: bool = True) -> str:
    corpus = description.corpus
    facts = {
        "source": corpus.source,
        "documents when it was learned": corpus.documents,
        "language of the words index": (corpus.language or "none assumed") if searched else None,
        "fingerprint": f"`{corpus.fingerprint[:16]}`",
    }
    return _section("Corpus", _table({label: value for label, value in facts.items() if value is not None}))


def _encoder(description: SpaceDescription) -> str:
    encoder = description.encoder
    facts = {
        "family": encoder.family,
        "dimensions": encoder.dim,
        "fingerprint": f"`{encoder.fingerprint[:16]}`",
        "made from": _made_from(description),
    }
    recipe = {
        name: value for name, value in description.recipe.items() if name not in (PRETRAINED, TRIALS, DISTILLATION)
    }
    return _section("Encoder", _table(facts | {RECIPE.get(name, name): value for name, value in flat(recipe)}))


def _curves(drawn: Sequence[str]) -> str:
    """Pictures first, then what opens in a browser."""
    shown = [f"![loss and held-out quality over time]({name})" for name in drawn if name.endswith(".png")]
    shown += [
        f"[{name}]({name}): the same with the numbers of every moment" for name in drawn if name.endswith(".html")
    ]
    return _section("How it learned", "\n\n".join(shown)) if shown else ""


def _trials(description: SpaceDescription) -> str:
    """The recipes that were tried, if it was more than one."""
    trials = description.recipe.get(TRIALS) or []
    if len(trials) < 2:
        return ""
    names = ("temperature", "steps", "grade", "ndcg")
    shown = [["-" if trial.get(name) is None else show_value(trial[name]) for name in names] for trial in trials]
    rows = [f"| {' | '.join(cells)} |" for cells in shown]
    head = "| temperature | steps | judge's grade | nDCG@10 |\n|---|---|---|---|\n"
    return _section("Recipes that were tried", head + "\n".join(rows))


def _distillation(description: SpaceDescription) -> str:
    """What a distilled encoder lost against its teacher."""
    lost = description.recipe.get(DISTILLATION)
    if lost is None:
        return ""
    if not lost:
        return _section("What distilling lost", "Not measured: the documents gave no questions to measure with.")
    rows = {LOST.get(name, name): value for name, value in lost.items()}
    told = "The teacher and this encoder were asked the same questions, which this one had not learned from.\n\n"
    return _section("What distilling lost", told + _table(rows))


def _made_from(description: SpaceDescription) -> str:
    model, plan = (description.recipe.get(name) or {} for name in (PRETRAINED, "plan"))
    if not description.parents:
        return "nothing but the corpus" if plan.get("learner") or plan.get("scratch") else "not recorded"
    named = {model.get("fingerprint"): f"{model.get('name')} (licence: {model.get('licence') or 'not stated'})"}
    learned = "an encoder learned from the corpus" if model else "an encoder"
    if DISTILLATION in description.recipe:
        learned = f"distilled from the {description.recipe['teacher']['family']} encoder"
        named = {parent: f"distilled from {name}" for parent, name in named.items()}
    return " and ".join(f"{named.get(parent, learned)} `{parent[:16]}`" for parent in description.parents)


def _quality(description: SpaceDescription) -> str:
    quality = dict(description.quality)
    if not quality:
        return _section("Quality", "Not measured: the corpus gave no questions to measure with.")
    questions, documents, error = (quality.pop(name, None) for name in MEASURED_ON)
    lines = [
        f"nDCG@10 on {show_value(questions)} questions cut out of the corpus before anything was learned,",
        f"each to be answered by its own document among {show_value(documents)}:\n",
        _table({MEASURES.get(name, name): value for name, value in flat(quality)}),
    ]
    if error is not None:
        lines.append(f"\nConfidence is off by {show_value(error)} in the mean (expected calibration error).")
    return _section("Quality", "\n".join(lines))


def _search(description: SpaceDescription) -> str:
    search = description.search
    facts = {
        "weight of words (BM25) beside meaning": search.lexical_weight,
        "confidence": "calibrated on this corpus" if search.confidence else "none",
        "dense index": search.index,
    }
    return _section("Search", _table(facts))


def _cost(description: SpaceDescription) -> str:
    return _section("Cost of learning", _table(show_cost(Cost.from_json(description.cost)))) if description.cost else ""


def _elsewhere(name: str, description: SpaceDescription) -> str:
    load = LOADING.get(description.encoder.family, LOADING["transformer"]).format(folder=f"{name}/encoder")
    return _section(
        "Using it elsewhere",
        f"""```python
import tolman

space = tolman.open_space({name!r})
space.search("your question", k=5)
space.vectors()                        # numpy, float32, (documents, {description.encoder.dim}), unit length
space.table(["id", "title"])           # Arrow; .to_pandas() from there, with pandas installed

from sentence_transformers import SentenceTransformer  # pip install sentence-transformers

model = {load}
model.encode(["your text"])            # the same vectors, but for rounding
```""",
    )


def _limits(description: SpaceDescription, measured_by: Sequence[str] = MEASURED_BY) -> str:
    family = description.encoder.family
    fresh = family in ("transformer", "causal") and not description.parents
    limits = (*LIMITS.get("fresh" if fresh else family, ()), *measured_by, *ALWAYS)
    return _section("Limits", "\n".join(f"- {limit}" for limit in limits))


def show_quality(quality: Mapping[str, Any]) -> str:
    """What was measured, in one line."""
    if not quality:
        return "not measured"
    measured = ", ".join(f"{name} {show_value(value)}" for name, value in quality.items() if name not in MEASURED_ON)
    return f"{measured} (nDCG@10 on {show_value(quality.get('questions'))} questions cut out of the corpus)"


def show_cost(cost: Cost) -> dict[str, str]:
    """A cost in words and units that people use; what was predicted of it beside."""
    told = _measured(cost)
    predicted = cost.predicted or {}
    if work := cost.work:
        told |= {"training steps": f"{work['steps']:,}", "tokens learned from": f"{work['tokens']:,}"}
        told |= {"floating-point operations": show_flops(work["flops"])} if work["flops"] else {}
    if predicted:
        told["predicted wall time"] = f"{predicted['wall_seconds']:.1f} s"
        told["predicted peak memory"] = f"{predicted['peak_bytes'] / 2**20:,.0f} MiB"
    if work := predicted.get("work"):
        told["predicted training"] = f"{work['steps']:,} steps, {work['tokens']:,} tokens, {show_flops(work['flops'])}"
    return told


def _measured(cost: Cost) -> dict[str, str]:
    return {
        "wall time": f"{cost.wall_seconds:.1f} s",
        "CPU time": f"{cost.cpu_seconds:.1f} s",
        "peak memory": f"{cost.peak_bytes / 2**20:,.0f} MiB",
        "energy": f"{cost.energy_joules / 3600:.2g} Wh ({cost.energy_method})",
    }


def show_value(value: Any) -> str:
    """A number with about three digits, a truth value as a word, anything else as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 0.1 else f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(map(show_value, value))
    return str(value)


def flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested mappings as one, `blend: weight`, without what is None."""
    for name, value in values.items():
        label = f"{before}{str(name).replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{label}: ")
        elif value is not None and value != []:
            yield label, value


def _section(heading: str, body: str) -> str:
    return f"## {heading}\n\n{body}\n"


def _table(facts: Mapping[str, Any]) -> str:
    rows = (f"| {label} | {_cell(show_value(value))} |" for label, value in facts.items())
    return "\n".join(("| | |", "|---|---|", *rows))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
