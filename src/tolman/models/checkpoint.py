"""Reads the encoder folders that others make: the layouts of sentence-transformers and of `transformers`.

A folder is Transformer + Pooling (+ Dense ...) (+ Normalize), as its modules.json says, or a plain `transformers`
folder, whose token states are averaged. What sentence-transformers would do with it is what we do with it, except that
vectors always come out with unit norm.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer, normalizers
from torch import Tensor

from tolman.errors import ModelError
from tolman.models.architectures import build_trunk, runs_lean
from tolman.models.head import ACTIVATIONS, POOLING, Dense, Head
from tolman.models.trunk import Linear, PackedTrunk, PaddedTrunk

Settings = dict[str, Any]

PROMPT_NAMES = {"query": ("query",), "document": ("document", "passage", "corpus")}
"""What a folder may call the prompt of a role; the first that isn't empty counts."""

LEGACY_POOLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}

VOCABULARIES = ("vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model")
"""What a tokenizer.json is made from, where there is none."""

CAUSAL = "causal"
"""Folder beside an encoder of ours that holds the same trunk as a causal model."""
BOTTLENECK = "bottleneck.safetensors"
"""File beside an encoder of ours that turns states into few latent vectors, and back."""

OTHER_WEIGHTS = {".bin", ".gguf", ".h5", ".msgpack", ".onnx", ".ot", ".pt", ".pth", ".safetensors", ".xml"}

IRRELEVANT = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache"}
"""Keys of a config.json that don't change the vectors."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a folder holds, ready to compute.

    Attributes:
        max_tokens: of one sequence, special tokens included.
        prompts: what is put before a text, by role ("query", "document"); only those that aren't empty.
        settings: what determines the vectors beside weights, tokenizer and the fields above; JSON values.
        tokenizer_files, weight_files: where those were read from.
        pools, normalises: whether the folder says so itself, or we do.
    """

    trunk: PackedTrunk | PaddedTrunk
    head: Head
    tokenizer: Tokenizer
    max_tokens: int
    prompts: dict[str, str]
    settings: Settings
    tokenizer_files: tuple[Path, ...]
    weight_files: tuple[Path, ...]
    pools: bool
    normalises: bool


