import gzip
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
from checkpoints import write_transformer
from writers import TEXTS, write_learned

import tolman
from tolman import language_evaluation as measuring
from tolman.errors import ModelError, QueryError, SourceError
from tolman.language_evaluation import evaluate_pairs, evaluate_text, open_language_models, read_pairs
from tolman.models.language_folder import read_language_models
from tolman.models.language_model import LanguageModel
from tolman.progress import Silent

DOCUMENTS = [text.strip() for text in TEXTS if text]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    return write_learned(tmp_path_factory.mktemp("models") / "both")


def write_pairs(path, *pairs):
    rows = [json.dumps({"sentence_good": good, "sentence_bad": bad, "field": "x"}) for good, bad in pairs]
    content = "\n".join(rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_bits_per_byte_and_perplexity_are_of_every_token_and_every_end(learned):
    model = read_language_models(learned)[1]
    found = evaluate_text(learned, DOCUMENTS).causal
    total = sum(float(model.scores(model.tokens([text])).totals[0]) for text in DOCUMENTS)
    tokens = sum(len(model.tokens([text]).ids) + 1 for text in DOCUMENTS)
    size = sum(len(text.encode("utf-8")) for text in DOCUMENTS)
    assert size > sum(map(len, DOCUMENTS))
    assert (found.documents, found.tokens, found.bytes) == (len(DOCUMENTS), tokens, size)
    assert found.bits_per_byte == pytest.approx(-total / size / math.log(2), rel=1e-4)
    assert found.perplexity == pytest.approx(math.exp(-total / tokens), rel=1e-4)


def test_pseudo_perplexity_is_of_every_token_but_no_end(learned):
    model = read_language_models(learned)[0]
    found = evaluate_text(learned, DOCUMENTS).masked
    tokens = model.tokens(DOCUMENTS)
    assert found.tokens == found.all_tokens == len(tokens.ids)
    assert found.pseudo_perplexity == pytest.approx(math.exp(-model.scores(tokens).logs.mean()), rel=1e-4)


def test_titles_are_part_of_a_document(learned):
    titled = evaluate_text(learned, [{"title": "The lamp", "text": "It broke."}])
    assert titled.causal.bytes == len("The lamp\nIt broke.")


def test_most_draws_documents_for_a_causal_model_and_tokens_for_a_masked_one(learned):
    whole, part = evaluate_text(learned, DOCUMENTS), evaluate_text(learned, DOCUMENTS, most=40)
    assert (part.masked.tokens, part.masked.all_tokens) == (40, whole.masked.tokens)
    assert 40 <= part.causal.tokens < whole.causal.tokens
    assert part.causal.documents < part.causal.all_documents == len(DOCUMENTS)
    assert part == evaluate_text(learned, DOCUMENTS, most=40)
    assert part != evaluate_text(learned, DOCUMENTS, most=40, seed=1)
    assert evaluate_text(learned, DOCUMENTS, most=10_000) == whole
    with pytest.raises(QueryError, match="1 or more: tokens to measure; got 0"):
        evaluate_text(learned, DOCUMENTS, most=0)


def test_a_masked_model_is_asked_for_so_many_tokens_unless_one_says_otherwise(learned, monkeypatch):
    monkeypatch.setattr(measuring, "MASKED_TOKENS", 25)
    found = evaluate_text(learned, DOCUMENTS)
    assert found.masked.tokens == 25
    assert found.causal.documents == len(DOCUMENTS)
    assert evaluate_text(learned, DOCUMENTS, most=26).masked.tokens == 26


def test_the_better_sentence_is_the_more_probable_one(learned, tmp_path):
    causal, masked = (read_language_models(learned)[place] for place in (1, 0))
    pairs = [(DOCUMENTS[0], DOCUMENTS[1]), ("the cat", "the mat"), ("the mat", "the cat"), ("a", "lamp")]
    file = write_pairs(tmp_path / "a.jsonl", *pairs)
    found = evaluate_pairs(learned, [file])
    for kind, model in (("causal", causal), ("masked", masked)):
        totals = [[float(model.scores(model.tokens([text])).totals[0]) for text in pair] for pair in pairs]
        right = sum(good > bad for good, bad in totals)
        assert found.overall[kind].accuracy.mean == right / 4
        assert 0 < right < 4
        assert found.files[kind] == {str(file): found.overall[kind]}


def test_a_tie_counts_as_wrong(learned, tmp_path, monkeypatch):
    """Also where the sentences differ, but not in what the model sees of them; and however results are rounded."""
    exact, generator = LanguageModel.scores, np.random.default_rng(0)

    def rounded(self, texts, progress=None):
        scores = exact(self, texts, progress)
        return replace(scores, logs=scores.logs + generator.normal(0, 1e-6, len(scores.logs)))

    monkeypatch.setattr(LanguageModel, "scores", rounded)
    same = [("the cat", "the cat"), ("re\u0301sume\u0301", "r\u00e9sum\u00e9")]
    rest = [(f"the cat and lamp {i}", "the cat") for i in range(9)]
    found = evaluate_pairs(learned, [write_pairs(tmp_path / "a.jsonl", *same, *rest)])
    for kind in ("causal", "masked"):
        assert (found.overall[kind].pairs, found.overall[kind].ties) == (11, 2)
        assert found.overall[kind].accuracy.mean <= 9 / 11


def test_several_files_each_and_all_together(learned, tmp_path):
    one = write_pairs(tmp_path / "one.jsonl", ("the cat", "the mat"), ("the mat", "the cat"))
    two = write_pairs(tmp_path / "two.jsonl.gz", *[("the cat", "the mat")] * 3)
    found = evaluate_pairs(learned, [one, two])
    for kind in ("causal", "masked"):
        files, overall = found.files[kind], found.overall[kind]
        assert [files[str(file)].pairs for file in (one, two)] == [2, 3]
        assert files[str(one)].accuracy.mean == 0.5
        assert files[str(two)].accuracy.mean in (0, 1)
        assert overall.accuracy.mean == pytest.approx((1 + 3 * files[str(two)].accuracy.mean) / 5)
        assert overall.accuracy.low < overall.accuracy.mean < overall.accuracy.high


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"sentence_good": "a", "sentence_bad": "b"}\n{"sentence_good": "a"}\n', "line 2: expected"),
        ('{"sentence_good": "a", "sentence_bad": 3}\n', "line 1: expected"),
        ('{"sentence_good": " ", "sentence_bad": "b"}\n', "line 1: expected"),
        ('\n{"sentence_good": \n', "line 2 isn't valid JSON"),
        ("\n\n", "holds no pair"),
        ("", "is empty"),
    ],
)
def test_a_file_that_holds_no_pairs_is_refused(tmp_path, content, message):
    (tmp_path / "p.jsonl").write_text(content)
    with pytest.raises(SourceError, match=message):
        read_pairs(tmp_path / "p.jsonl")
    with pytest.raises(SourceError, match="No such file"):
        read_pairs(tmp_path / "other.jsonl")


