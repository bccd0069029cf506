"""``backprove represent``: can a network give these targets at all."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from backprove.app.arguments import weights_of
from backprove.app.fact_claims import Claims, end, show_with
from backprove.app.failures import HELD, NOT_HELD, guarded
from backprove.app.output import check_destination
from backprove.errors import SetupError


@guarded
def represent(
    points: Annotated[
        str,
        typer.Argument(
            help="A truth table (xor, and3, parity3, 0b0110, 6/2), or a CSV file whose last "
            "column is the target."
        ),
    ],
    network: Annotated[
        str, typer.Option("--network", help="Such as 'relu(1)' or 'relu(2)+linear(1)'.")
    ] = "relu(1)",
    by: Annotated[str, typer.Option("--by", help="exact, or threshold: above 1/2.")] = "exact",
    bias: Annotated[bool, typer.Option("--bias/--no-bias", help="Whether units have one.")] = True,
    skip: Annotated[bool, typer.Option("--skip", help="Add the inputs at the output.")] = False,
    width: Annotated[str, typer.Option("--width", help="given, or minimal.")] = "given",
    seconds: Annotated[float, typer.Option("--seconds", min=0.0, help="The budget.")] = 30.0,
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="Evaluate these: 'W1=[[1,1],[1,1]], W2=[1,-2], b2=0'."),
    ] = None,
    claim: Claims = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as data.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write an HTML page that opens offline.")
    ] = None,
) -> None:
    """Prove that a network can give these targets, or that it cannot.

    The answer is exact weights, or a contradiction that no weights avoid; status 1 if it is
    impossible or was not decided, or with claims if one of them is not right.

    \b
    backprove represent xor --network "relu(1)"
    """
    import backprove as bp
    from backprove.theorems.given_weights import given_weights

    if output:
        check_destination(output)
    result: Any
    if weights:
        if by != "exact" or width != "given" or not bias or skip:
            raise SetupError(
                "--weights says the whole network", hint="Leave --by, --width and the flags out."
            )
        result = given_weights(points, network, weights_of(weights))
        held = result.fits
    else:
        result = bp.represent(
            points,
            network=network,
            by=cast(Literal["exact", "threshold"], by),
            bias=bias,
            skip=skip,
            width=cast(Literal["given", "minimal"], width),
            seconds=seconds,
        )
        held = result.possible
    source = f"represent {points} with {network}"
    end(show_with(result, claim, source, as_json=as_json, output=output))
    raise typer.Exit(HELD if held else NOT_HELD)
