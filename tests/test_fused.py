import math

import pytest
import torch

from tolman.models.fused import attend, gate, turn, turn_whole
from tolman.models.packing import runs
from tolman.models.trunk import ACTIVATIONS, Attention, Rotation, turned

HEADS, WIDTH = 2, 16
LENGTHS = [7, 7, 3, 1, 1]


def test_runs_cover_every_token_once():
    assert list(runs([7, 7, 3, 2, 2, 2])) == [(0, 2, 7), (14, 1, 3), (17, 3, 2)]
    assert list(runs([])) == []


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def plainly(qkv, rotation, *, causal):
    """Each sequence by itself, by the textbook."""
    mixed = []
    for part in qkv.split(LENGTHS):
        q, k, v = part.view(len(part), 3, HEADS, -1).permute(1, 2, 0, 3)
        if rotation:
            cos, sin = (table[: len(part)] for table in rotation)
            q, k = (x * cos + torch.cat([-x[..., 4:], x[..., :4]], -1) * sin for x in (q, k))
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        if causal:
            scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -math.inf)
        mixed.append((scores.softmax(-1) @ v).transpose(0, 1).reshape(len(part), -1))
    return torch.cat(mixed)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_attention_and_its_gradients_are_those_of_the_textbook(causal, turned):
    rotation = None
    if turned:
        table = Rotation.of(max(LENGTHS), WIDTH // HEADS, 100.0, torch.device("cpu"))
        rotation = table.cos_LE.double(), table.sin_LE.double()
    outs, gradients = [], []
    for mix in (
        lambda x: attend(x, LENGTHS, HEADS, rotation, causal=causal),
        lambda x: plainly(x, rotation, causal=causal),
    ):
        qkv = drawn(sum(LENGTHS), 3 * WIDTH).requires_grad_()
        outs.append(mix(qkv))
        (outs[-1] * drawn(sum(LENGTHS), WIDTH)).sum().backward()
        gradients.append(qkv.grad)
    torch.testing.assert_close(*outs)
    torch.testing.assert_close(*gradients)


def test_learning_and_encoding_attend_alike():
    rotation = Rotation.of(max(LENGTHS), WIDTH // HEADS, 100.0, torch.device("cpu"))
    attention = Attention(LENGTHS, HEADS, causal=True, rotation=rotation, bias_ALL=None)
    qkv = drawn(sum(LENGTHS), 3 * WIDTH).float()
    torch.testing.assert_close(attention(qkv.clone().requires_grad_()), attention(qkv))


@pytest.mark.parametrize("name", ["silu", "gelu", "relu"])
def test_gating_and_its_gradient_are_those_of_the_textbook(name):
    gradients = []
    for gated in (gate, lambda up, activation: activation(up.chunk(2, -1)[0]) * up.chunk(2, -1)[1]):
        up = drawn(5, 12).requires_grad_()
        (gated(up, ACTIVATIONS[name]) * drawn(5, 6)).sum().backward()
        gradients.append(up.grad)
    torch.testing.assert_close(*gradients)


def test_turning_in_one_expression_is_the_same_back_and_forth():
    x, cos, sin = drawn(2, 5, 3, 8).requires_grad_(), drawn(5, 1, 8), drawn(5, 1, 4).repeat(1, 1, 2)
    weights = drawn(2, 5, 3, 8)
    expected, whole = turn(x, cos, sin), turn_whole(x, cos, sin)
    torch.testing.assert_close(whole, expected)
    gradients = [torch.autograd.grad((turned * weights).sum(), x)[0] for turned in (expected, whole)]
    torch.testing.assert_close(*gradients)


def test_values_are_not_turned():
    qkv, rotation = drawn(2, 5, 3, HEADS, 8), Rotation(drawn(5, 8), drawn(5, 4).repeat(1, 2))
    whole = turned(qkv, rotation.cos_LE, rotation.sin_LE)
    cos, sin = rotation.cos_LE[:, None, None], rotation.sin_LE[:, None, None]
    torch.testing.assert_close(whole, torch.cat([turn(qkv[:, :, :2], cos, sin), qkv[:, :, 2:]], dim=2))