def test_models_that_guess_no_tokens_say_so(tmp_path):
    plain = write_transformer(tmp_path / "bert")
    for model, message in (
        (plain, "no language head that learned to guess tokens: expected a causal or masked model"),
        ("minilm", "minilm has no language head"),
        (None, "expected a space or the path of a model"),
        (tmp_path / "none", "no model or space at"),
    ):
        with pytest.raises(ModelError, match=message):
            evaluate_text(model, DOCUMENTS)


@pytest.mark.parametrize(
    ("objectives", "kinds"), [("contrastive", []), ("causal", ["causal"]), ("masked,autoencoding", ["masked"])]
)
def test_a_head_counts_if_it_learned(learned, tmp_path, objectives, kinds):
    """Learning leaves a head beside every trunk, and a causal model beside every autoencoder."""
    folder = shutil.copytree(learned, tmp_path / "m")
    plan = {"learner": "transformer", "objectives": dict.fromkeys(objectives.split(","), 1.0)}
    (folder / "model.json").write_text(json.dumps({"made_by": "tolman", "recipe": {"plan": plan}}))
    if kinds:
        assert [model.kind for model in open_language_models(folder)] == kinds
    else:
        with pytest.raises(ModelError, match="it learned by contrastive; learn with --objectives masked or causal"):
            open_language_models(folder)


def test_progress_is_told_of_every_token(learned):
    class Counting(Silent):
        def __init__(self):
            self.stages = {}

        def start(self, stage, total=None):
            self.stage = stage
            self.stages[stage] = [total, 0.0]

        def advance(self, amount=1.0, **facts):
            self.stages[self.stage][1] += amount

    watching = Counting()
    found = evaluate_text(learned, DOCUMENTS, progress=watching)
    assert watching.stages["causal"] == [found.causal.tokens, found.causal.tokens]
    assert watching.stages["masked"] == [found.masked.tokens, found.masked.tokens]


def test_the_package_measures():
    assert (tolman.evaluate_text, tolman.evaluate_pairs) == (evaluate_text, evaluate_pairs)
