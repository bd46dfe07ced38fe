"""One trunk that learns by all four objectives, against four trunks that learn by one each, in the same time together.

    python benchmarks/joint.py --data DATA [--minutes 5] [--at-once 2]

Each of the four gets so many minutes of one thread, the joint one four times as many. Learned and measured as in
language.py; `nDCG` is of the judge's questions to the documents that were learned from, the same for both.
"""

import argparse
import multiprocessing
import tempfile
from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
from language import Material, learned_row
from report import Cell, write_result

from tolman.model_folder import read_description

ALL = "masked,causal,autoencoding,contrastive"
MEASURES = {  # name -> (column, whether more is better)
    "causal": ("bits/byte", False),
    "masked": ("masked perplexity", False),
    "autoencoding": ("exact 1-16", True),
    "contrastive": ("nDCG", True),
}
NOTES = (
    "wiki_en_small, every 50th document held out. A budget of {minutes:g} minutes for each trunk of one objective, of "
    "{all:g} for the joint one; threads of each: {threads}, trunks at once: {at_once}, size {size}. CPU minutes count "
    "all of learning, with what comes before and after the budget. Perplexity of masked models is over {most:,} tokens."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--size", choices=["tiny", "small", "base"], default="tiny")
    parser.add_argument("--most", type=int, default=10_000, help="tokens that masked models are measured on")
    parser.add_argument("--name", default="joint")
    parser.add_argument("--at-once", type=int, default=1, help="trunks that learn side by side, each in a process")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, workers(options.at_once) as pool:
        together = pool.submit(measured, ALL, Path(scratch) / "joint", options, 4 * options.minutes)
        alone_each = {
            name: pool.submit(measured, name, Path(scratch) / name, options, options.minutes) for name in ALL.split(",")
        }
        joint, separate = together.result(), {name: asked.result() for name, asked in alone_each.items()}
    rows: list[dict[str, Cell]] = []
    for name, (column, more) in MEASURES.items():
        alone, shared = separate[name][column], joint[column]
        assert isinstance(alone, float)
        assert isinstance(shared, float)
        better = "joint" if (shared > alone) == more else "alone"
        minutes = separate[name]["CPU minutes"]
        rows.append({"objective": name, "measure": column, "alone": alone, "joint": shared, "better": better})
        rows[-1] |= {"CPU minutes alone": minutes, "CPU minutes joint": joint["CPU minutes"]}
    notes = NOTES.format(
        minutes=options.minutes,
        all=4 * options.minutes,
        threads=torch.get_num_threads(),
        size=options.size,
        at_once=options.at_once,
        most=options.most,
    )
    write_result(options.name, rows, notes)


def workers(count: int) -> ProcessPoolExecutor:
    """New processes, so that the CPU time of each is its own."""
    spawned = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=spawned, max_tasks_per_child=1)


def measured(objectives: str, folder: Path, options: Namespace, minutes: float) -> dict[str, Cell]:
    material = replace(Material.read(options.data), pairs=[])
    row = learned_row(material, objectives, folder, Namespace(**{**vars(options), "minutes": minutes}))
    if objectives == "masked":  # alone it has no prefix
        row["masked perplexity"] = row["perplexity"]
    row["nDCG"] = read_description(folder)["quality"].get("dense")
    return row


if __name__ == "__main__":
    main()
