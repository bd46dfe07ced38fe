"""tolman models list, tolman models pull"""

from typing import Annotated

import typer

models = typer.Typer(help="Pretrained models.", no_args_is_help=True, rich_markup_mode=None)
