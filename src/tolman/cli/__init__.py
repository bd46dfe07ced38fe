"""The command line: parsing and printing only.

One file a verb family. What takes long to import waits until a verb needs it, so that a search starts at once.
"""

import sys

import click

from tolman import __version__
from tolman.cli.cold_start import import_arrow_without_pandas
from tolman.cli.distil import distil
from tolman.cli.encode import encode
from tolman.cli.evaluate import evaluate
from tolman.cli.exits import Verbs, debugging, leave, quieten_libraries, report_bug
from tolman.cli.grow import add, remove
from tolman.cli.info import info
from tolman.cli.learn import learn
from tolman.cli.map import map_
from tolman.cli.mcp import mcp
from tolman.cli.models import models
from tolman.cli.search import search
from tolman.cli.senses import senses
from tolman.cli.serve import serve
from tolman.cli.topics import topics
from tolman.cli.tune import tune
from tolman.cli.words import words


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="tolman %(version)s")
def app() -> None:
    """One latent space you own: learned on your text, kept in one folder, used for everything.

    \b
    Examples:
      tolman learn tickets.csv --text body --title subject -o tickets.space
      tolman search tickets.space "refund never arrived"

    Results go to stdout, progress to stderr. Exit codes: 0 done, 1 what was asked for can't be done (one line that
    says why; TOLMAN_DEBUG=1 shows the traceback), 2 the command line itself is wrong (no such verb or flag, one is
    missing, its value is no number, or none of those that are named), 130 interrupted, 141 nobody reads the results any
    more.
    """


for verb in (
    *(learn, tune, distil, add, remove, search, topics, map_, senses, words),
    *(serve, mcp, encode, evaluate, info, models),
):
    app.add_command(verb)


def main() -> None:
    """Run the command line on this process's arguments, and exit."""
    if not debugging():
        sys.excepthook = report_bug
        quieten_libraries()
    if sys.argv[1:2] == ["search"]:
        import_arrow_without_pandas()
    try:
        app(prog_name="tolman")
    except SystemExit as ended:
        leave(ended.code)
        raise
