import json
from dataclasses import asdict, fields, replace
from itertools import pairwise

import numpy as np
import pytest
from conftest import TICKETS, Cli
from test_scratch import SHORT, corpus, learn

from tolman import scratch
from tolman.errors import TolmanError
from tolman.halving import candidates, certainty, rungs
from tolman.plan import Plan
from tolman.progress import Silent
from tolman.recipe import ScratchRecipe
from tolman.recipe_file import read_recipe, write_recipe


def test_candidates_come_once_with_the_usual_steps_and_never_favour_spans():
    usual = ScratchRecipe.derive(1_000)
    found = list(candidates(usual, seed=0))
    assert len(set(found)) == len(found)
    assert usual not in found
    assert {recipe.steps for recipe in found} == {usual.steps}
    assert min(recipe.heads_share for recipe in found) >= usual.heads_share
    assert sum(getattr(found[0], f.name) != getattr(usual, f.name) for f in fields(usual)) == 1


@pytest.mark.parametrize("affordable", [0, 50, 96, 200, 1_000, 5_000])
def test_rungs_fit_and_more_time_buys_more(affordable):
    built = rungs(96, affordable)
    assert sum(rung.candidates * rung.steps for rung in built) <= affordable
    assert bool(built) == (affordable >= 96)
    for lower, upper in pairwise(built):
        assert upper.steps == 3 * lower.steps
        assert upper.candidates == max(1, lower.candidates // 3)


@pytest.mark.parametrize("judged", [0, 1, 5, 20])
def test_no_more_is_tried_than_there_is_time_to_judge(judged):
    built = rungs(96, 50_000, judged)
    assert sum(rung.candidates for rung in built) <= judged
    assert bool(built) == (judged >= 1)


def test_a_clear_winner_is_certain_and_noise_is_not():
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 1, (2, 300)).astype(np.float32)
    clear = certainty(np.stack([noise[0], noise[0] + 1]), 1, 0, seed=0)
    assert clear.best == 1.0
    assert clear.regret == 0.0
    assert clear.lead == pytest.approx(1.0, abs=1e-6)
    assert clear.error == pytest.approx(0.0, abs=1e-6)
    unsure = certainty(noise - noise.mean(axis=1, keepdims=True), 0, 1, seed=0)
    assert 0.3 < unsure.best < 0.7
    assert unsure.regret > 0


def test_halving_tries_many_drops_their_tables_and_is_repeated_bit_for_bit():
    seen = []
    one, two = (learn(*corpus(), recipe=SHORT, search="halving", watch=seen.append) for _ in range(2))
    assert len(one.trials) > 5
    assert one.trials[0].recipe == replace(SHORT, dim=one.trials[0].recipe.dim)
    assert one.best.encoder is not None
    assert all(trial.encoder is None for trial in one.trials if trial.recipe != one.trials[0].recipe)
    assert all(trial.encoder is not None for trial in seen)
    assert set(one.choice) == {"best", "lead", "error", "regret"}
    assert 0 < one.judging < 30
    assert {t.recipe for t in one.trials[:5]} == {t.recipe for t in two.trials[:5]}


def test_what_the_clock_ends_counts_with_the_steps_that_it_took(monkeypatch):
    """The third trial's budget is over after two of its steps."""
    real, tries = scratch.train, []

    def short(*arguments, **options):
        tries.append(arguments)
        if len(tries) == 3:
            schedule = replace(arguments[2], steps=2)
            arguments = (*arguments[:2], schedule, *arguments[3:])
        return real(*arguments, **options)

    monkeypatch.setattr(scratch, "train", short)
    steps = [trial.recipe.steps for trial in learn(*corpus(), recipe=SHORT, search="halving").trials]
    assert steps[2] == 2
    assert 2 not in steps[:2]


def test_a_run_that_went_astray_is_no_candidate(monkeypatch):
    real, tries = scratch.train, []

    def astray(*arguments, **options):
        tries.append(real(*arguments, **options))
        return replace(tries[-1], diverged=True) if len(tries) == 3 else tries[-1]

    monkeypatch.setattr(scratch, "train", astray)
    trials = learn(*corpus(), recipe=SHORT, search="halving").trials
    assert len(trials) == len(tries) - 1
    assert not any(trial.run.diverged for trial in trials)


class Killed(BaseException):
    pass


def test_halving_goes_on_after_a_kill_with_what_was_tried(tmp_path):
    before, after = [], []

    def kill_at_the_fourth(trial):
        before.append(trial)
        if len(before) == 4:
            raise Killed

    with pytest.raises(Killed):
        learn(*corpus(), recipe=SHORT, search="halving", checkpoint=tmp_path, watch=kill_at_the_fourth)
    learn(*corpus(), recipe=SHORT, search="halving", checkpoint=tmp_path, watch=after.append)
    assert len(after) > 4
    for one, other in zip(before, after, strict=False):
        assert (one.recipe, other.run.resumed) == (other.recipe, (one.run.steps,))
        np.testing.assert_array_equal(one.encoder.table_VD, other.encoder.table_VD)


