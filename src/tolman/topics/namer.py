"""Names of topics by a causal language model that lies on this machine; without one, words name them (see `naming`)."""

from collections.abc import Sequence
from pathlib import Path

from tolman.errors import ModelError
from tolman.models.language_folder import kind_of_model, load_unpacked

_TEXTS, _CHARACTERS = 4, 240  # of a topic's documents that the model sees, and how much of each
_TOKENS = 16
_LONGEST_NAME = 60  # characters
_ASKED = (
    "Give the topic that these documents share a title of two to five words. Answer with the title alone.\n\n"
    "Words: {words}\nDocuments:\n{texts}"
)
_SHOWN = (
    "Words: striker, league, penalty\nDocuments:\n- The striker scored twice\nTitle: Football matches\n\n"
    "Words: oven, flour, dough\nDocuments:\n- Knead the dough and let it rest\nTitle: Baking bread\n\n"
)
"""For models that were not taught to answer: what is asked for, twice."""


class Namer:
    """A causal model that writes a title; greedy, so always the same one."""

    def __init__(self, folder: str | Path) -> None:
        """Load the model.

        Args:
            folder: with a model of `transformers` and its tokenizer. Nothing is downloaded, no code in it is run.

        Raises:
            ModelError: there is no causal model in it, or it can't be read.
        """
        import torch

        folder = Path(folder)
        if kind_of_model(folder) != "causal":
            raise ModelError(f"expected a folder with a causal language model, as transformers saves one: {folder}")
        self._model, self._tokenizer = load_unpacked(folder, "causal", torch.float32)

    def __call__(self, words: Sequence[str], texts: Sequence[str]) -> str | None:
        """A title for documents with these words; None where the model wrote nothing that could be one.

        Args:
            words: that tell the topic, the best first.
            texts: of typical documents.
        """
        import torch

        ids = torch.tensor([self._prompt(words, texts)], device=self._model.device)
        end = self._tokenizer.eos_token_id
        with torch.inference_mode():
            written = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=_TOKENS,
                do_sample=False,
                pad_token_id=end if end is not None else 0,
            )
        return as_name(self._tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True))

    def _prompt(self, words: Sequence[str], texts: Sequence[str]) -> list[int]:
        begun = "\n".join(f"- {' '.join(text.split())[:_CHARACTERS]}" for text in texts[:_TEXTS])
        asked = _ASKED.format(words=", ".join(words), texts=begun)
        if self._tokenizer.chat_template:
            message = [{"role": "user", "content": asked}]
            text = self._tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
            return list(self._tokenizer.encode(text, add_special_tokens=False))
        plain = f"{_SHOWN}{asked.partition(chr(10) * 2)[2]}\nTitle:"
        window = getattr(self._model.config, "max_position_embeddings", None) or len(plain)
        return list(self._tokenizer.encode(plain))[-max(1, window - _TOKENS) :]


def as_name(written: str) -> str | None:
    """The first line of what a model wrote, without quotation marks; None if that is no name."""
    line = next((line.strip() for line in written.splitlines() if line.strip()), "")
    line = " ".join(line.removeprefix("Title:").strip(" \t\"'“”*#.").split())
    is_name = 0 < len(line) <= _LONGEST_NAME and any(letter.isalpha() for letter in line) and line.isprintable()
    return line if is_name else None
