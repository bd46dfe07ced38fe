from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_encoder

import tolman
from tolman import learning, making
from tolman.cli.watching import progress_on_stderr
from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.errors import BudgetError, ModelError, SourceError, SpaceError, StorageError, TolmanError
from tolman.learning import learn
from tolman.progress import Silent
from tolman.space.space import LatentSpace, open_space
from tolman.space.staging import Staging

WORDS = [
    "river",
    "bank",
    "loan",
    "engine",
    "wing",
    "storm",
    "harvest",
    "violin",
    "copper",
    "lemon",
    "glacier",
    "senate",
]


def small_corpus():
    return Corpus.from_documents(Document(row["id"], row["text"]) for row in documents(5))


def documents(count=120):
    generator = np.random.default_rng(0)
    for i in range(count):
        body = " ".join(f"Of {WORDS[i % 12]} and {' '.join(generator.choice(WORDS, 5))} {i}." for _ in range(4))
        yield {"id": str(i), "title": f"about {WORDS[i % 12]} {i}", "text": body, "year": 2000 + i % 20}


def test_a_learned_space_is_whole(tmp_path):
    space = learn(list(documents()), tmp_path / "x.space", budget="5s")
    assert len(space) == 120
    assert space.search("violin", k=3, where="year >= 2005")
    description = open_space(tmp_path / "x.space").description
    assert {"dense", "bm25", "hybrid", "confidence_calibration_error"} <= set(description.quality)
    assert description.search.confidence is not None
    assert description.cost["wall_seconds"] > 0
    card, page = ((tmp_path / "x.space" / name).read_text() for name in ("card.md", "learning.html"))
    assert card.startswith("# x.space")
    assert "](learning.html)" in card
    assert "nats" in page
    assert f"<td>0</td><td>0.0</td><td></td><td>{description.quality['start']:.3f}</td>" in page  # the start
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.space"]


@pytest.mark.parametrize("source", [["only one document here"], ["the same text"] * 5])
def test_one_document_is_too_few(tmp_path, source):
    with pytest.raises(SourceError, match="at least 2 different documents"):
        learn(source, tmp_path / "x.space")
    assert not list(tmp_path.iterdir())


def test_few_documents_are_learned_without_a_judge(tmp_path):
    space = learn(list(documents(5)), tmp_path / "x.space", budget="2s")
    assert len(space) == 5
    assert space.description.search.confidence is None
    assert space.search("river")[0].confidence is None


def test_documents_too_short_to_learn_by_keep_the_start(tmp_path, capsys):
    with progress_on_stderr() as progress:
        space = learn(["5", '["a","b"]', '{"a":1}'], tmp_path / "x.space", budget="5s", progress=progress)
    assert "too short to learn by" in capsys.readouterr().err
    assert (space.description.recipe["run"], space.description.recipe["chosen"]) == (None, "start")
    assert not (space.path / "learning.html").exists()
    assert space.search("a b")[0].id == space.table(["id", "text"]).to_pylist()[1]["id"]


@pytest.mark.parametrize("seed", [-1, 2**32, "a", 1.5, None])
def test_a_seed_is_a_whole_number_that_generators_take(tmp_path, seed):
    with pytest.raises(TolmanError, match=r"from 0 to 4294967295, got"):
        learn(list(documents()), tmp_path / "x.space", seed=seed)
    assert not list(tmp_path.iterdir())


def test_a_seed_may_be_of_numpy_and_a_base_a_path(tmp_path):
    (tmp_path / "model").mkdir()
    tiny_encoder().save(tmp_path / "model")
    space = learn(list(documents(5)), tmp_path / "x.space", base=tmp_path / "model", seed=np.int64(3))
    assert space.description.recipe["seed"] == 3


