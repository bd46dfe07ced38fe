import numpy as np
import pytest
import torch

from tolman.objectives.imitation import Imitation
from tolman.tokenization import TokenSequences


def test_a_perfect_imitation_costs_nothing():
    texts = TokenSequences.join([np.array([i], np.int32) for i in range(4)])
    vectors = np.eye(4, dtype=np.float32)
    objective = Imitation(texts, texts, np.arange(4), vectors, vectors, 4)

    def model(batches):
        return [torch.eye(4)[torch.from_numpy(batch.ids.astype(np.int64))] for batch, _ in batches]

    assert float(objective.loss(model, np.random.default_rng(0))) == pytest.approx(0, abs=1e-6)
    assert float(objective.loss(lambda b: [-part for part in model(b)], np.random.default_rng(0))) > 1
