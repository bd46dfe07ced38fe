import math
from functools import partial

import numpy as np
import pytest
import torch
from torch._dynamo.backends.registry import lookup_backend
from torch.nn import functional

from tolman.models import learning_transformer, trunk
from tolman.models.fresh import fresh_transformer
from tolman.models.learning_transformer import Frame, LearningTransformer
from tolman.objectives.autoencoding import Autoencoding
from tolman.objectives.causal import Causal
from tolman.objectives.contrastive import Contrastive, SpansAndDocuments
from tolman.objectives.masked import Masked, hide
from tolman.objectives.windows import Windows
from tolman.tokenization import TokenSequences

V, WINDOW = 200, 32
FRAME = Frame((1,), (2,), 3)


def texts(count=40, seed=0, shortest=3, longest=40):
    generator = np.random.default_rng(seed)
    lengths = generator.integers(shortest, longest, count)
    return TokenSequences.join([generator.integers(4, V, n).astype(np.int32) for n in lengths])


def learner(seed=0):
    start = fresh_transformer(vocabulary=V, layers=2, width=32, heads=2, window=WINDOW, latents=(2, 8), seed=seed)
    return LearningTransformer(start, FRAME, "float32", longest=WINDOW)


def windows(length=WINDOW):
    return Windows.of(texts(), FRAME, batch=4, length=length, vocabulary=V)


OBJECTIVES = {
    "masked": lambda: Masked(windows()),
    "causal": lambda: Causal(windows(WINDOW + 1)),
    "autoencoding": lambda: Autoencoding(texts(longest=20), tokens=200),
    "contrastive": lambda: Contrastive([(1.0, SpansAndDocuments(texts(), 16))], prefixes=[8, 32]),
}


def test_frames_stand_around_every_text_and_lengths_lie_on_the_grid():
    framed = FRAME.around(texts(), WINDOW)
    assert all(text[0] == 1 and text[-1] == 2 for text in framed)
    assert all(length <= WINDOW and (length < 8 or length % 8 == 0) for length in framed.lengths)
    empty = FRAME.put(TokenSequences.join([np.empty(0, np.int32), np.array([7], np.int32)]))
    assert [text.tolist() for text in empty] == [[1, 2], [1, 7, 2]]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_untrained_model_guesses_evenly_and_every_objective_learns(name):
    model, objective = learner(), OBJECTIVES[name]()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for step in range(60):
        loss = objective.loss(model, np.random.default_rng(step % 3))  # three batches, again and again
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    if name != "contrastive":
        assert losses[0] == pytest.approx(math.log(V), abs=0.3)
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    assert model.tokens_seen > 0


def test_a_causal_model_sees_nothing_of_what_comes():
    model = learner()
    ids = torch.from_numpy(np.random.default_rng(0).integers(4, V, (1, 20)))
    changed = ids.clone()
    changed[0, 12:] = 5
    with torch.no_grad():
        trunk = model.now().trunk
        for causal in (True, False):
            before, after = (trunk(x.reshape(-1), [20], causal=causal)[:12] for x in (ids, changed))
            assert torch.allclose(before, after, atol=1e-6) == causal


@pytest.mark.parametrize("causal", [False, True])
def test_the_loss_and_its_gradients_are_those_of_plain_cross_entropy(causal):
    model = learner()
    ids = torch.from_numpy(np.random.default_rng(1).integers(4, V, (3, 16)))
    places, targets = torch.arange(5, 40), torch.from_numpy(np.random.default_rng(2).integers(4, V, 35))
    loss = model.token_loss(ids, places, targets, causal=causal)
    model.zero_grad()
    loss.backward()
    ours = {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}
    now = model.now()
    states = now.trunk(ids.reshape(-1), [16] * 3, causal=causal)[places]
    plain = functional.cross_entropy(now.language.logits(states, now.trunk.embeddings.words_VH), targets)
    model.zero_grad()
    plain.backward()
    torch.testing.assert_close(loss, plain)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(ours[name], parameter.grad, rtol=1e-4, atol=1e-6)


def test_hidden_logits_are_made_in_parts(monkeypatch):
    model = learner()
    ids = torch.from_numpy(np.random.default_rng(1).integers(4, V, (3, 16)))
    whole = model.token_loss(ids, torch.arange(48), ids.reshape(-1), causal=False)
    monkeypatch.setattr("tolman.models.language_head._AT_ONCE", 7)
    torch.testing.assert_close(model.token_loss(ids, torch.arange(48), ids.reshape(-1), causal=False), whole)


def test_gradients_of_many_texts_made_part_by_part_are_those_of_all_at_once(monkeypatch):
    objective = OBJECTIVES["contrastive"]()
    gradients = []
    for at_once in (10**6, 64):
        monkeypatch.setattr(learning_transformer, "TOKENS_AT_ONCE", at_once)
        model = learner()
        objective.loss(model, np.random.default_rng(0)).backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-6)


def test_vectors_come_in_the_order_of_the_texts():
    model, some = learner(), texts(12)
    with torch.no_grad():
        (together,) = model([(some, "document")])
        for row in range(12):
            (alone,) = model([(some.only(np.array([row])), "document")])
            torch.testing.assert_close(together[row], alone[0], rtol=1e-4, atol=1e-5)


