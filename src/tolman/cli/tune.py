"""tolman tune"""

from pathlib import Path

import click

from tolman.cli.parameters import PATH, column_options, json_option
from tolman.cli.printing import print_columns, print_json
from tolman.cli.watching import progress_on_stderr


@click.command()
@click.argument("source")
@click.option(
    "-o",
    "--output",
    metavar="recipe.json",
    type=PATH,
    help="Write the chosen recipe there; a recipe that is there is replaced.",
)
@column_options
@click.option("--base", default="scratch", show_default=True, help="scratch, or scratch+minilm or another model.")
@click.option(
    "--budget", metavar="TIME", default="60s", show_default=True, help="For all trials: 60s, 5m, 2h or seconds."
)
@click.option("--seed", default=0, show_default=True, help="For repeatable runs.")
@json_option
def tune(
    source: str,
    *,
    output: Path | None,
    text: str | None,
    title: str | None,
    id: str | None,
    label: str | None,
    base: str,
    budget: str,
    seed: int,
    json: bool,
) -> None:
    """Choose a recipe for learning on SOURCE, without labels.

    Tries many recipes briefly and the best of them longer, judged on questions cut out of SOURCE itself. Prints every
    trial with its grade, and how sure the choice is. The usual recipe stays unless another leads it beyond noise.

    \b
    Examples:
      tolman tune tickets.csv --budget 5m -o recipe.json
      tolman learn tickets.csv --recipe recipe.json
    """
    from tolman.recipe_choice import explain_choice, show_tuning
    from tolman.recipe_choice import tune as choose
    from tolman.recipe_file import require_recipe_place

    if output:
        require_recipe_place(output)

    with progress_on_stderr() as progress:
        tuning = choose(
            source, base=base, budget=budget, seed=seed, text=text, title=title, id=id, label=label, progress=progress
        )
    if output:
        tuning.write(output)
    if json:
        print_json(tuning.to_json())
        return
    print_columns(list(show_tuning(tuning)))
    click.echo(explain_choice(tuning))