@dataclass(frozen=True, slots=True)
class _Module:
    """One line of a modules.json."""

    kind: str
    folder: Path

    def settings(self) -> Settings:
        settings: Settings = _read_json(self.folder / "config.json", optional=self.kind == "Normalize")
        return settings


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a sentence-transformers or a plain `transformers` folder.

    Raises:
        ModelError: it is neither, lacks a part, is damaged, or asks for something unknown.
    """
    if not folder.is_dir():
        raise ModelError(f"expected a folder with an encoder, found none: {folder}")
    base, *rest = _read_modules(folder)
    config = _read_json(base.folder / "config.json")
    weight_files = _weight_files(base.folder)
    trunk = _build_trunk(base.folder, config, weight_files)
    sentence = _read_json(base.folder / "sentence_bert_config.json", optional=True)
    lower_case = bool(sentence.get("do_lower_case"))
    head = _build_head(folder, rest, trunk.width)
    return Checkpoint(
        trunk=trunk,
        head=head,
        tokenizer=_read_tokenizer(base.folder, lower_case=lower_case),
        max_tokens=_max_tokens(base.folder, sentence, trunk.max_length),
        prompts=_read_prompts(folder),
        settings={
            "transformer": {key: value for key, value in config.items() if key not in IRRELEVANT},
            "pooling": [*head.pooling, head.include_prompt],
            "dense": [[layer.activation, layer.residual] for layer in head.dense],
            "lower_case": lower_case,
        },
        tokenizer_files=_tokenizer_files(base.folder),
        weight_files=(*weight_files, *(_weight_files(module.folder)[0] for module in rest if module.kind == "Dense")),
        pools=bool(rest),
        normalises=bool(rest) and rest[-1].kind == "Normalize",
    )


def copy_checkpoint(checkpoint: Checkpoint, folder: Path, target: Path) -> None:
    """Copy `folder`, which `checkpoint` was read from, leaving out weights that weren't read.

    Where it doesn't say how to pool or to normalise, the copy does: sentence-transformers then gives unit vectors too.
    """
    modules = _read_modules(folder)
    for source in {module.folder for module in modules} | {folder}:
        place = target / source.relative_to(folder)
        place.mkdir(parents=True, exist_ok=True)
        for path in source.iterdir() if source.is_dir() else ():
            if path.is_file() and (path.suffix not in OTHER_WEIGHTS or path in checkpoint.weight_files):
                shutil.copyfile(path, place / path.name)
    if (folder / BOTTLENECK).is_file():
        shutil.copyfile(folder / BOTTLENECK, target / BOTTLENECK)
    if (folder / CAUSAL).is_dir():
        shutil.copytree(folder / CAUSAL, target / CAUSAL, dirs_exist_ok=True)
    entries = [(module.kind, module.folder.relative_to(folder).as_posix()) for module in modules]
    if not checkpoint.pools:
        entries.append(("Pooling", "1_Pooling"))
        _write_json(target / "1_Pooling/config.json", _pooling_settings(checkpoint))
    if not checkpoint.normalises:
        entries.append(("Normalize", f"{len(entries)}_Normalize"))
        _write_json(
            target / "modules.json",
            [
                {
                    "idx": i,
                    "name": str(i),
                    "path": path.removeprefix("."),
                    "type": f"sentence_transformers.models.{kind}",
                }
                for i, (kind, path) in enumerate(entries)
            ],
        )


def _pooling_settings(checkpoint: Checkpoint) -> Settings:
    return {"word_embedding_dimension": checkpoint.trunk.width, "pooling_mode_mean_tokens": True}


def _write_json(path: Path, settings: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


# The folder and its modules


def _read_modules(folder: Path) -> list[_Module]:
    entries = _read_json(folder / "modules.json", optional=True) or [{"type": "Transformer", "path": ""}]
    try:
        modules = [_Module(entry["type"].rsplit(".", 1)[-1], folder / entry["path"]) for entry in entries]
    except (TypeError, KeyError) as error:
        raise ModelError(f"modules.json in {folder} isn't a list of modules with a type and a path") from error
    if any(not module.folder.resolve().is_relative_to(folder.resolve()) for module in modules):
        raise ModelError(f"modules.json in {folder} points outside of the folder")
    kinds = [module.kind for module in modules]
    dense = kinds[2:-1] if kinds[-1] == "Normalize" else kinds[2:]
    if kinds[0] != "Transformer" or kinds[1:2] not in ([], ["Pooling"]) or set(dense) - {"Dense"}:
        raise ModelError(f"expected Transformer, Pooling, Dense ..., Normalize in {folder}, got {', '.join(kinds)}")
    return modules


def _read_json(path: Path, *, optional: bool = False) -> Any:
    """The object in `path`; {} if there is none and it is optional."""
    if optional and not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"not an encoder folder: {path.parent} has no {path.name}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"can't read {path}: {error}") from error


def _read_prompts(folder: Path) -> dict[str, str]:
    prompts = _read_json(folder / "config_sentence_transformers.json", optional=True).get("prompts") or {}
    chosen = {
        role: next((prompts[name] for name in names if prompts.get(name)), "") for role, names in PROMPT_NAMES.items()
    }
    return {role: prompt for role, prompt in chosen.items() if prompt}


# Tokenizer


def _read_tokenizer(folder: Path, *, lower_case: bool) -> Tokenizer:
    path = folder / "tokenizer.json"
    if path.is_file():
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises nothing more precise
            raise ModelError(f"can't read {path}: {error}") from error
    else:
        tokenizer = _convert_tokenizer(folder)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if lower_case:
        present = [tokenizer.normalizer] if tokenizer.normalizer else []
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *present])
    return tokenizer


def _tokenizer_files(folder: Path) -> tuple[Path, ...]:
    names = ("tokenizer.json",) if (folder / "tokenizer.json").is_file() else VOCABULARIES
    return tuple(folder / name for name in names if (folder / name).is_file())


def _convert_tokenizer(folder: Path) -> Tokenizer:
    """For folders from before 2020, which hold a vocabulary but no tokenizer.json."""
    from transformers import AutoTokenizer

    try:
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True).backend_tokenizer
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{folder} has no tokenizer.json, and no vocabulary to make one from") from error
    return tokenizer


def _max_tokens(folder: Path, sentence: Settings, positions: int) -> int:
    of_tokenizer = _read_json(folder / "tokenizer_config.json", optional=True).get("model_max_length")
    return int(min(sentence.get("max_seq_length") or of_tokenizer or positions, positions))


# Weights


def _weight_files(folder: Path) -> list[Path]:
    """The files that hold a module's weights, safetensors before anything older."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return [folder / name]
        shards = _read_json(folder / f"{name}.index.json", optional=True).get("weight_map", {})
        if shards:
            return [folder / shard for shard in sorted(set(shards.values()))]
    raise ModelError(f"no weights in {folder}: expected model.safetensors or pytorch_model.bin")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def read_weights(files: Sequence[Path]) -> dict[str, Tensor]:
    """Everything in `files` by name.

    Raises:
        ModelError: one is damaged, or holds more than weights.
    """
    weights: dict[str, Tensor] = {}
    for path in files:
        try:
            if path.suffix == ".safetensors":
                weights |= load_file(path)
            else:
                weights |= torch.load(path, map_location="cpu", weights_only=True)
        except UnpicklingError as error:
            raise ModelError(f"can't read the weights in {path}: it is damaged, or holds more than weights") from error
        except (OSError, SafetensorError, RuntimeError, EOFError) as error:
            raise ModelError(f"can't read the weights in {path}: {_first_line(error)}") from error
    return weights


