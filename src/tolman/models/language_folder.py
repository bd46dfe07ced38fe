"""Reads models that guess tokens from folders: Tolman's own, and any other that `transformers` can load.

A model of ours, BERT and its like run on the lean pass that computes no padding; all others on `transformers` itself,
from files that are there already.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from tokenizers import Tokenizer
from torch import Tensor

from tolman.errors import ModelError
from tolman.models.architectures import runs_lean
from tolman.models.checkpoint import CAUSAL, read_checkpoint, read_weights
from tolman.models.language_head import LanguageHead
from tolman.models.language_model import Kind, LanguageModel, PackedNetwork, PaddedNetwork
from tolman.models.learning_transformer import Frame
from tolman.models.transformer import fastest_precision
from tolman.models.trunk import LayerNorm, Linear, PackedTrunk, Precision

_KINDS: Mapping[Kind, re.Pattern[str]] = {
    "causal": re.compile(r"ForCausalLM$|LMHeadModel$"),
    "masked": re.compile(r"ForMaskedLM$|^\w*BertForPreTraining$"),
}
_LONGEST_WINDOW = 2_048  # tokens; some models promise hundreds of thousands, whose attention nobody can pay
_USUAL_WINDOW = 512
_TOLD = 200  # characters of what transformers says
_USUAL_TOKENS = {"bos": (), "eos": (), "cls": (), "mask": ("[MASK]", "<mask>")}
"""By role, where a folder doesn't say."""


@dataclass(frozen=True, slots=True)
class _HeadNames:
    """Where one architecture keeps its language head.

    Attributes:
        dense, norm, bias: their names, of the last the whole of it.
        table: what the states are multiplied with, where it isn't the table of the words.
        activation: the setting that names it; where there is none, GELU.
    """

    dense: str
    norm: str
    bias: str
    table: str
    activation: str | None


_LIKE_ROBERTA = _HeadNames("lm_head.dense", "lm_head.layer_norm", "lm_head.bias", "lm_head.decoder.weight", None)
_HEADS = {
    "bert": _HeadNames(
        "cls.predictions.transform.dense",
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.bias",
        "cls.predictions.decoder.weight",
        "hidden_act",
    ),
    "distilbert": _HeadNames(
        "vocab_transform", "vocab_layer_norm", "vocab_projector.bias", "vocab_projector.weight", "activation"
    ),
    "roberta": _LIKE_ROBERTA,
    "xlm-roberta": _LIKE_ROBERTA,
    "camembert": _LIKE_ROBERTA,
    "mpnet": _LIKE_ROBERTA,
    "modernbert": _HeadNames("head.dense", "head.norm", "decoder.bias", "decoder.weight", "classifier_activation"),
    "modernbert-decoder": _HeadNames(
        "lm_head.dense", "lm_head.norm", "decoder.bias", "decoder.weight", "classifier_activation"
    ),
}


def read_language_models(
    folder: Path, *, device: str | None = None, precision: Precision | None = None
) -> list[LanguageModel]:
    """The models in `folder` that guess tokens: one that its config.json names, one in `causal/`; maybe both or none.

    Args:
        folder: one of ours, or of `transformers`; nothing is downloaded.
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        precision: of the matrix products; by default what is fastest there.

    Raises:
        ModelError: there is no such folder, or it is damaged.
    """
    if not folder.is_dir():
        raise ModelError(f"expected a folder with a model, found none: {folder}")
    found = []
    for place in (folder, folder / CAUSAL):
        kind = kind_of_model(place)
        if kind is not None:
            found.append(read_language_model(place, kind, device=device, precision=precision))
    return found


def read_language_model(
    folder: Path, kind: Kind, *, device: str | None = None, precision: Precision | None = None
) -> LanguageModel:
    """The model in `folder`, which is to be of that kind.

    Raises:
        ModelError: it can't be read, or lacks weights.
    """
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    precision = precision or fastest_precision(where)
    settings = settings_of(folder)
    if runs_lean(settings) and settings.get("model_type") in _HEADS:
        return _read_lean(folder, kind, where, precision)
    return _read_other(folder, kind, where, precision)


def read_packed(folder: Path, *, causal: bool) -> tuple[PackedNetwork, Tokenizer]:
    """Trunk and head of a model that runs lean, in float32 on the CPU, and its tokenizer.

    Raises:
        ModelError: it can't be read, or lacks its head.
    """
    checkpoint = read_checkpoint(folder)
    assert isinstance(checkpoint.trunk, PackedTrunk)
    weights = read_weights(checkpoint.weight_files)
    settings = settings_of(folder)
    head = _build_head(folder, settings, weights)
    table = weights.get(_HEADS[settings["model_type"]].table)
    words_VH = checkpoint.trunk.embeddings.words_VH if table is None else table.float()
    return PackedNetwork(checkpoint.trunk, head, words_VH, causal), checkpoint.tokenizer


def _read_lean(folder: Path, kind: Kind, device: torch.device, precision: Precision) -> LanguageModel:
    network, tokenizer = read_packed(folder, causal=kind == "causal")
    window = min(network.trunk.max_length, _LONGEST_WINDOW)
    frame = _frame(folder, kind, tokenizer, _special_tokens(folder, tokenizer))
    return LanguageModel(kind, network.to(device, precision), tokenizer, frame, window)