def test_reconstruction_sees_the_latent_vectors_and_what_was_written_only():
    model = learner()
    some, other = texts(6, seed=1, longest=10), texts(6, seed=2, longest=10)
    generator = np.random.default_rng
    with torch.no_grad():
        own = model.reconstruction_loss(some, some, 0.0, generator(0))
        foreign = model.reconstruction_loss(other, some, 0.0, generator(0))
        again = model.reconstruction_loss(some, some, 0.0, generator(1))
        hidden = model.reconstruction_loss(some, some, 0.9, generator(0))
    assert own == again
    assert own != foreign
    assert own != hidden
    assert model.latents(some).shape == (6, 2, 8)


def test_hiding_guesses_the_share_it_says_and_keeps_the_rest():
    ids = np.random.default_rng(0).integers(4, V, 20_000)
    guessed, seen = hide(ids, 0.3, 3, V, np.random.default_rng(1))
    assert guessed.mean() == pytest.approx(0.3, abs=0.02)
    assert (seen[~guessed] == ids[~guessed]).all()
    assert (seen[guessed] == 3).mean() == pytest.approx(0.8, abs=0.03)
    assert (seen[guessed] == ids[guessed]).mean() == pytest.approx(0.1, abs=0.03)


def test_too_little_text_for_a_window_is_no_objective():
    short = TokenSequences.join([np.array([5, 6], np.int32)])
    assert not Masked(Windows.of(short, FRAME, batch=4, length=WINDOW, vocabulary=V)).possible
    assert not Autoencoding(TokenSequences.join([]), tokens=100).possible


def test_a_quarter_of_the_batches_is_of_sentences_that_stand_alone():
    documents = TokenSequences.join([np.full(200, 7, np.int32)])
    sentences = TokenSequences.join([np.full(length, 9, np.int32) for length in (5, 6, 14, 14, 14, 40)])
    drawing = Windows.of(documents, FRAME, batch=8, length=20, vocabulary=V, sentences=sentences)
    drawn = [drawing.draw(np.random.default_rng(seed)) for seed in range(400)]
    alone = [ids for ids in drawn if (ids == 9).any()]
    assert len(alone) / 400 == pytest.approx(0.25, abs=0.06)
    assert {ids.shape for ids in alone} == {(20, 8), (10, 16)}  # 6 and 14 in their frames; 160 tokens of each
    assert all((ids[:, 0] == FRAME.before[0]).all() and (ids[:, -1] == FRAME.after[0]).all() for ids in alone)
    assert all((ids[:, 1:-1] == 9).all() for ids in alone)
    assert np.mean([ids.shape[1] == 16 for ids in alone]) == pytest.approx(48 / 56, abs=0.1)
    assert {ids.shape for ids in drawn if not (ids == 9).any()} == {(8, 20)}


def test_windows_are_cut_into_parts_each_as_often_and_of_as_many_tokens():
    documents = TokenSequences.join([np.arange(200, dtype=np.int32)])
    drawing = Windows.of(documents, FRAME, batch=8, length=20, vocabulary=V, cuts=(1, 2, 4))
    shapes = [drawing.draw(np.random.default_rng(seed)).shape for seed in range(300)]
    assert set(shapes) == {(8, 20), (16, 10), (32, 5)}
    assert all(80 <= shapes.count(shape) <= 120 for shape in set(shapes))


@pytest.fixture
def graphs(monkeypatch):
    """What was compiled; the compiler's last stage, which makes code, is left out."""
    made = []

    def noting(graph, inputs):
        made.append(graph)
        return lookup_backend("aot_eager")(graph, inputs)

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=noting))
    trunk.compiled_kernels.cache_clear()
    yield made
    trunk.compiled_kernels.cache_clear()


def test_many_texts_are_made_again_on_the_way_back_by_what_is_not_compiled(graphs, monkeypatch):
    monkeypatch.setattr(learning_transformer, "TOKENS_AT_ONCE", 100)
    model = learner()
    model.compiled = True
    OBJECTIVES["contrastive"]().loss(model, np.random.default_rng(0)).backward()
    assert not graphs


def test_compiled_blocks_learn_the_same(graphs):
    """For more numbers and lengths of sequences than one."""
    plain, compiled = learner(), learner()
    compiled.compiled = True
    for name, objective in OBJECTIVES.items():
        for seed in range(2):
            found = []
            for model in (plain, compiled):
                model.zero_grad()
                loss = objective().loss(model, np.random.default_rng(seed))
                loss.backward()
                found.append((loss, {name: part.grad for name, part in model.named_parameters()}))
            torch.testing.assert_close(*found, msg=lambda told, name=name: f"{name}: {told}")
    assert 3 <= len(graphs) <= 12, "before, between and after: for the first shape, and for any"


def test_where_no_sentence_fits_all_windows_are_of_documents():
    documents = TokenSequences.join([np.full(200, 7, np.int32)])
    odd = TokenSequences.join([np.full(3, 9, np.int32)])
    drawing = Windows.of(documents, FRAME, batch=8, length=20, vocabulary=V, sentences=odd)
    assert all(drawing.draw(np.random.default_rng(seed)).shape == (8, 20) for seed in range(40))
