"""The architectures that run on the lean trunk, and how their checkpoints name things.

One more is one more entry in `ARCHITECTURES`, if it is made of post-norm blocks; others run on `transformers` itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tolman.errors import ModelError
from tolman.models.trunk import ACTIVATIONS, Block, Embeddings, LayerNorm, Linear, PackedTrunk

Settings = Mapping[str, Any]
Weights = Mapping[str, Tensor]

TASK_HEADS = re.compile(
    r"^(pooler|cls|lm_head|classifier|pre_classifier|qa_outputs|vocab_\w+|predictions|seq_relationship)\b|position_ids$"
)
"""Weights of a checkpoint that have no part in its token states."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Where one architecture keeps what a `PackedTrunk` needs.

    Attributes:
        layer: what the names of layer {i} begin with; the parts below follow it.
        settings: its own word for a setting that BERT calls otherwise.
        after_padding: whether positions count from behind the padding token's row, as fairseq's models do.
        relative_bias: the table of biases by distance, where there is one.
    """

    layer: str = "encoder.layer.{i}."
    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    out: str = "attention.output.dense"
    norm_attention: str = "attention.output.LayerNorm"
    up: str = "intermediate.dense"
    down: str = "output.dense"
    norm_output: str = "output.LayerNorm"
    settings: Mapping[str, str] = field(default_factory=dict)
    after_padding: bool = False
    relative_bias: str | None = None


BERT = Architecture()
ROBERTA = Architecture(after_padding=True)
DISTILBERT = Architecture(
    layer="transformer.layer.{i}.",
    query="attention.q_lin",
    key="attention.k_lin",
    value="attention.v_lin",
    out="attention.out_lin",
    norm_attention="sa_layer_norm",
    up="ffn.lin1",
    down="ffn.lin2",
    norm_output="output_layer_norm",
    settings={"num_attention_heads": "n_heads", "num_hidden_layers": "n_layers", "hidden_act": "activation"},
)
MPNET = Architecture(
    query="attention.attn.q",
    key="attention.attn.k",
    value="attention.attn.v",
    out="attention.attn.o",
    norm_attention="attention.LayerNorm",
    after_padding=True,
    relative_bias="encoder.relative_attention_bias.weight",
)
ARCHITECTURES = {
    "bert": BERT,
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
    "camembert": ROBERTA,
    "distilbert": DISTILBERT,
    "mpnet": MPNET,
}


def runs_lean(settings: Settings) -> bool:
    """Whether a model with this config.json is one that `build_trunk` can build."""
    architecture = ARCHITECTURES.get(settings.get("model_type", ""))
    return (
        architecture is not None
        and settings.get("position_embedding_type", "absolute") == "absolute"
        and not settings.get("is_decoder", False)
        and settings.get(architecture.settings.get("hidden_act", "hidden_act"), "gelu") in ACTIVATIONS
    )


def build_trunk(settings: Settings, weights: Weights) -> PackedTrunk:
    """A float32 trunk from a config.json and the weights beside it.

    Raises:
        ModelError: a weight is missing, or one is left that this architecture has no place for.
    """
    architecture = ARCHITECTURES[settings["model_type"]]
    shelf = _Shelf(weights, settings["model_type"], eps=settings.get("layer_norm_eps", 1e-12))
    layers = settings[architecture.settings.get("num_hidden_layers", "num_hidden_layers")]
    trunk = PackedTrunk(
        embeddings=_embeddings(shelf, settings.get("pad_token_id", 1) + 1 if architecture.after_padding else 0),
        blocks=tuple(_block(shelf, architecture, architecture.layer.format(i=i)) for i in range(layers)),
        heads=settings[architecture.settings.get("num_attention_heads", "num_attention_heads")],
        activation=settings.get(architecture.settings.get("hidden_act", "hidden_act"), "gelu"),
        relative_bias_KA=shelf.take(architecture.relative_bias) if architecture.relative_bias else None,
    )
    shelf.check_empty()
    return trunk


def _embeddings(shelf: "_Shelf", first_position: int) -> Embeddings:
    positions_LH = shelf.take("embeddings.position_embeddings.weight")[first_position:]
    if shelf.has("embeddings.token_type_embeddings.weight"):
        positions_LH = positions_LH + shelf.take("embeddings.token_type_embeddings.weight")[0]
    return Embeddings(
        shelf.take("embeddings.word_embeddings.weight"), positions_LH.contiguous(), shelf.norm("embeddings.LayerNorm")
    )


def _block(shelf: "_Shelf", names: Architecture, layer: str) -> Block:
    q, k, v = (shelf.linear(layer + name) for name in (names.query, names.key, names.value))
    return Block(
        qkv=Linear(torch.cat([q.weight, k.weight, v.weight]), torch.cat([q.bias, k.bias, v.bias])),
        out=shelf.linear(layer + names.out),
        norm_attention=shelf.norm(layer + names.norm_attention),
        up=shelf.linear(layer + names.up),
        down=shelf.linear(layer + names.down),
        norm_output=shelf.norm(layer + names.norm_output),
    )


class _Shelf:
    """A checkpoint's weights, each to be taken once."""

    def __init__(self, weights: Weights, model_type: str, eps: float) -> None:
        self.model_type, self.eps = model_type, eps
        prefix = _task_prefix(weights)
        self.left = {_modern(name.removeprefix(prefix)): weight for name, weight in weights.items()}

    def has(self, name: str) -> bool:
        return name in self.left

    def take(self, name: str) -> Tensor:
        if name not in self.left:
            raise ModelError(f"the weights of this {self.model_type} lack {name}: is the checkpoint complete?")
        return self.left.pop(name).float()

    def linear(self, name: str) -> Linear:
        return Linear(self.take(f"{name}.weight"), self.take(f"{name}.bias"))

    def norm(self, name: str) -> LayerNorm:
        return LayerNorm(self.take(f"{name}.weight"), self.take(f"{name}.bias"), self.eps)

    def check_empty(self) -> None:
        unknown = sorted(name for name in self.left if not TASK_HEADS.search(name))
        if unknown:
            raise ModelError(
                f"{len(unknown)} weights have no place in a {self.model_type} (first: {unknown[0]}):"
                " the checkpoint is of another architecture than its config.json says"
            )


def _task_prefix(weights: Weights) -> str:
    """'bert.' and the like, where the checkpoint is of a model with a task head around the encoder."""
    name = next((name for name in weights if name.endswith("embeddings.word_embeddings.weight")), "")
    return name.removesuffix("embeddings.word_embeddings.weight")


def _modern(name: str) -> str:
    """Checkpoints of 2018 call a norm's weight gamma and its bias beta."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
