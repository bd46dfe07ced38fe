import math

import pytest
import torch
from torch import nn

from tolman.optimization import Group, Optimizers, all_alike


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 6, bias=False), nn.Linear(6, 6))


def stepped(net, optimizers, steps=3):
    for step in range(steps):
        torch.manual_seed(step)
        optimizers.zero_grad()
        net(torch.randn(50, 6)).square().sum().backward()
        optimizers.step(1.0)
    return [parameter.detach().clone() for parameter in net.parameters()]


def test_all_alike_is_adamw():
    net, plain = model(), model()
    ours = stepped(net, Optimizers(all_alike(0.01)(net)))
    adamw = torch.optim.AdamW(plain.parameters(), lr=0.01, betas=(0.9, 0.98), weight_decay=0.0)
    for step in range(3):
        torch.manual_seed(step)
        adamw.zero_grad()
        plain(torch.randn(50, 6)).square().sum().backward()
        adamw.step()
    for mine, theirs in zip(ours, plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs.detach())


def test_steps_of_an_orthogonal_group_have_even_singular_values():
    net = model()
    before = net[0].weight.detach().clone()
    stepped(net, Optimizers([Group([net[0].weight], 0.01, orthogonal=True), Group([*net[1].parameters()], 0.01)]), 1)
    values = torch.linalg.svdvals(net[0].weight.detach() - before)
    assert values.max() / values.min() < 3


def test_orthogonal_steps_are_those_of_pytorchs_muon():
    shapes = [(12, 6), (6, 12), (6, 6), (12, 6)]
    torch.manual_seed(0)
    ours = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    theirs = [nn.Parameter(parameter.detach().clone()) for parameter in ours]
    optimizers = Optimizers([Group(ours, 0.02, 0.1, orthogonal=True)])
    muon = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(mine.shape)
            other.grad = mine.grad.clone()
        optimizers.step(1.0)
        muon.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-3)  # its products are in bfloat16
        assert (mine - other).norm() < 1e-3 * other.norm()


def test_what_is_remembered_goes_on_where_it_stopped():
    straight, halted = model(), model()
    groups = lambda net: [Group([net[0].weight], 0.01, orthogonal=True), Group([*net[1].parameters()], 0.02)]  # noqa: E731
    expected = stepped(straight, Optimizers(groups(straight)), 3)
    first = Optimizers(groups(halted))
    stepped(halted, first, 2)
    second = Optimizers(groups(halted))
    second.remember(dict(first.moments()))
    torch.manual_seed(2)
    second.zero_grad()
    halted(torch.randn(50, 6)).square().sum().backward()
    second.step(1.0)
    for mine, theirs in zip(halted.parameters(), expected, strict=True):
        torch.testing.assert_close(mine.detach(), theirs, rtol=0, atol=0)


def test_gradients_that_are_no_numbers_move_nothing():
    net = model()
    before = [parameter.detach().clone() for parameter in net.parameters()]
    optimizers = Optimizers(all_alike(0.1)(net), clip=1.0)
    (net(torch.randn(50, 6)).sum() * math.inf).backward()
    assert not math.isfinite(optimizers.step(1.0))
    for parameter, old in zip(net.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.detach(), old, rtol=0, atol=0)


def test_a_share_of_the_rate_is_a_share_of_the_step():
    moves = []
    for share in (1.0, 0.5):
        net = model()
        before = net[0].weight.detach().clone()
        optimizers = Optimizers(all_alike(0.1)(net))
        torch.manual_seed(0)
        net(torch.randn(50, 6)).square().sum().backward()
        optimizers.step(share)
        moves.append(float((net[0].weight.detach() - before).norm()))
    assert moves[1] == pytest.approx(moves[0] / 2, rel=1e-4)
