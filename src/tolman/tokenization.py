"""Texts to token ids: a tokenizer trained on the corpus itself, for any script.

Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909), of two kinds. For static encoders, over words: runs of
letters, marks and digits, in lower case; CamelCase and snake_case names are cut at their seams, so that code and prose
share tokens. For transformers, which are to write text too, over everything, so that tokens give the text back. Either
way, characters the training corpus never showed fall back to bytes, so no text is unknown.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SMALLEST_VOCABULARY, LARGEST_VOCABULARY, TOKENS_PER_DOCUMENT = 4_000, 24_000, 6
_WORD = r"[\p{L}\p{M}\p{N}]+"
_CAMEL_SEAM = r"(?<=[\p{Ll}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})"
_LARGEST_ALPHABET = 4_000
_CHUNK = 2_048
_MOST_REMEMBERED = 500_000  # words, some 100 MB


def vocabulary_size(documents: int) -> int:
    """How many tokens a corpus of that many documents can fill with meaning."""
    return min(LARGEST_VOCABULARY, max(SMALLEST_VOCABULARY, TOKENS_PER_DOCUMENT * documents))


def train_tokenizer(texts: Iterable[str], *, vocabulary: int) -> Tokenizer:
    """Learn a byte-pair encoding of at most `vocabulary` tokens from `texts`."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(Regex(_CAMEL_SEAM), " "), normalizers.NFKC(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD), behavior="removed", invert=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[f"<0x{byte:02X}>" for byte in range(256)],
        limit_alphabet=min(_LARGEST_ALPHABET, vocabulary // 2),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


PAD, BEGIN, END, MASK = "<pad>", "<s>", "</s>", "<mask>"


def train_text_tokenizer(texts: Iterable[str], *, vocabulary: int) -> Tokenizer:
    """Learn a byte-pair encoding of at most `vocabulary` tokens that `decode` turns back into the text.

    Over bytes (Radford et al., "GPT-2", 2019), so nothing is lost but the form of Unicode (NFC) and a space before the
    first word, which `decode` gives back without.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, BEGIN, END, MASK],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _framed(tokenizer, f"{BEGIN} $A {END}", f"{BEGIN} $A {END} $B:1 {END}:1")


def opening(tokenizer: Tokenizer) -> Tokenizer:
    """The same for a model that writes on: texts begin, and don't end."""
    return _framed(Tokenizer.from_str(tokenizer.to_str()), f"{BEGIN} $A", f"{BEGIN} $A $B:1")


def _framed(tokenizer: Tokenizer, single: str, pair: str) -> Tokenizer:
    around = [(token, tokenizer.token_to_id(token)) for token in (BEGIN, END)]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=around)
    return tokenizer


def tokenize_text(tokenizer: Tokenizer, texts: Iterable[str]) -> "TokenSequences":
    """Token ids of every text by any tokenizer, without the special tokens it puts around."""
    return TokenSequences.join(
        [
            np.asarray(encoding.ids, np.int32)
            for chunk in _chunks(texts)
            for encoding in tokenizer.encode_batch_fast(chunk, add_special_tokens=False)
        ]
    )


@dataclass(frozen=True)
class TokenSequences:
    """Token ids of N texts, end to end.

    Attributes:
        ids: int32 (total,).
        offsets: int64 (N + 1,); text i is ids[offsets[i]:offsets[i + 1]].
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text."""
        return np.diff(self.offsets)

    def only(self, rows: NDArray[np.int64]) -> "TokenSequences":
        """The texts of `rows`, in that order."""
        return self.cut(self.offsets[rows], self.lengths[rows])

    def cut(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> "TokenSequences":
        """One text a stretch: `lengths[i]` tokens from position `starts[i]` of `ids`."""
        offsets = np.zeros(len(starts) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        positions = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
        return TokenSequences(self.ids[positions], offsets)

    def without(self, share: float, generator: np.random.Generator) -> "TokenSequences":
        """Each token left out with probability `share`."""
        kept = generator.random(len(self.ids)) >= share
        before = np.concatenate([[0], np.cumsum(kept)])
        return TokenSequences(self.ids[kept], before[self.offsets])

    def cropped(self, longest: int, generator: np.random.Generator) -> "TokenSequences":
        """Of each longer text a stretch of `longest` tokens, from anywhere in it."""
        lengths = np.minimum(self.lengths, longest)
        starts = self.offsets[:-1] + generator.integers(0, self.lengths - lengths + 1)
        return self.cut(starts, lengths)

    @classmethod
    def join(cls, sequences: Sequence[NDArray[np.int32]]) -> "TokenSequences":
        """From one array a text."""
        offsets = np.zeros(len(sequences) + 1, np.int64)
        np.cumsum([len(s) for s in sequences], out=offsets[1:])
        return cls(np.concatenate([np.empty(0, np.int32), *sequences]).astype(np.int32, copy=False), offsets)


class WordMemory:
    """A tokenizer that remembers the words it has seen: four times as fast on prose, and the same tokens.

    What stands between white space is tokenised by itself, for no token of `train_tokenizer` spans it.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: dict[str, list[int]] = {}

    def __call__(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Token ids of each text."""
        words = [text.split() for text in texts]
        ids = self._ids  # asked word by word: a set less all that is known would go through all that is known
        unknown = list({word for text in words for word in text if word not in ids})
        if len(self._ids) + len(unknown) > _MOST_REMEMBERED:
            self._ids.clear()
            unknown = list({word for text in words for word in text})
        if unknown:  # to ask for nothing takes the tokenizer a millisecond
            encodings = self._tokenizer.encode_batch_fast(unknown, add_special_tokens=False)
            self._ids.update((word, encoding.ids) for word, encoding in zip(unknown, encodings, strict=True))
        known = self._ids.__getitem__
        return [np.fromiter(chain.from_iterable(map(known, text)), np.int32) for text in words]


def tokenize(tokenizer: Tokenizer, texts: Iterable[str]) -> TokenSequences:
    """Token ids of every text, in order; in memory 4 bytes a token, the texts themselves are let go chunk by chunk."""
    memory = WordMemory(tokenizer)
    return TokenSequences.join([ids for chunk in _chunks(texts) for ids in memory(chunk)])


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(texts)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
