from dataclasses import dataclass

import torch

from tolman.models.tree import map_tensors, named_tensors


@dataclass(frozen=True)
class Leaf:
    weight: torch.Tensor
    bias: torch.Tensor | None


@dataclass(frozen=True)
class Branch:
    leaves: tuple[Leaf, ...]
    name: str
    own: torch.Tensor


TREE = Branch((Leaf(torch.ones(1), None), Leaf(torch.ones(2), torch.zeros(2))), "oak", torch.ones(3))


def test_every_tensor_is_named_by_its_way():
    assert [name for name, _ in named_tensors(TREE)] == ["leaves.0.weight", "leaves.1.weight", "leaves.1.bias", "own"]


def test_mapping_changes_tensors_and_nothing_else():
    seen = []

    def double(owner, name, tensor):
        seen.append((type(owner), name))
        return 2 * tensor

    doubled = map_tensors(TREE, double)
    assert doubled.name == "oak"
    assert doubled.leaves[0].bias is None
    assert [float(tensor.sum()) for _, tensor in named_tensors(doubled)] == [2, 4, 0, 6]
    assert seen[0] == (Leaf, "leaves.0.weight")
    assert seen[-1] == (Branch, "own")
    assert float(TREE.own.sum()) == 3
