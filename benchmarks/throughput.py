"""How fast a transformer learns here, beside a Hugging Face Trainer, and beside what the processor could do.

    python benchmarks/throughput.py --data DATA [--size small] [--seconds 60] [--repeats 3]

Masked language modelling of one model on DATA/wiki_en_small. Trainer runs with its defaults (8 texts a batch, float32
on a CPU, AdamW) on the same model, loaded from the folder that we write, each document cut to the model's window and
padded by `DataCollatorForLanguageModeling`, as its documentation does. Both take turns on the same thread; the middle
one of the repetitions counts. Tokens are those that a model reads, padding left out. The ceiling is a product of large
matrices in the same place and precision, measured in every turn; the share of it counts the operations of the
passes alone (Kaplan et al. 2020), not those of the optimiser. On a GPU, blocks are compiled, and with `--peak` the
share of what its maker promises (MFU) is told too.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import Cell, write_result
from tokenizers import Tokenizer

from tolman.ceiling import matrix_ceiling
from tolman.corpus.reading import read_corpus
from tolman.crew import SOLO
from tolman.effort import effort_of_step
from tolman.models.fresh import fresh_transformer
from tolman.models.learning_transformer import LearningTransformer, Transformer
from tolman.models.transformer import fastest_precision
from tolman.models.transformer_folder import save_new
from tolman.objectives.masked import Masked
from tolman.objectives.windows import Windows
from tolman.optimization import CLIP, Optimizers
from tolman.progress import Silent
from tolman.recipe import TransformerRecipe
from tolman.tokenization import MASK, PAD, TokenSequences, tokenize_text, train_text_tokenizer
from tolman.training import Run, Schedule, train
from tolman.transformer_learning import frame_of, grouped

WARM_UP = 3  # steps


@dataclass
class Ground:
    """What both learn from, and the model that both learn."""

    recipe: TransformerRecipe
    tokenizer: Tokenizer
    documents: TokenSequences
    start: Transformer

    @classmethod
    def prepare(cls, data: Path, size: Any) -> "Ground":
        texts = read_corpus(data / "wiki_en_small" / "wiki_en_small.jsonl.gz").contents()
        recipe = TransformerRecipe.derive(sum(map(len, texts)), len(texts), size)
        if SOLO.device.type == "cuda":
            recipe = recipe.on_gpus(1, documents=len(texts), memory=torch.cuda.mem_get_info()[0])
        tokenizer = train_text_tokenizer(texts, vocabulary=recipe.vocabulary)
        shape = recipe.shape
        start = fresh_transformer(
            vocabulary=tokenizer.get_vocab_size(),
            layers=shape.layers,
            width=shape.width,
            heads=shape.heads,
            window=shape.window,
            latents=None,
            seed=0,
        )
        return cls(recipe, tokenizer, tokenize_text(tokenizer, texts), start)


def ours(ground: Ground, seconds: float) -> tuple[float, float]:
    """(tokens, operations of the passes) a second, after a few steps."""
    frame, recipe = frame_of(ground.tokenizer), ground.recipe
    device = SOLO.device
    learner = LearningTransformer(
        ground.start, frame, fastest_precision(device), longest=recipe.window, compiled=device.type == "cuda"
    ).to(device)
    vocabulary = ground.tokenizer.get_vocab_size()
    batch = recipe.tokens // recipe.window
    objective = Masked(Windows.of(ground.documents, frame, batch=batch, length=recipe.window, vocabulary=vocabulary))
    optimizers = Optimizers(grouped(learner, recipe), clip=CLIP)
    effort = effort_of_step(learner, [(1.0, objective)], optimizers.groups, seed=0, each=recipe.rounds)
    assert effort is not None

    def run(schedule: Schedule) -> Run:
        return train(
            learner,
            [(1.0, objective)],
            schedule,
            optimizers,
            seed=0,
            checkpoint=None,
            recipe="",
            progress=Silent(),
            rounds=recipe.rounds,
        )

    run(Schedule(WARM_UP, 600))
    timed = run(Schedule.until(time.monotonic() + seconds))
    steps_a_second = timed.steps / timed.seconds
    return steps_a_second * effort.tokens, steps_a_second * effort.passes


def trainers(ground: Ground, seconds: float) -> float:
    """Tokens a second of `transformers.Trainer`."""
    from transformers import (
        AutoModelForMaskedLM,
        DataCollatorForLanguageModeling,
        PreTrainedTokenizerFast,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    class Clock(TrainerCallback):
        """Begins after a warm-up, counts what isn't padding, ends in time."""

        def on_step_begin(self, args: Any, state: Any, control: Any, **_unused: Any) -> None:
            if state.global_step == 1:
                self.began, counted[:] = time.monotonic(), []

        def on_step_end(self, args: Any, state: Any, control: Any, **_unused: Any) -> None:
            self.ended, self.tokens = time.monotonic(), sum(counted)
            control.should_training_stop = state.global_step > 2 and self.ended - self.began > seconds

    frame, window = frame_of(ground.tokenizer), ground.recipe.window
    texts = [ids.tolist() for ids in frame.put(cut(ground.documents, window - 2))]
    with tempfile.TemporaryDirectory() as folder:
        save_new(Path(folder) / "model", ground.start, ground.tokenizer, {"masked": 1.0})
        model = AutoModelForMaskedLM.from_pretrained(Path(folder) / "model")
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=ground.tokenizer, pad_token=PAD, mask_token=MASK)
        assert tokenizer.mask_token_id == frame.mask
        collate, counted = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.3), []

        def collating(rows: Any) -> Any:
            counted.append(sum(len(row["input_ids"]) for row in rows))
            return collate(rows)

        clock = Clock()
        arguments = TrainingArguments(
            folder, report_to=[], save_strategy="no", disable_tqdm=True, logging_strategy="no"
        )
        Trainer(
            model,
            arguments,
            data_collator=collating,
            train_dataset=[{"input_ids": ids} for ids in texts],
            callbacks=[clock],
        ).train()
    return clock.tokens / (clock.ended - clock.began)


def cut(documents: TokenSequences, longest: int) -> TokenSequences:
    return documents.cut(documents.offsets[:-1], np.minimum(documents.lengths, longest))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", choices=["tiny", "small", "base"], default="small")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peak", type=float, help="TFLOP/s of a GPU's matrix units in bfloat16, by its data sheet")
    parser.add_argument("--name", default="throughput")
    options = parser.parse_args()
    ground = Ground.prepare(options.data, options.size)
    turns = []
    for _ in range(options.repeats):
        ceiling = matrix_ceiling(fastest_precision(SOLO.device), SOLO.device)
        tokens, operations = ours(ground, options.seconds)
        turns.append((tokens, trainers(ground, options.seconds), operations, ceiling))
    tokens, theirs, operations, ceiling = (statistics.median(column) for column in zip(*turns, strict=True))
    ratio = statistics.median(turn[0] / turn[1] for turn in turns)
    share = statistics.median(turn[2] / turn[3] for turn in turns)
    row: dict[str, Cell] = {"size": options.size, "tokens/s": tokens, "Trainer tokens/s": theirs, "ratio": ratio}
    row |= {"GFLOP/s": operations / 1e9, "ceiling GFLOP/s": ceiling / 1e9, "share of the ceiling": share}
    if options.peak:
        row["MFU"] = operations / (options.peak * 1e12)
    notes = f"{options.repeats} turns of {options.seconds:g} s each, medians; {torch.get_num_threads()} threads."
    write_result(options.name, [row], notes)


if __name__ == "__main__":
    main()
