"""One trunk that learns by all four objectives, against four trunks that learn by one each, in the same time together.

    python benchmarks/joint.py --data DATA [--minutes 5]

Each of the four gets so many minutes of CPU time, the joint one four times as many. Learned and measured as in
language.py; `nDCG` is of the judge's questions to the documents that were learned from, the same for both.
"""

import argparse
import tempfile
from argparse import Namespace
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
    "wiki_en_small, every 50th document held out. {minutes:g} CPU minutes for each trunk of one objective, {all:g} for "
    "the joint one; {threads} threads, size {size}. Perplexity of masked models is over {most:,} tokens."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--size", choices=["tiny", "small", "base"], default="tiny")
    parser.add_argument("--most", type=int, default=10_000, help="tokens that masked models are measured on")
    parser.add_argument("--name", default="joint")
    options = parser.parse_args()
    material = Material.read(options.data)
    with tempfile.TemporaryDirectory() as scratch:
        separate = {
            name: measured(material, name, Path(scratch) / name, options, options.minutes) for name in ALL.split(",")
        }
        joint = measured(material, ALL, Path(scratch) / "joint", options, 4 * options.minutes)
    rows: list[dict[str, Cell]] = []
    for name, (column, more) in MEASURES.items():
        alone, together = separate[name][column], joint[column]
        assert isinstance(alone, float)
        assert isinstance(together, float)
        better = "joint" if (together > alone) == more else "alone"
        rows.append({"objective": name, "measure": column, "alone": alone, "joint": together, "better": better})
    notes = NOTES.format(
        minutes=options.minutes,
        all=4 * options.minutes,
        threads=torch.get_num_threads(),
        size=options.size,
        most=options.most,
    )
    write_result(options.name, rows, notes)


def measured(material: Material, objectives: str, folder: Path, options: Namespace, minutes: float) -> dict[str, Cell]:
    row = learned_row(material, objectives, folder, Namespace(**{**vars(options), "minutes": minutes}))
    if objectives == "masked":  # alone it has no prefix
        row["masked perplexity"] = row["perplexity"]
    row["nDCG"] = read_description(folder)["quality"].get("dense")
    return row


if __name__ == "__main__":
    main()
