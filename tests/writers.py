"""A tiny transformer of ours with random weights, in the folders that learning leaves."""

from pathlib import Path

from tokenizers import Tokenizer

from tolman.models.fresh import Drawer, fresh_transformer
from tolman.models.learning_transformer import LearningTransformer, Transformer
from tolman.models.transformer_folder import save_new
from tolman.models.tree import map_tensors
from tolman.tokenization import train_text_tokenizer
from tolman.transformer_learning import frame_of

TEXTS = [
    "The courier rang twice and left the lamp with a neighbour.",
    "",
    "Straße, naïve, 日本語",
    "a",
    "the lamp and the courier " * 30,
    *("the cat and the mat " * repeats for repeats in range(1, 6)),
]
WIDTH, WINDOW, LATENTS = 32, 24, (2, 6)


def tiny_text_tokenizer() -> Tokenizer:
    return train_text_tokenizer(TEXTS, vocabulary=320)


def tiny_transformer(tokenizer: Tokenizer, *, latents: tuple[int, int] | None = LATENTS, seed: int = 0) -> Transformer:
    """Weights so wide apart that guesses differ from token to token."""
    vocabulary = tokenizer.get_vocab_size()
    start = fresh_transformer(
        vocabulary=vocabulary, layers=3, width=WIDTH, heads=4, window=WINDOW, latents=latents, seed=seed
    )
    drawer = Drawer(seed + 1, 1)
    return map_tensors(start, lambda _o, _n, tensor: tensor + drawer.matrix(1, tensor.numel(), 0.2).view(tensor.shape))


def write_learned(folder: Path, *, encoder: bool = True, causal: bool = True, latents: bool = False) -> Path:
    """What `save_new` writes."""
    tokenizer = tiny_text_tokenizer()
    model = tiny_transformer(tokenizer, latents=LATENTS if latents else None)
    save_new(folder, model, tokenizer, ["masked", "causal"] if causal else ["masked"], encoder=encoder)
    return folder


def learner_of(model: Transformer, tokenizer: Tokenizer) -> LearningTransformer:
    """The same model as objectives see it, in float32."""
    return LearningTransformer(model, frame_of(tokenizer), "float32", longest=WINDOW)