def _build_head(folder: Path, settings: Mapping[str, Any], weights: Mapping[str, Tensor]) -> LanguageHead:
    names = _HEADS[settings["model_type"]]

    def take(name: str) -> Tensor:
        old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        weight = weights.get(name, weights.get(old))
        if weight is None:
            raise ModelError(f"the weights in {folder} lack {name}: the model has no whole language head")
        return weight.float()

    def bias(name: str) -> Tensor | None:
        return take(f"{name}.bias") if not settings["model_type"].startswith("modernbert") else None

    eps = settings.get("norm_eps", settings.get("layer_norm_eps", 1e-12))
    return LanguageHead(
        Linear(take(f"{names.dense}.weight"), bias(names.dense)),
        LayerNorm(take(f"{names.norm}.weight"), bias(names.norm), eps),
        take(names.bias),
        settings.get(names.activation, "gelu") if names.activation else "gelu",
    )


def _read_other(folder: Path, kind: Kind, device: torch.device, precision: Precision) -> LanguageModel:
    model, named = load_unpacked(folder, kind, getattr(torch, precision))
    return as_language_model(model, named, folder, kind, device)


def load_unpacked(folder: Path, kind: Kind, dtype: torch.dtype) -> tuple[Any, Any]:
    """(model, tokenizer) as `transformers` has them, whatever the architecture.

    Raises:
        ModelError: it can't be read, or lacks weights.
    """
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

    loader = AutoModelForCausalLM if kind == "causal" else AutoModelForMaskedLM
    try:
        with without_bars():
            model, report = loader.from_pretrained(folder, local_files_only=True, dtype=dtype, output_loading_info=True)
        named = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        tokenizer = named.backend_tokenizer
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, ImportError, SafetensorError) as error:
        told = " ".join(str(error).split())[:_TOLD]
        raise ModelError(f"transformers can't load {folder}: {told}") from error
    if report["missing_keys"]:
        raise ModelError(f"the weights in {folder} lack {min(report['missing_keys'])}: the model isn't whole")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return model.eval(), named


@contextmanager
def without_bars() -> Iterator[None]:
    """`transformers` draws no progress bars of its own between ours."""
    from transformers.utils import logging

    drawn = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if drawn:
            logging.enable_progress_bar()


def as_language_model(model: Any, named: Any, folder: Path, kind: Kind, device: torch.device) -> LanguageModel:
    """What `load_unpacked` gave, as one that is measured; `folder` is named where a special token is missing.

    Raises:
        ModelError: the tokenizer names no token to begin a text with, or none for what is hidden.
    """
    positions = getattr(model.config, "max_position_embeddings", None) or _USUAL_WINDOW
    window = min(positions, named.model_max_length, _LONGEST_WINDOW)
    network = PaddedNetwork(model.to(device), model.config.vocab_size, window)
    ids = {name: getattr(named, f"{name}_token_id") for name in _USUAL_TOKENS}
    tokenizer = named.backend_tokenizer
    return LanguageModel(kind, network, tokenizer, _frame(folder, kind, tokenizer, ids), window)


def kind_of_model(folder: Path) -> Kind | None:
    """What the config.json in `folder` says the model is made for; None: for no guessing, or there is no model."""
    names = settings_of(folder).get("architectures") if (folder / "config.json").is_file() else None
    for kind, pattern in _KINDS.items():
        if any(pattern.search(str(name)) for name in names or ()):
            return kind
    return None


def settings_of(folder: Path) -> dict[str, Any]:
    """What its config.json says.

    Raises:
        ModelError: there is none, or it can't be read.
    """
    return _read_json(folder / "config.json")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"can't read {path}: {error}") from error
    if not isinstance(settings, dict):
        raise ModelError(f"can't read {path}: expected a JSON object")
    return settings


def _frame(folder: Path, kind: Kind, tokenizer: Tokenizer, ids: Mapping[str, int | None]) -> Frame:
    """What stands around a text: for a masked model what its tokenizer puts there, for a causal one begin and end."""
    if kind == "masked":
        probe = tokenizer.encode("a")
        special = probe.special_tokens_mask
        first, last = special.index(0), len(special) - special[::-1].index(0)
        mask = ids["mask"]
        if mask is None:
            raise ModelError(f"the tokenizer in {folder} names no token for what is hidden (mask_token)")
        return Frame(tuple(probe.ids[:first]), tuple(probe.ids[last:]), mask)
    end = ids["eos"]
    begin = next((ids[name] for name in ("bos", "cls", "eos") if ids[name] is not None), None)
    if begin is None:
        raise ModelError(f"the tokenizer in {folder} names no token to begin a text with (bos_token or eos_token)")
    return Frame((begin,), () if end is None else (end,), ids["mask"])


def _special_tokens(folder: Path, tokenizer: Tokenizer) -> dict[str, int | None]:
    """Ids by role, as the files beside a tokenizer.json say."""
    named: dict[str, Any] = {}
    for file in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / file).is_file():
            named |= _read_json(folder / file)
    ids: dict[str, int | None] = {}
    for role, usual in _USUAL_TOKENS.items():
        token = named.get(f"{role}_token")
        contents = [token.get("content") if isinstance(token, dict) else token, *usual]
        known = [tokenizer.token_to_id(content) for content in contents if isinstance(content, str)]
        ids[role] = next((id for id in known if id is not None), None)
    return ids
