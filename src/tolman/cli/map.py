"""tolman map"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tolman.cli.parameters import PATH, json_option, space_argument
from tolman.cli.printing import print_columns, print_json
from tolman.cli.watching import progress_on_stderr
from tolman.counting import counted

if TYPE_CHECKING:
    from tolman.projection.map import Map


@click.command("map")
@space_argument
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=PATH,
    help="A .html, .png or .svg to look at; .parquet .csv .jsonl .arrow: a table.",
)
@click.option(
    "--color",
    metavar="COLUMN",
    help="A column, label, topic or trust.  [default: the first of label, topic, trust that there is]",
)
@click.option("--seed", type=int, help="Of a map that is made now.  [default: 0]")
@click.option("--again", is_flag=True, help="Make it anew; every document moves.")
@json_option
def map_(space: Path, *, output: Path | None, color: str | None, seed: int | None, again: bool, json: bool) -> None:
    """Draw the documents of SPACE in the plane, near ones near each other.

    The map is kept in SPACE. Documents that come later are placed on it, and nobody ever moves. Trust says for each
    document how many of its 15 nearest are among its 15 nearest on the map.

    \b
    Examples:
      tolman map tickets.space -o map.html
      tolman map tickets.space -o map.svg --color topic
      tolman map tickets.space --json
    """
    if color is not None and output is None:
        raise click.UsageError("--color needs -o FILE")
    from tolman.drawing.files import draw_map, require_output
    from tolman.drawing.scene import require_color
    from tolman.projection.map import map_of
    from tolman.space.source import spare_source
    from tolman.space.space import open_space

    opened = open_space(space)
    if output is not None:
        require_output(output)
        spare_source(opened, output)
        require_color(opened, color)
    began = time.perf_counter()
    with progress_on_stderr() as progress:
        made = map_of(opened, seed=seed, again=again, must_keep=output is None, progress=progress)
        if output is not None:
            draw_map(opened, output, color=color, progress=progress, drawn=made)
    summary = as_json(made, time.perf_counter() - began)
    if json:
        print_json({"path": str(space), **summary, "output": None if output is None else str(output)})
    else:
        print_summary(space, made, summary)


def as_json(made: "Map", seconds: float) -> dict[str, Any]:
    """The map as plain values."""
    quality = {name: round(value, 4) if isinstance(value, float) else value for name, value in made.quality.items()}
    return {"documents": len(made), "seed": made.seed, **quality, "wall_seconds": round(seconds, 2)}


def print_summary(space: Path, made: "Map", summary: dict[str, Any]) -> None:
    """The same for people."""
    low, middle = (float((made.trust_N <= share).mean()) for share in (0.1, 0.5))
    shown = summary["trustworthiness"]
    rows = [
        ("map", f"{space}, {counted(len(made), 'document')}, seed {made.seed}"),
        ("neighbours kept", f"{summary['neighbours_kept']:.1%} of the 15 nearest of each document"),
        ("trustworthiness", "too few documents" if shown is None else f"{shown:.3f}"),
        ("trust", f"at most a tenth for {low:.0%} of the documents, over a half for {1 - middle:.0%}"),
        ("took", f"{summary['wall_seconds']} s now; {summary['cpu_seconds']} CPU-s when it was made"),
    ]
    if summary["placed"]:
        rows.append(("placed since", f"{counted(summary['placed'], 'document')}; --again makes the map anew"))
    print_columns(rows)
