import json

import pytest
from conftest import tree
from tiny import tiny_corpus, tiny_encoder

import tolman
from tolman.distillation import corpus_of, distil
from tolman.errors import BudgetError, SpaceError, TolmanError
from tolman.models.blended import BlendedEncoder
from tolman.space.space import LatentSpace


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A space of two encoders side by side: a teacher of another family than the student's."""
    path = tmp_path_factory.mktemp("teacher") / "t.space"
    teacher = BlendedEncoder((tiny_encoder(16, 1), tiny_encoder(16, 2)), (1.0, 0.5))
    return LatentSpace.create(path, tiny_corpus(range(160)), teacher)


@pytest.fixture(scope="module")
def distilled(taught):
    return distil(taught, taught.path.with_name("student.space"), budget="20s")


def test_the_student_does_as_its_teacher(taught, distilled):
    lost = distilled.description.recipe["distillation"]
    assert distilled.description.encoder.family == "static"
    assert distilled.dim == taught.dim
    assert lost["kept"] > 0.9
    assert lost["spearman"] > 0.8
    assert (distilled.vectors() * taught.vectors()).sum(1).mean() > 0.9


def test_the_documents_stay_as_they_were(taught, distilled):
    assert distilled.table().equals(taught.table())
    assert distilled.description.parents == (taught.description.encoder.fingerprint,)


def test_the_card_says_what_was_lost(distilled):
    card = (distilled.path / "card.md").read_text()
    lost = distilled.description.recipe["distillation"]
    assert "## What distilling lost" in card
    assert f"| share kept | {lost['kept']:.3f} |" in card
    assert "distilled from the blended encoder" in card
    assert distilled.description.quality["teacher"] == lost["teacher_ndcg"]


def test_nothing_is_left_beside_the_spaces(taught, distilled):
    assert {entry.name for entry in taught.path.parent.iterdir()} == {"t.space", "student.space"}


def test_a_static_space_has_nothing_to_gain(cli, tmp_path):
    space = LatentSpace.create(tmp_path / "s.space", tiny_corpus(range(30)), tiny_encoder())
    before = tree(tmp_path)
    outcome = cli("distil", space.path)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr == f"error: the encoder of {space.path} is static already: there is nothing to gain\n"
    assert tree(tmp_path) == before


def test_the_teacher_is_not_replaced(taught):
    before = tree(taught.path)
    with pytest.raises(SpaceError, match="is the space that is distilled"):
        distil(taught, taught.path)
    assert tree(taught.path) == before


def test_what_is_no_space_is_neither_read_nor_replaced(taught, tmp_path):
    with pytest.raises(SpaceError, match="is not a space"):
        distil(tmp_path, tmp_path / "x.space")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(SpaceError, match="exists and is not a space"):
        distil(taught, tmp_path / "mine")
    assert tree(tmp_path) == {"mine/thesis.txt": b"mine"}


@pytest.mark.parametrize("budget", ["0.000001s", "soon"])
def test_a_budget_that_is_over_at_once(taught, tmp_path, budget):
    with pytest.raises(BudgetError, match="budget"):
        distil(taught, tmp_path / "x" / "x.space", budget=budget)
    assert not list(tmp_path.iterdir())


def test_a_seed_that_is_none(taught, tmp_path):
    with pytest.raises(TolmanError, match="expected a seed"):
        distil(taught, tmp_path / "x.space", seed=-1)


def test_without_questions_the_loss_is_said_to_be_unknown(cli, tmp_path):
    teacher = BlendedEncoder((tiny_encoder(16, 1), tiny_encoder(16, 2)), (1.0, 0.5))
    space = LatentSpace.create(tmp_path / "few.space", tiny_corpus(range(6)), teacher)
    outcome = cli("distil", space.path, "--budget", "5s")
    assert outcome.code == 0, outcome.stderr
    assert "what it lost was not measured" in outcome.stdout
    assert (tmp_path / "few-distilled.space" / "space.json").exists()


def test_json_says_what_was_lost(cli, taught, tmp_path):
    outcome = cli("distil", taught.path, "-o", tmp_path / "j.space", "--budget", "10s", "--json")
    assert outcome.code == 0, outcome.stderr
    said = json.loads(outcome.stdout)
    assert said["documents"] == 160
    assert {"kept", "spearman", "shared_nearest", "teacher_ndcg", "student_ndcg", "questions"} == set(
        said["distillation"]
    )


def test_a_corpus_of_a_space_is_whole(taught):
    corpus = corpus_of(taught)
    assert corpus.metadata_columns == ("year", "shop")
    assert len(corpus) == 160


def test_it_is_part_of_the_api():
    assert tolman.distil is distil
