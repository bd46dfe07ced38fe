"""tolman serve"""

import ipaddress
import re
import secrets
import sys
from pathlib import Path

import click

from tolman.cli.exits import leave_threads_behind
from tolman.cli.parameters import space_argument

_INTERRUPTED = 130
_TOKEN = re.compile(r"[A-Za-z0-9_.-]{8,200}")


@click.command()
@space_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0: a free one.")
@click.option("--write", is_flag=True, help="Let documents be added and topics be changed.")
@click.option("--token", metavar="T", help="That every request must bring.  [default: made up beyond 127.0.0.1]")
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
def serve(space: Path, *, host: str, port: int, write: bool, token: str | None, show: bool) -> None:
    """Serve SPACE: a page to look at and wander in, and the API that it uses.

    The page shows the map with its topics, searches, compares, and explains. The API is described at /api/docs. Only
    programs of this machine are answered, unless --host says otherwise; then a token is wanted.

    \b
    Examples:
      tolman serve tickets.space --open
      tolman serve tickets.space --host 0.0.0.0 --port 80 --write
    """
    if token is not None and not _TOKEN.fullmatch(token):
        raise click.UsageError("--token: expected 8 to 200 letters, digits, dots, dashes and underscores")
    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(24)
    from tolman.atlas.running import run

    def told(address: str) -> None:
        click.echo(f"{address}{f'?token={token}' if token else ''}")
        click.echo(f"serving {space}, {'to read and write' if write else 'to read'}; Ctrl-C ends it", err=True)
        sys.stdout.flush()
        if show:
            click.launch(f"{address}{f'?token={token}' if token else ''}")

    try:
        run(space, host=host, port=port, write=write, token=token, ready=told)
    except KeyboardInterrupt:
        leave_threads_behind(_INTERRUPTED)
        raise
    leave_threads_behind(0)


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
