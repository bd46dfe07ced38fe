"""The architectures that run on the lean trunk, and how their checkpoints name things.

One more is one more entry in `ARCHITECTURES`, if it is made of post-norm blocks. ModernBERT, of pre-norm blocks, is
what trunks that are learned from nothing are: it is read and written, as the bidirectional model and as the causal one.
Others run on `transformers` itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tolman.errors import ModelError
from tolman.models.trunk import (
    ACTIVATIONS,
    Embeddings,
    LayerNorm,
    Linear,
    PackedTrunk,
    PostNormBlock,
    PreNormBlock,
)

Settings = Mapping[str, Any]
Weights = Mapping[str, Tensor]

TASK_HEADS = re.compile(
    r"^(pooler|cls|lm_head|head|decoder|classifier|pre_classifier|qa_outputs|vocab_\w+|predictions|seq_relationship)\b|position_ids$"
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
    if settings.get("model_type") in MODERN:
        return _modern_is_plain(settings)
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
    if settings["model_type"] in MODERN:
        return _build_modern(settings, weights)
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


def _block(shelf: "_Shelf", names: Architecture, layer: str) -> PostNormBlock:
    q, k, v = (shelf.linear(layer + name) for name in (names.query, names.key, names.value))
    return PostNormBlock(
        qkv=Linear(
            torch.cat([q.weight, k.weight, v.weight]),
            torch.cat([part.bias for part in (q, k, v) if part.bias is not None]),
        ),
        out=shelf.linear(layer + names.out),
        norm_attention=shelf.norm(layer + names.norm_attention),
        up=shelf.linear(layer + names.up),
        down=shelf.linear(layer + names.down),
        norm_output=shelf.norm(layer + names.norm_output),
    )


def changed_weights(settings: Settings, original: Weights, trunk: PackedTrunk) -> dict[str, Tensor]:
    """`original`, in its own names, with the weights of `trunk` in the place of those it was built from."""
    if settings["model_type"] in MODERN:
        new = {name.removeprefix("model."): weight for name, weight in modern_weights(trunk, causal=False).items()}
    else:
        new = _post_norm_weights(settings, original, trunk)
    prefix = _task_prefix(original)
    return {
        name: new.get(_modern(name.removeprefix(prefix)), weight).detach().clone().contiguous()
        for name, weight in original.items()
    }


def _post_norm_weights(settings: Settings, original: Weights, trunk: PackedTrunk) -> dict[str, Tensor]:
    """By the names that `build_trunk` takes them by."""
    architecture = ARCHITECTURES[settings["model_type"]]
    shelf = _Shelf(original, settings["model_type"], eps=0.0)
    positions_LH, tables = trunk.embeddings.positions_LH, shelf.left
    assert positions_LH is not None
    if "embeddings.token_type_embeddings.weight" in tables:
        positions_LH = positions_LH - tables["embeddings.token_type_embeddings.weight"][0]
    unused = len(tables["embeddings.position_embeddings.weight"]) - len(positions_LH)
    new = {
        "embeddings.word_embeddings.weight": trunk.embeddings.words_VH,
        "embeddings.position_embeddings.weight": torch.cat(
            [tables["embeddings.position_embeddings.weight"][:unused], positions_LH]
        ),
    }
    new |= _named("embeddings.LayerNorm", trunk.embeddings.norm)
    if architecture.relative_bias and trunk.relative_bias_KA is not None:
        new[architecture.relative_bias] = trunk.relative_bias_KA
    for i, block in enumerate(trunk.blocks):
        assert isinstance(block, PostNormBlock)
        layer, names = architecture.layer.format(i=i), architecture
        assert block.qkv.bias is not None
        parts = zip(block.qkv.weight.chunk(3), block.qkv.bias.chunk(3), strict=True)
        for name, (weight, bias) in zip((names.query, names.key, names.value), parts, strict=True):
            new |= _named(layer + name, Linear(weight, bias))
        new |= _named(layer + names.out, block.out) | _named(layer + names.norm_attention, block.norm_attention)
        new |= _named(layer + names.up, block.up) | _named(layer + names.down, block.down)
        new |= _named(layer + names.norm_output, block.norm_output)
    return new


def _named(name: str, part: Linear | LayerNorm) -> dict[str, Tensor]:
    found = {f"{name}.weight": part.weight}
    return found if part.bias is None else found | {f"{name}.bias": part.bias}


MODERN = ("modernbert", "modernbert-decoder")


def _modern_is_plain(settings: Settings) -> bool:
    """Whether every layer sees the whole sequence, turned by one base."""
    layers = settings.get("layer_types") or []
    rope = (settings.get("rope_parameters") or {}).get("full_attention") or {}
    return (
        set(layers) == {"full_attention"}
        and rope.get("rope_type") == "default"
        and "rope_theta" in rope
        and settings.get("hidden_activation", "gelu") in ACTIVATIONS
    )


def _build_modern(settings: Settings, weights: Weights) -> PackedTrunk:
    shelf = _Shelf(weights, settings["model_type"], eps=settings.get("norm_eps", 1e-5))
    layers = range(settings["num_hidden_layers"])
    words_VH, norm = shelf.take("embeddings.tok_embeddings.weight"), shelf.norm("embeddings.norm")
    trunk = PackedTrunk(
        embeddings=Embeddings(words_VH, None, norm),
        blocks=tuple(_modern_block(shelf, f"layers.{i}.", first=i == 0) for i in layers),
        heads=settings["num_attention_heads"],
        activation=settings.get("hidden_activation", "gelu"),
        norm=shelf.norm("final_norm"),
        theta=float(settings["rope_parameters"]["full_attention"]["rope_theta"]),
        places=settings["max_position_embeddings"],
    )
    shelf.check_empty()
    return trunk


def _modern_block(shelf: "_Shelf", layer: str, *, first: bool) -> PreNormBlock:
    if shelf.has(f"{layer}attn.Wqkv.weight"):
        qkv = shelf.linear(f"{layer}attn.Wqkv")
    else:  # the causal model keeps them apart
        parts = [shelf.linear(f"{layer}attn.{name}_proj") for name in "qkv"]
        biases = [part.bias for part in parts if part.bias is not None]
        qkv = Linear(torch.cat([part.weight for part in parts]), torch.cat(biases) if biases else None)
    return PreNormBlock(
        norm_attention=None if first else shelf.norm(f"{layer}attn_norm"),
        qkv=qkv,
        out=shelf.linear(f"{layer}attn.Wo"),
        norm_output=shelf.norm(f"{layer}mlp_norm"),
        up=shelf.linear(f"{layer}mlp.Wi"),
        down=shelf.linear(f"{layer}mlp.Wo"),
    )


def modern_settings(trunk: PackedTrunk, *, causal: bool, begin: int, end: int, pad: int) -> dict[str, Any]:
    """The config.json of a trunk of pre-norm blocks."""
    vocabulary, width = trunk.embeddings.words_VH.shape
    rope = {"rope_type": "default", "rope_theta": trunk.theta}
    return {
        "architectures": ["ModernBertDecoderForCausalLM" if causal else "ModernBertForMaskedLM"],
        "model_type": "modernbert-decoder" if causal else "modernbert",
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": trunk.blocks[0].down.weight.shape[1],
        "num_hidden_layers": len(trunk.blocks),
        "num_attention_heads": trunk.heads,
        "hidden_activation": trunk.activation,
        "classifier_activation": trunk.activation,
        "max_position_embeddings": trunk.max_length,
        "layer_types": ["full_attention"] * len(trunk.blocks),
        "rope_parameters": {"full_attention": rope, "sliding_attention": rope},
        "norm_eps": trunk.embeddings.norm.eps,
        "norm_bias": False,
        "attention_bias": False,
        "mlp_bias": False,
        "decoder_bias": True,
        "tie_word_embeddings": True,
        "bos_token_id": begin,
        "cls_token_id": begin,
        "eos_token_id": end,
        "sep_token_id": end,
        "pad_token_id": pad,
        "dtype": "float32",
    }


def modern_weights(trunk: PackedTrunk, *, causal: bool) -> dict[str, Tensor]:
    """The weights of a trunk of pre-norm blocks, as `transformers` names them."""
    assert trunk.norm is not None
    named = {
        "model.embeddings.tok_embeddings.weight": trunk.embeddings.words_VH,
        "model.embeddings.norm.weight": trunk.embeddings.norm.weight,
        "model.final_norm.weight": trunk.norm.weight,
    }
    for i, block in enumerate(trunk.blocks):
        assert isinstance(block, PreNormBlock)
        layer = f"model.layers.{i}."
        if block.norm_attention:
            named[f"{layer}attn_norm.weight"] = block.norm_attention.weight
        if causal:
            named |= {f"{layer}attn.{n}_proj.weight": w for n, w in zip("qkv", block.qkv.weight.chunk(3), strict=True)}
        else:
            named[f"{layer}attn.Wqkv.weight"] = block.qkv.weight
        named[f"{layer}attn.Wo.weight"] = block.out.weight
        named[f"{layer}mlp_norm.weight"] = block.norm_output.weight
        named[f"{layer}mlp.Wi.weight"] = block.up.weight
        named[f"{layer}mlp.Wo.weight"] = block.down.weight
    return {name: weight.detach().float().contiguous().cpu().clone() for name, weight in named.items()}


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
        return Linear(self.take(f"{name}.weight"), self._bias(name))

    def norm(self, name: str) -> LayerNorm:
        return LayerNorm(self.take(f"{name}.weight"), self._bias(name), self.eps)

    def _bias(self, name: str) -> Tensor | None:
        """BERT and its like always have one; one that is missing there is an error."""
        bias = f"{name}.bias"
        return self.take(bias) if self.has(bias) or self.model_type in ARCHITECTURES else None

    def check_empty(self) -> None:
        unknown = sorted(name for name in self.left if not TASK_HEADS.search(name))
        if unknown:
            raise ModelError(
                f"{len(unknown)} weights have no place in a {self.model_type} (first: {unknown[0]}):"
                " the checkpoint is of another architecture than its config.json says"
            )


def _task_prefix(weights: Weights) -> str:
    """'bert.' and the like, where the checkpoint is of a model with a task head around the encoder."""
    for table in ("embeddings.word_embeddings.weight", "embeddings.tok_embeddings.weight"):
        for name in weights:
            if name.endswith(table):
                return name.removesuffix(table)
    return ""


def _modern(name: str) -> str:
    """Checkpoints of 2018 call a norm's weight gamma and its bias beta."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
