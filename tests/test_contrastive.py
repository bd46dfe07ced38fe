import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from tolman.objectives.contrastive import Contrastive, HeadsAndBodies, SpansAndDocuments, SpansAndSpans
from tolman.tokenization import TokenSequences

DOCUMENTS = TokenSequences.join([np.arange(10 * i, 10 * i + 6 + i, dtype=np.int32) for i in range(8)])


class Bags(torch.nn.Module):
    """Sums of one-hot tokens: enough of a model to check the arithmetic."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.table = torch.nn.Parameter(torch.randn(100, 8, generator=generator))

    def forward(self, batches):
        return [
            functional.normalize(torch.stack([self.table[texts[i]].sum(0) for i in range(len(texts))]), dim=1)
            for texts, _ in batches
        ]


def plain(sources, prefixes=(8,), temperature=0.05):
    return Contrastive(sources, prefixes, temperature, query_dropout=0.0, document_dropout=0.0)


def test_the_loss_is_symmetric_infonce_written_out():
    source = HeadsAndBodies(DOCUMENTS.cut(DOCUMENTS.offsets[:-1], np.full(8, 2)), DOCUMENTS, batch=8)
    model, generator = Bags(), np.random.default_rng(0)
    loss = plain([(1.0, source)], temperature=0.1).loss(model, generator)

    rows = np.arange(8)
    queries, documents = model([(source.heads.only(rows), "query"), (source.bodies.only(rows), "document")])
    cosines = (queries @ documents.T).detach().numpy() / 0.1
    expected = np.mean(
        [
            (math.log(sum(math.exp(c) for c in cosines[i])) + math.log(sum(math.exp(c) for c in cosines[:, i]))) / 2
            - cosines[i, i]
            for i in range(8)
        ]
    )
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)


def test_prefixes_are_averaged():
    source = SpansAndDocuments(DOCUMENTS, batch=8)
    model = Bags()
    losses = {p: plain([(1.0, source)], p).loss(model, np.random.default_rng(3)) for p in ((4,), (8,), (4, 8))}
    assert float(losses[4, 8].detach()) == pytest.approx(float((losses[4,] + losses[8,]).detach()) / 2, rel=1e-6)


def test_a_source_without_two_pairs_is_passed_over():
    none, one = (SpansAndDocuments(DOCUMENTS.only(np.arange(count)), batch=8) for count in (0, 1))
    assert not plain([(0.5, none), (0.5, one)]).possible
    mixed, whole = plain([(0.9, none), (0.1, SpansAndDocuments(DOCUMENTS, batch=8))]), Bags()
    assert mixed.possible
    for draw in range(20):
        assert float(mixed.loss(whole, np.random.default_rng(draw)).detach()) > 0


def test_spans_stand_in_their_documents():
    queries, documents = SpansAndDocuments(DOCUMENTS, batch=8, shortest=3, longest=5).draw(np.random.default_rng(1))
    for row in range(8):
        span, document = queries[row], documents[row]
        assert 3 <= len(span) <= 5
        assert any((document[i : i + len(span)] == span).all() for i in range(len(document)))


def test_heads_stay_with_their_bodies():
    heads = TokenSequences.join([np.array([i], np.int32) for i in range(8)])
    bodies = TokenSequences.join([np.array([i, i], np.int32) for i in range(8)])
    drawn_heads, drawn_bodies = HeadsAndBodies(heads, bodies, batch=5).draw(np.random.default_rng(2))
    assert len(drawn_heads) == 5
    assert all(drawn_heads[i][0] == drawn_bodies[i][0] for i in range(5))


def test_shares_are_kept():
    class Counting:
        def __init__(self):
            self.drawn = 0

        def __len__(self):
            return len(DOCUMENTS)

        def draw(self, generator):
            self.drawn += 1
            return DOCUMENTS, DOCUMENTS

    often, seldom = Counting(), Counting()
    objective, generator, model = plain([(3.0, often), (1.0, seldom)]), np.random.default_rng(0), Bags()
    for _ in range(200):
        objective.loss(model, generator)
    assert 0.65 < often.drawn / 200 < 0.85


def test_gradients_reach_the_table():
    model = Bags()
    plain([(1.0, SpansAndDocuments(DOCUMENTS, batch=8))]).loss(model, np.random.default_rng(0)).backward()
    assert float(model.table.grad.abs().sum()) > 0


def test_spans_and_spans_are_the_two_parts_of_a_document():
    texts = TokenSequences.join([np.arange(100 * i, 100 * i + 6 + i, dtype=np.int32) for i in range(20)])
    seen = set()
    for seed in range(8):
        queries, documents = SpansAndSpans(texts, 10).draw(np.random.default_rng(seed))
        assert len(queries) == len(documents) == 10
        for one, other in zip(range(10), range(10), strict=True):
            halves = sorted([queries[one].tolist(), documents[other].tolist()])
            whole = halves[0] + halves[1]
            assert whole == list(range(whole[0], whole[0] + 6 + whole[0] // 100))
            assert min(map(len, halves)) >= len(whole) // 3
        seen.add(int(queries[0][0]) % 100 == 0)
    assert seen == {True, False}  # either half asks
