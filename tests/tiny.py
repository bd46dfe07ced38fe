"""A real encoder and real corpora, small enough to be made in a millisecond."""

import hashlib
from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from tolman.corpus.corpus import Corpus
from tolman.corpus.document import Document
from tolman.models.static import StaticEncoder, TermSaturation

SUBJECTS = ("refund", "parcel", "invoice", "login", "lamp", "garden", "engine", "violin", "harbour", "glacier")
VERBS = ("arrived", "broke", "vanished", "sang", "froze", "doubled", "expired", "melted")
WORDS = (*SUBJECTS, *VERBS, *(f"word{i}" for i in range(200)))


def tiny_encoder(dim: int = 32, seed: int = 0) -> StaticEncoder:
    """A random vector for each of `WORDS`, none for any other word."""
    vocabulary = {word: row for row, word in enumerate(("[UNK]", *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    table = np.random.default_rng(seed).standard_normal((len(vocabulary), dim))
    table[0] = 0
    return StaticEncoder(tokenizer, table, TermSaturation(average_length=12))


def tiny_document(number: int, *, changed: str = "") -> Document:
    """Document `number`: always the same text. `changed` is put before it."""
    digest = hashlib.sha256(str(number).encode()).digest()
    subject, verb = SUBJECTS[digest[0] % len(SUBJECTS)], VERBS[digest[1] % len(VERBS)]
    rest = " ".join(f"word{byte % 200}" for byte in digest[2:12])
    text = f"{changed}The {subject} {verb} at noon. Nobody said {rest}. That was number {number}."
    return Document(
        f"d{number}", text, title=f"{subject} {verb}", metadata={"year": 2000 + number % 25, "shop": f"s{number % 3}"}
    )


def tiny_corpus(numbers: Sequence[int], *, changed: str = "") -> Corpus:
    """These documents."""
    return Corpus.from_documents(tiny_document(number, changed=changed) for number in numbers)
