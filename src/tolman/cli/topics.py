"""tolman topics"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tolman.cli.parameters import PATH, json_option, space_argument
from tolman.cli.printing import print_json, shown
from tolman.cli.watching import progress_on_stderr
from tolman.counting import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from tolman.topics.namer import Namer
    from tolman.topics.topics import Period, Topics
    from tolman.topics.tree import Depth, Topic

_WORDS_SHOWN = 8


@click.command()
@space_argument
@click.option("--documents", is_flag=True, help="Print a line of JSON for each document: where it belongs.")
@click.option(
    "--depth",
    type=click.Choice(["broad", "shown", "fine"]),
    default="shown",
    show_default=True,
    help="How fine: list topics down to there; documents: of which topics.",
)
@click.option("--topic", metavar="ID", type=int, help="Only this topic: its words, its documents.")
@click.option("--again", is_flag=True, help="Find topics anew, keeping those that are there.")
@click.option(
    "--bearable", metavar="SHARE", type=float, help="Of the documents that may change topic.  [default: 0.02]"
)
@click.option(
    "--from-nothing", is_flag=True, help="Find topics as if for the first time; like ones keep their numbers."
)
@click.option("--rename", nargs=2, metavar="ID NAME", type=(int, str), help="Call a topic something else, for good.")
@click.option("--namer", metavar="FOLDER", type=PATH, help="Let the causal language model in FOLDER name topics.")
@click.option("--merge", metavar="ID,ID,…", help="Make one topic of several; the first gives number and name.")
@click.option("--split", metavar="ID", type=int, help="Show its finer topics in a topic's place.")
@click.option("--pin", metavar="ID", type=int, help="Keep a topic's documents in it, whatever comes.")
@click.option("--unpin", metavar="ID", type=int, help="No longer.")
@click.option("--place", metavar="TEXT", help="Say where a text belongs that isn't in the space.")
@click.option("--over-time", metavar="COLUMN", help="Count documents by topic and period of a column of dates.")
@click.option("--every", type=click.Choice(["year", "month", "day"]), default="month", show_default=True)
@click.option(
    "-o", "--output", metavar="FILE", type=PATH, help="Write documents, or counts: .parquet .csv .jsonl .arrow"
)
@json_option
def topics(space: Path, *, json: bool, output: Path | None, **asked: Any) -> None:
    """What the documents of SPACE are about.

    Topics are found the first time this is asked, in the full latent space, and kept in SPACE. How many is chosen
    without labels. Documents that come later are placed when topics are next asked for; --again finds topics anew,
    and at least 98 % of the documents stay in theirs. Names and what people changed last.

    \b
    Examples:
      tolman topics tickets.space
      tolman topics tickets.space --documents > where.jsonl
      tolman topics tickets.space --rename 3 "Late parcels"
      tolman topics tickets.space --merge 3,7
      tolman topics tickets.space --over-time year --every year
    """
    _require_one(_CHANGES, asked)
    _require_one(_VIEWS, asked)
    merged = _numbers(asked["merge"])
    from tolman.space.source import spare_source
    from tolman.space.space import open_space
    from tolman.tables import require_table_file

    opened = open_space(space)
    if output is not None:
        require_table_file(output)
        spare_source(opened, output)
    with progress_on_stderr() as progress:
        namer = None if asked["namer"] is None else _namer(asked["namer"])  # refused before anything is found and kept
        found = opened.topics(progress=progress)
        if asked["again"] or asked["from_nothing"]:
            bearable = {} if asked["bearable"] is None else {"bearable": asked["bearable"]}
            found = found.find_again(from_nothing=asked["from_nothing"], progress=progress, **bearable)
        elif asked["bearable"] is not None:
            raise click.UsageError("--bearable goes with --again")
        if namer is not None:
            found = found.name_by(namer, progress=progress)
    found = _changed(found, merged, asked)
    _show(found, json=json, output=output, **{name: asked[name] for name in _SHOWN})


_CHANGES = (("again", "from_nothing"), ("rename",), ("merge",), ("split",), ("pin",), ("unpin",))
_VIEWS = (("documents",), ("place",), ("over_time",))
_SHOWN = ("documents", "depth", "topic", "place", "over_time", "every")


def _require_one(groups: tuple[tuple[str, ...], ...], asked: dict[str, Any]) -> None:
    """One change at a time, so that none is made where another fails; and one thing to look at."""
    given = [names for names in groups if any(asked[name] is not None and asked[name] is not False for name in names)]
    if len(given) > 1:
        flags = " and ".join(f"--{names[0].replace('_', '-')}" for names in given)
        raise click.UsageError(f"{flags} don't go together: one at a time")


def _namer(folder: Path) -> "Namer":
    from tolman.topics.namer import Namer

    return Namer(folder)


def _numbers(listed: str | None) -> list[int]:
    try:
        return [int(number) for number in listed.split(",")] if listed is not None else []
    except ValueError:
        raise click.UsageError(f"--merge: expected numbers with commas between, got {listed!r}") from None


def _changed(found: "Topics", merged: list[int], asked: dict[str, Any]) -> "Topics":
    if asked["rename"] is not None:
        found = found.rename(*asked["rename"])
    if merged:
        found = found.merge(merged)
    if asked["split"] is not None:
        found = found.split(asked["split"])
    for name, pinned in (("pin", True), ("unpin", False)):
        if asked[name] is not None:
            found = found.pin(asked[name], pinned)
    return found


def _show(
    found: "Topics",
    *,
    json: bool,
    output: Path | None,
    documents: bool,
    depth: "Depth",
    topic: int | None,
    place: str | None,
    over_time: str | None,
    every: "Period",
) -> None:
    if place is not None:
        print_place(found, place, json=json)
    elif over_time is not None:
        print_table(found.over_time(over_time, every, depth), output, json=json)
    elif documents or output is not None:
        rows = found.documents(depth) if topic is None else found.members(topic)
        print_table(rows, output, json=True)
    elif topic is not None:
        print_json(found[topic].to_json()) if json else print_topic(found, found[topic])
    elif json:
        print_json(as_json(found))
    else:
        print_topics(found, depth)


def as_json(found: "Topics") -> dict[str, Any]:
    """All topics, and how they were found, as plain values."""
    record = found.record
    return {
        "documents": len(record),
        "nowhere": int((found.labels < 0).sum()),
        "found": record.found,
        "resolution": record.level.resolution,
        "topics": [topic.to_json() for topic in found],
    }


def print_table(rows: "pa.Table", output: Path | None, *, json: bool) -> None:
    """Into a file; else as JSON Lines, or for people as columns."""
    from tolman.cli.printing import print_columns
    from tolman.tables import write_table

    if output is not None:
        write_table(rows, output)
        click.echo(f"{output}: {counted(len(rows), 'row')}", err=True)
        return
    if json:
        for batch in rows.to_batches(4_096):
            for row in batch.to_pylist():
                print_json(row, indent=None)
        return
    values = [[f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows.to_pylist()]
    print_columns([rows.column_names, *values])


def print_place(found: "Topics", text: str, *, json: bool) -> None:
    """Where one text belongs."""
    place = found.place([text])[0]
    name = found[place.nearest].name
    if json:
        print_json(
            {"topic": place.topic, "nearest": place.nearest, "name": name}
            | {"probability": place.probability, "margin": place.margin}
        )
    elif place.topic is None:
        click.echo(f"nowhere; nearest to {place.nearest}  {shown(name)}")
    else:
        click.echo(f"{place.topic}  {shown(name)}  {place.probability:.0%}, {place.margin:.0%} more than the next")


def print_topics(found: "Topics", depth: "Depth") -> None:
    """The tree, for people."""
    for topic in [*found.broad, *(topic for topic in found.shown if topic.parent is None)]:
        _print_branch(found, topic, depth, indent=0)
    nowhere = int((found.labels < 0).sum())
    if nowhere:
        click.echo(f"{'':4}  {nowhere:6,d}  (nowhere)")


def _print_branch(found: "Topics", topic: "Topic", depth: "Depth", indent: int) -> None:
    from tolman.topics.tree import DEPTHS

    pin = " (pinned)" if topic.pinned else ""
    more = ", ".join(word for word in topic.words[:_WORDS_SHOWN] if word not in topic.name)
    name = click.style(shown(topic.name), bold=topic.depth != "fine")
    click.echo(
        f"{topic.id:4d}  {topic.size:6,d}  {'  ' * indent}{name}{pin}  {click.style(shown(more), dim=True)}".rstrip()
    )
    for child in found.children(topic.id):
        if DEPTHS.index(child.depth) <= DEPTHS.index(depth):
            _print_branch(found, child, depth, indent + 1)


def print_topic(found: "Topics", topic: "Topic") -> None:
    """One topic, for people."""
    click.echo(
        f"{topic.id}  {click.style(shown(topic.name), bold=True)}  {counted(topic.size, 'document')}, {topic.depth}"
    )
    click.echo(f"words    {shown(', '.join(topic.words))}")
    if topic.parent is not None:
        click.echo(f"part of  {topic.parent}  {shown(found[topic.parent].name)}")
    for child in found.children(topic.id):
        click.echo(f"divided  {child.id}  {shown(child.name)}  {counted(child.size, 'document')}")
    for name in topic.typical:
        click.echo(f"typical  {shown(name)}  {shown(found.title(name))}")
