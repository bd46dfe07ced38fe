"""Writes a learned transformer into a folder that sentence-transformers, `transformers` and `read_checkpoint` read.

    config.json, model.safetensors, tokenizer.json ...   the encoder; with a head that guesses hidden tokens, if learned
    modules.json, 1_Pooling/, 2_Normalize/               how sentence-transformers makes one vector of it
    causal/                                              the same trunk as a causal model, if learned
    bottleneck.safetensors                               latent vectors and back, if learned

A trunk that learned nothing but to guess the next token is written as a causal model alone, unless a vector is wanted.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from tolman.errors import ModelError
from tolman.models.architectures import changed_weights, modern_settings, modern_weights
from tolman.models.bottleneck import Bottleneck
from tolman.models.checkpoint import BOTTLENECK, CAUSAL, Checkpoint, copy_checkpoint, read_weights
from tolman.models.language_head import LanguageHead
from tolman.models.learning_transformer import Transformer
from tolman.models.tree import named_tensors
from tolman.storage import readable_like_its_folder, storing
from tolman.tokenization import BEGIN, END, MASK, PAD, opening


def save_new(
    folder: Path, model: Transformer, tokenizer: Tokenizer, objectives: Collection[str], *, encoder: bool = True
) -> None:
    """Write a trunk that was learned from nothing.

    Args:
        folder: to write to; made if missing.
        model: in float32.
        tokenizer: of `train_text_tokenizer`.
        objectives: that it learned by. A head that guesses is written where it learned to: hidden tokens by masked, the
            next one by causal and by autoencoding.
        encoder: whether the folder is to give vectors; otherwise it is the causal model itself.

    Raises:
        StorageError: the disk refuses.
    """
    writes = not {"causal", "autoencoding"}.isdisjoint(objectives)
    with storing(f"can't write the model to {folder}"):
        if encoder:
            guesses = model if "masked" in objectives else replace(model, language=None)
            _write_model(folder, guesses, tokenizer, causal=False)
            _write_modules(folder, model)
        if writes:
            _write_model(folder / CAUSAL if encoder else folder, model, tokenizer, causal=True)
        if model.bottleneck is not None:
            _save_weights(dict(named_tensors(model.bottleneck)), folder / BOTTLENECK)


def save_adapted(folder: Path, model: Transformer, checkpoint: Checkpoint, origin: Path) -> None:
    """Write what was learned on from the model in `origin`: its folder, with other weights.

    Raises:
        StorageError: the disk refuses.
    """
    with storing(f"can't write the model to {folder}"):
        copy_checkpoint(checkpoint, origin, folder)
        home = checkpoint.weight_files[0].parent.relative_to(origin)
        settings = json.loads((origin / home / "config.json").read_text(encoding="utf-8"))
        files = [path for path in checkpoint.weight_files if path.parent == origin / home]
        weights = changed_weights(settings, read_weights(files), model.trunk)
        for path in files:
            (folder / path.relative_to(origin)).unlink()
        (folder / home / "model.safetensors.index.json").unlink(missing_ok=True)
        _save_weights(weights, folder / home / "model.safetensors")


def _write_model(folder: Path, model: Transformer, tokenizer: Tokenizer, *, causal: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    begin, end, pad = (tokenizer.token_to_id(token) for token in (BEGIN, END, PAD))
    assert begin is not None and end is not None and pad is not None  # noqa: PT018
    settings = modern_settings(model.trunk, causal=causal, begin=begin, end=end, pad=pad)
    weights = modern_weights(model.trunk, causal=causal)
    if model.language is not None:
        weights |= _language_weights(model.language, "lm_head" if causal else "head")
    else:
        settings["architectures"] = ["ModernBertModel"]
        weights = {name.removeprefix("model."): weight for name, weight in weights.items()}
    _save_weights(weights, folder / "model.safetensors")
    _write_json(folder / "config.json", settings)
    (opening(tokenizer) if causal else tokenizer).save(str(folder / "tokenizer.json"))
    named = {"pad_token": PAD, "bos_token": BEGIN, "cls_token": BEGIN, "eos_token": END, "sep_token": END}
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": model.trunk.max_length,
            "clean_up_tokenization_spaces": False,
            "model_input_names": ["input_ids", "attention_mask"],
            "mask_token": MASK,
            **named,
        },
    )


def _language_weights(language: LanguageHead, name: str) -> dict[str, Tensor]:
    return {
        f"{name}.dense.weight": language.dense.weight,
        f"{name}.norm.weight": language.norm.weight,
        "decoder.bias": language.bias_V,
    }


def _write_modules(folder: Path, model: Transformer) -> None:
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds.items())
    ]
    _write_json(folder / "modules.json", modules)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": model.trunk.max_length})
    pooling = {"word_embedding_dimension": model.trunk.width, "pooling_mode_mean_tokens": True}
    _write_json(folder / "1_Pooling" / "config.json", pooling)
    (folder / "2_Normalize").mkdir(exist_ok=True)


def read_bottleneck(folder: Path) -> Bottleneck | None:
    """The bottleneck in `folder`; None where there is none.

    Raises:
        ModelError: it is damaged.
    """
    from tolman.models.trunk import Linear

    path = folder / BOTTLENECK
    if not path.is_file():
        return None
    tensors = read_weights([path])
    try:
        narrow, widen = (Linear(tensors[f"{part}.weight"], tensors[f"{part}.bias"]) for part in ("narrow", "widen"))
        return Bottleneck(tensors["queries_KH"], tensors["sharpness_K"], narrow, widen)
    except KeyError as error:
        raise ModelError(f"{path} lacks {error.args[0]}: the bottleneck isn't whole") from None


def _save_weights(tensors: Mapping[str, Tensor], path: Path) -> None:
    plain = {name: tensor.detach().to("cpu", torch.float32).contiguous().clone() for name, tensor in tensors.items()}
    save_file(plain, path, metadata={"format": "pt"})
    readable_like_its_folder(path)


def _write_json(path: Path, settings: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