def _build_trunk(folder: Path, config: Settings, weight_files: Sequence[Path]) -> PackedTrunk | PaddedTrunk:
    if runs_lean(config):
        return build_trunk(config, read_weights(weight_files))
    from transformers import AutoModel

    try:
        model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        model_type = config.get("model_type", "no model_type")
        raise ModelError(f"transformers can't load {folder} ({model_type}): {_first_line(error)}") from error
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    positions = getattr(model.config, "max_position_embeddings", None) or 512
    return PaddedTrunk(model, width=model.config.hidden_size, max_length=positions)


# Head


def _build_head(folder: Path, modules: Sequence[_Module], width: int) -> Head:
    if not modules:
        return Head(pooling=("mean",))
    pooling = modules[0].settings()
    dense = tuple(_build_dense(module) for module in modules if module.kind == "Dense")
    head = Head(_pooling_modes(folder, pooling), dense, bool(pooling.get("include_prompt", True)))
    expected = [len(head.pooling) * width, *(len(layer.linear.weight) for layer in dense)]
    got = [layer.linear.weight.shape[1] for layer in dense]
    if got != expected[:-1]:
        raise ModelError(
            f"the dense layers of {folder} don't fit: they take {got} values, they are given {expected[:-1]}"
        )
    return head


def _pooling_modes(folder: Path, settings: Settings) -> tuple[str, ...]:
    flags = [key for key, on in settings.items() if key.startswith("pooling_mode_") and on]
    modes = settings.get("pooling_mode") or [LEGACY_POOLING.get(key, key) for key in flags] or ["mean"]
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    unknown = [mode for mode in modes if mode not in POOLING]
    if unknown:
        raise ModelError(f"{folder} pools by {', '.join(unknown)}; known are {', '.join(POOLING)}")
    return modes


def _build_dense(module: _Module) -> Dense:
    settings = module.settings()
    activation = settings.get("activation_function", "torch.nn.modules.activation.Tanh").rsplit(".", 1)[-1]
    if activation not in ACTIVATIONS:
        raise ModelError(f"{module.folder} applies {activation}; known are {', '.join(ACTIVATIONS)}")
    if settings.get("module_input_name", "sentence_embedding") != "sentence_embedding":
        raise ModelError(f"{module.folder} works on {settings['module_input_name']}, expected sentence_embedding")
    weights = {name: weight.float() for name, weight in read_weights(_weight_files(module.folder)).items()}
    if "linear.weight" not in weights:
        raise ModelError(f"the weights in {module.folder} lack linear.weight")
    weight = weights["linear.weight"]
    bias = weights.get("linear.bias", torch.zeros(len(weight)))
    return Dense(Linear(weight, bias), activation, bool(settings.get("use_residual")), weights.get("residual.weight"))