@pytest.mark.parametrize("path", [None, 5, ""])
def test_a_space_needs_a_path(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    for make in (
        lambda: learn(list(documents()), path, budget="1s"),
        lambda: LatentSpace.create(path, small_corpus(), tiny_encoder()),
        lambda: open_space(path),
    ):
        with pytest.raises(SpaceError, match="expected the path of a space, got"):
            make()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("prefix", ["", "scratch+"])
def test_a_space_is_no_base_but_its_encoder_is(tmp_path, prefix):
    made = tmp_path / "made.space"
    LatentSpace.create(made, small_corpus(), tiny_encoder())
    with pytest.raises(ModelError, match=rf"is a space, expected a model: give its encoder, {made}/encoder$"):
        learn(list(documents()), tmp_path / "x.space", base=f"{prefix}{made}", budget="1s")
    assert [path.name for path in tmp_path.iterdir()] == ["made.space"]


@pytest.mark.parametrize("budget", [0, -1.0, float("nan"), float("inf"), None, True])
def test_a_budget_is_a_number_above_zero(tmp_path, budget):
    with pytest.raises(BudgetError, match="above zero"):
        learn(list(documents()), tmp_path / "x.space", budget=budget)


def test_another_process_is_named_by_the_space_it_makes(tmp_path):
    with (
        Staging(tmp_path / "x.space.learning", {}),
        pytest.raises(SpaceError, match=r"another process is making \S*/x\.space: "),
    ):
        learn(list(documents()), tmp_path / "x.space", budget="1s")


def test_what_is_not_a_space_is_not_touched_and_nothing_is_learned(tmp_path, monkeypatch):
    monkeypatch.setattr(learning, "read_corpus", lambda *_, **__: pytest.fail("read before looking"))
    (tmp_path / "x.space").write_text("mine")
    with pytest.raises(SpaceError, match="not a space"):
        learn("tickets.csv", tmp_path / "x.space")
    assert (tmp_path / "x.space").read_text() == "mine"


def test_what_is_in_the_way_is_said_before_anything_is_learned(tmp_path, monkeypatch):
    monkeypatch.setattr(learning, "read_corpus", lambda *_, **__: pytest.fail("read before looking"))
    (tmp_path / "x.space.partial").mkdir()
    (tmp_path / "x.space.partial" / "thesis.txt").write_text("mine")
    with pytest.raises(SpaceError, match=r"x\.space\.partial is in the way"):
        learn("tickets.csv", tmp_path / "x.space")
    assert [file.name for file in tmp_path.rglob("*")] == ["x.space.partial", "thesis.txt"]


def test_a_run_killed_while_building_does_not_learn_again(tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    corpus, path = list(documents()), tmp_path / "x.space"
    with monkeypatch.context() as patch:
        patch.setattr(LatentSpace, "create", killed)
        with pytest.raises(KeyboardInterrupt):
            learn(corpus, path, budget="5s")
    assert not path.exists()
    monkeypatch.setattr("tolman.scratch.learn_scratch", lambda *_, **__: pytest.fail("learned again"))
    assert len(learn(corpus, path, budget="5s")) == 120
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.space"]


@pytest.mark.parametrize("base", ["no-such-model", "scratch+no-such-model", "scratch+."])
def test_a_base_that_cannot_be_had_costs_no_learning(tmp_path, monkeypatch, base):
    monkeypatch.chdir(tmp_path)  # a folder, but without a model
    monkeypatch.setattr(learning, "read_corpus", lambda *_, **__: pytest.fail("read before looking"))
    with pytest.raises(ModelError):
        learn("tickets.csv", tmp_path / "new" / "x.space", base=base)
    assert not list(tmp_path.iterdir())


def refusing(error):
    def refuse(*_, **__):
        raise error

    return refuse


def test_an_error_leaves_nothing_behind_not_even_folders_above(tmp_path, monkeypatch):
    monkeypatch.setattr(LatentSpace, "create", refusing(SpaceError("somebody put something there")))
    with pytest.raises(SpaceError):
        learn(list(documents()), tmp_path / "new" / "deep" / "x.space", budget="1s")
    assert not list(tmp_path.iterdir())


def test_what_was_learned_outlasts_a_full_disk(tmp_path, monkeypatch):
    """Room made, the same command takes it from there and learns nothing anew."""
    path = tmp_path / "x.space"
    with monkeypatch.context() as full:
        full.setattr(LatentSpace, "create", refusing(StorageError("can't write: No space left on device")))
        with pytest.raises(StorageError, match=r"No space left.*the same command goes on"):
            learn(list(documents()), path, budget="1s")
    assert not path.exists()
    monkeypatch.setattr(making, "LEARNERS", {})
    learn(list(documents()), path, budget="1s")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.space"]


def test_the_package_learns(tmp_path: Path):
    assert tolman.learn is learn


class Listening(Silent):
    said = ""

    def say(self, message):
        self.said += message


def test_questions_that_nothing_answers_give_no_confidence(tmp_path):
    """Titles that have nothing to do with their texts."""
    random = np.random.default_rng(0)
    words = [f"{a}{b}" for a in "bdfgklmnprstvz" for b in ("anu", "eli", "iro", "oma", "uke")]
    source = [
        {"id": str(i), "title": " ".join(random.choice(words, 4)), "text": " ".join(random.choice(words, 12))}
        for i in range(400)
    ]
    listener = Listening()
    space = learn(source, tmp_path / "x.space", budget="3s", progress=listener)
    assert space.description.search.confidence is None
    assert "no confidence" in listener.said
    assert space.search(words[0])[0].confidence is None
