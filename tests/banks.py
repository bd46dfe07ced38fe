"""Corpora in which a word has senses that we put there, and encoders of both families that can read them."""

from pathlib import Path

import numpy as np
import torch
from checkpoints import MAX_TOKENS, WIDTH, write_transformer
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.models.static import StaticEncoder, TermSaturation
from tolman.models.transformer import TransformerEncoder

MONEY = "loan money deposit credit account interest cash branch teller mortgage".split()
RIVER = "water river fish mud boat reeds current flood shore willow".split()
OTHER = "music violin concert opera stage actor painter museum poem novel".split()
FILLER = "the a of it then with near some many old new big small".split()


def sentence(topic: list[str], word: str, random: np.random.Generator) -> str:
    """Words of one topic and fillers, `word` among them."""
    said = [*random.choice(topic, 6), *random.choice(FILLER, 5)]
    random.shuffle(said)
    said.insert(int(random.integers(2, 9)), word)
    return " ".join(said)


def planted(money: int, river: int, other: int = 40, *, word: str = "bank", seed: int = 0) -> Corpus:
    """So many documents with `word` among words of money and of rivers, and others without it; ids say which."""
    random = np.random.default_rng(seed)
    documents = [Document(f"money{i:03d}", sentence(MONEY, word, random)) for i in range(money)]
    documents += [Document(f"river{i:03d}", sentence(RIVER, word, random)) for i in range(river)]
    documents += [Document(f"other{i:03d}", sentence(OTHER, "hall", random)) for i in range(other)]
    return Corpus.from_documents(documents)


def shuffled(corpus: Corpus, seed: int) -> Corpus:
    """The same documents in another order."""
    documents = list(corpus)
    return Corpus.from_documents(documents[i] for i in np.random.default_rng(seed).permutation(len(documents)))


def _vectors(words: list[str], dim: int) -> np.ndarray:
    """A random vector a word, that of a topic's words near each other, and small ones for fillers."""
    random = np.random.default_rng(0)
    centres = {name: random.standard_normal(dim) for name in ("money", "river", "other")}
    rows = []
    for word in words:
        near = next(
            (c for c, topic in zip(centres.values(), (MONEY, RIVER, OTHER), strict=True) if word in topic), None
        )
        noise = random.standard_normal(dim)
        rows.append(0.2 * noise if near is None else near + 0.7 * noise)
    return np.array(rows, np.float32)


WORDS = [*MONEY, *RIVER, *OTHER, *FILLER, "bank", "banks", "hall"]


def static_encoder(dim: int = 32) -> StaticEncoder:
    """Knows the planted words, and no others."""
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["[UNK]", *WORDS])}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    table = np.concatenate([np.zeros((1, dim)), _vectors(WORDS, dim)])
    return StaticEncoder(tokenizer, table, TermSaturation(average_length=12))


def transformer_encoder(folder: Path) -> TransformerEncoder:
    """A random transformer whose embeddings are planted likewise; where a word stands means nothing to it."""
    from transformers import PreTrainedTokenizerFast

    special = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
    write_transformer(folder, vocab_size=len(special) + len(WORDS))
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate([*special, *WORDS])}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 2)]
    )
    names = {f"{n}_token": f"[{n.upper()}]" for n in ("cls", "sep", "pad", "unk", "mask")}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=MAX_TOKENS, **names).save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][len(special) :] = torch.from_numpy(_vectors(WORDS, WIDTH))
    weights["embeddings.position_embeddings.weight"][:] = 0
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return TransformerEncoder.load(folder, precision="float32")
