"""tolman mcp"""

from pathlib import Path

import click

from tolman.cli.parameters import space_argument


@click.command()
@space_argument
def mcp(space: Path) -> None:
    """Let an assistant search SPACE, over the Model Context Protocol on stdin and stdout.

    Its tools are search, neighbours, topics and document; all of them only read.

    \b
    Example, in the settings of an assistant:
      {"command": "tolman", "args": ["mcp", "tickets.space"]}
    """
    from tolman.mcp_server import serve_tools

    serve_tools(space)
