import pytest
import torch
from checkpoints import write_transformer

from tolman.models.checkpoint import read_checkpoint
from tolman.models.trunk import relative_buckets


@pytest.mark.parametrize("length", [1, 9, 300])
def test_relative_buckets_are_those_of_mpnet(length):
    from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

    places = torch.arange(length)
    expected = MPNetEncoder.relative_position_bucket(places[None, :] - places[:, None], num_buckets=32)
    torch.testing.assert_close(relative_buckets(length, 32), expected)


@pytest.mark.parametrize("model_type", ["bert", "mpnet", "electra"])
def test_packed_sequences_equal_single_ones(model_type, tmp_path):
    trunk = read_checkpoint(write_transformer(tmp_path / "m", model_type)).trunk
    ids_T = torch.randint(5, 100, (23,), generator=torch.Generator().manual_seed(0))
    lengths = [8, 8, 4, 2, 1]
    with torch.inference_mode():
        together = trunk(ids_T, lengths)
        alone = torch.cat([trunk(part, [len(part)]) for part in ids_T.split(lengths)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
