"""``backprove variants``: fresh variants of an exercise, each with its key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backprove.app.failures import guarded
from backprove.app.output import check_destination, print_json, write_file
from backprove.app.progress import shown_progress
from backprove.errors import SetupError

MAX_VARIANTS = 1000


@guarded
def variants(
    key: Annotated[Path, typer.Argument(help="The worksheet with the right answers.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A folder; it is made where there is none.")
    ] = Path("variants"),
    seed: Annotated[int, typer.Option(help="The seed of the first variant.")] = 0,
    count: Annotated[
        int, typer.Option(min=1, max=MAX_VARIANTS, help="How many, with the seeds that follow.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the variants as data.")] = False,
) -> None:
    """Make fresh variants of an exercise, each with its answers.

    Functions, whole numbers and the values of inputs are drawn anew within their kind, and the
    answers are derived again and checked. The same seed gives the same variant.

    \b
    backprove variants key.md --seed 1 --count 30 -o variants/
    """
    from backprove.worksheets.source import Source
    from backprove.worksheets.variants import make_variant

    if output.exists() and not output.is_dir():
        raise SetupError(f"'{output}' is a file", hint="Name a folder for the variants.")
    source = Source.read(key)
    made = []
    with shown_progress(quiet=as_json) as progress:
        for number in range(count):
            progress(f"variant {seed + number}", number + 1, count)
            made.append(make_variant(source, seed + number))
    output.mkdir(parents=True, exist_ok=True)
    files = []
    for variant in made:
        names = {kind: f"{key.stem}-{variant.seed}-{kind}.md" for kind in ("exercise", "key")}
        for kind, name in names.items():
            check_destination(output / name, worksheet=key)
            write_file(output / name, variant.exercise if kind == "exercise" else variant.key)
        files.append({"seed": variant.seed, **names, "unchanged": list(variant.unchanged)})
    if as_json:
        print_json({"kind": "variants", "folder": str(output), "variants": files})
        return
    for each in files:
        print(f"{output / each['exercise']}, {output / each['key']}")
    for name in made[0].unchanged:
        if all(name in variant.unchanged for variant in made):
            print(f"question {name} is the same in all: nothing in it can be drawn anew")
