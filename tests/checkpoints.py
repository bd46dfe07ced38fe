"""Tiny checkpoints with random weights, in the folders that transformers and sentence-transformers write."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = [
    "The cat sits on the mat.",
    "",
    "refund never arrived",
    "Ünïcödé und Straße, 日本語のテキスト",
    "a",
    "long " * 90,
    *("the cat and the mat " * repeats for repeats in range(1, 12)),
]
WIDTH, MAX_TOKENS = 32, 64


def tiny_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 2)]
    )
    tokenizer.enable_padding(length=32)  # as many published files do: an encoder must not be misled by it
    tokenizer.enable_truncation(16)
    return tokenizer


def write_transformer(folder: Path, model_type: str = "bert", **settings: object) -> Path:
    """A plain transformers folder: two layers, random weights."""
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    sizes = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    if model_type == "distilbert":
        sizes = {"dim": WIDTH, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        model_type,
        **{
            "vocab_size": 120,
            "max_position_embeddings": MAX_TOKENS + 2,
            "initializer_range": 0.2,
            "pad_token_id": 1,
            **sizes,
            **settings,
        },
    )
    AutoModel.from_config(config).save_pretrained(folder)
    names = {
        name: f"[{name.removesuffix('_token').upper()}]"
        for name in ("cls_token", "sep_token", "pad_token", "unk_token", "mask_token")
    }
    PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer(), model_max_length=MAX_TOKENS, **names).save_pretrained(
        folder
    )
    return folder


def write_sentence_transformer(folder: Path, *modules: object, model_type: str = "bert", **options: object) -> Path:
    """A sentence-transformers folder: that transformer, then `modules`."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Transformer

    plain = write_transformer(folder.with_name(f"{folder.name}-plain"), model_type)
    SentenceTransformer(modules=[Transformer(str(plain)), *modules], device="cpu", **options).save(str(folder))
    return folder


def write_causal(folder: Path, model_type: str, **settings: object) -> Path:
    """A plain transformers folder of a causal model: two layers, random weights."""
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    special = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    config = AutoConfig.for_model(
        model_type, vocab_size=120, max_position_embeddings=64, initializer_range=0.2, **sizes, **special, **settings
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    names = {"bos_token": "[CLS]", "eos_token": "[SEP]", "pad_token": "[PAD]"}
    PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer(), **names).save_pretrained(folder)
    return folder
