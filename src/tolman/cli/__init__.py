"""The command line: parsing and printing only.

One file a verb family. What takes long to import waits until a verb needs it, so that a search starts at once.
"""

import sys
from typing import Annotated

import typer

from tolman import __version__
from tolman.cli.cold_start import import_arrow_without_pandas
from tolman.cli.encode import encode
from tolman.cli.evaluate import evaluate
from tolman.cli.exits import Verbs, debugging, report_bug
from tolman.cli.grow import add, remove
from tolman.cli.info import info
from tolman.cli.learn import learn
from tolman.cli.models import models
from tolman.cli.search import search

app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for verb in (learn, add, remove, search, encode, evaluate, info):
    app.command()(verb)
app.add_typer(models, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tolman {__version__}")
        raise typer.Exit


@app.callback()
def tolman(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One latent space you own: learned on your text, kept in one folder, used for everything.

    \b
    Examples:
      tolman learn tickets.csv --text body --title subject -o tickets.space
      tolman search tickets.space "refund never arrived"

    Results go to stdout, progress to stderr. Exit codes: 0 done, 1 an error (one line; TOLMAN_DEBUG=1 shows the
    traceback), 2 wrong usage, 130 interrupted.
    """


def main() -> None:
    """Run the command line on this process's arguments, and exit."""
    if not debugging():
        sys.excepthook = report_bug
    if sys.argv[1:2] == ["search"] and "--help" not in sys.argv:
        import_arrow_without_pandas()
    typer.main.get_command(app)(prog_name="tolman")