def test_the_chosen_recipe_alone_gives_the_same_encoder():
    whole = learn(*corpus(), recipe=SHORT, search="halving")
    again = learn(*corpus(), recipe=whole.best.recipe, search="none")
    assert len(again.trials) == 1
    if whole.best.recipe.dim == SHORT.dim:  # a start of fewer dimensions is found by other random projections
        assert again.best.encoder.fingerprint == whole.best.encoder.fingerprint


class Listening(Silent):
    said = ""

    def say(self, message):
        self.said += message + "\n"


def test_without_time_or_questions_the_usual_recipe_stays_and_the_run_says_why():
    listener = Listening()
    assert (
        len(
            learn(
                *corpus(), recipe=replace(SHORT, steps=10_000), seconds=2.0, search="halving", progress=listener
            ).trials
        )
        == 1
    )
    assert "give more to choose" in listener.said
    short = ["", "", ""] * 50, [f"a lamp {i} is broken" for i in range(150)]
    assert len(learn(*short, recipe=SHORT, search="halving", progress=listener).trials) == 1
    assert "nothing to choose by" in listener.said


def test_a_recipe_comes_back_from_its_file(tmp_path):
    write_recipe(tmp_path / "deep" / "r.json", SHORT, {"why": "test"})
    assert read_recipe(tmp_path / "deep" / "r.json") == SHORT
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["r.json"]


def damaged(**changes):
    return json.dumps({"tolman recipe": 1, "recipe": asdict(SHORT) | changes, "report": {}})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "no readable recipe"),
        ("[]", "no recipe of ours"),
        ('{"tolman recipe": 2}', "version 2"),
        ('{"tolman recipe": 1}', "damaged"),
        (damaged(dim="big"), "dim"),
        (damaged(steps=0), "steps"),
        (damaged(steps=True), "steps"),
        (damaged(temperature=float("nan")), "temperature"),
        (damaged(document_dropout=1.0), "document_dropout"),
        (damaged(unknown=1), "damaged"),
    ],
)
def test_other_files_are_refused_in_one_line_before_anything_starts(cli: Cli, tmp_path, content, told):
    (tmp_path / "r.json").write_text(content)
    outcome = cli("learn", TICKETS, "--recipe", tmp_path / "r.json", "-o", tmp_path / "x.space")
    assert outcome.code == 1
    assert outcome.stderr.startswith("error: ")
    assert told in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert not (tmp_path / "x.space").exists()


def test_dials_that_a_recipe_does_not_go_with(tmp_path):
    write_recipe(tmp_path / "r.json", SHORT, {})
    assert Plan.parse("scratch", None, None, None, str(tmp_path / "r.json")).recipe == SHORT
    assert Plan.parse("scratch", None, "tiny", None, "auto").recipe == "auto"
    for base, objectives, size, recipe in (
        ("transformer", None, None, "auto"),
        ("minilm", None, None, "auto"),
        ("scratch", "none", None, "auto"),
        ("scratch", None, "tiny", tmp_path / "r.json"),
        ("scratch", None, None, tmp_path / "none.json"),
    ):
        with pytest.raises(TolmanError, match="recipe"):
            Plan.parse(base, objectives, size, None, recipe)


def test_tune_prints_a_table_and_learn_takes_the_file(cli: Cli, tmp_path):
    path = tmp_path / "recipe.json"
    outcome = cli("tune", TICKETS, "--text", "body", "--title", "subject", "--budget", "6s", "-o", path)
    assert outcome.code == 0, outcome.stderr
    lines = outcome.stdout.splitlines()
    assert lines[0].split()[:2] == ["dim", "temperature"]
    assert sum(line.startswith("*") for line in lines) == 1
    assert "static encoder" in outcome.stderr
    learned = cli(
        *("learn", TICKETS, "--text", "body", "--title", "subject", "--recipe", path, "--budget", "20s"),
        *("-o", tmp_path / "t.space", "--seed", "1"),
    )
    assert learned.code == 0, learned.stderr
    stored = json.loads((tmp_path / "t.space" / "space.json").read_text())["recipe"]
    assert stored["scratch"]["temperature"] == read_recipe(path).temperature
    assert len(stored["trials"]) == 1


def test_tune_replaces_nothing_but_recipes_and_says_so_before_it_begins(cli: Cli, tmp_path):
    held = tmp_path / "tickets.csv"
    held.write_text(TICKETS.read_text())
    (tmp_path / "folder").mkdir()
    for name in ("tickets.csv", "folder", "tickets.csv/recipe.json"):
        outcome = cli("tune", str(held), "--budget", "1h", "-o", str(tmp_path / name))
        assert (outcome.code, outcome.stdout, len(outcome.stderr.splitlines())) == (1, "", 1)
    assert held.read_text() == TICKETS.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "tickets.csv"]


def test_tune_speaks_json_and_refuses_what_cannot_be_tuned(cli: Cli):
    outcome = cli("tune", TICKETS, "--text", "body", "--title", "subject", "--budget", "2s", "--json")
    assert set(json.loads(outcome.stdout)) == {"recipe", "trials", "certainty", "blend", "judging_seconds"}
    refused = cli("tune", TICKETS, "--base", "minilm")
    assert (refused.code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: tune chooses a recipe for a static encoder")
