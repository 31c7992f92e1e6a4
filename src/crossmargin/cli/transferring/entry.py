"""The command `transfer`, and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossmargin.cli.arguments import JsonOption, MarketOption


def transfer(
    asset: Annotated[str, typer.Argument(help="What is brought: USDC, ETH, …", show_default=False)],
    market: MarketOption,
    origin: Annotated[str, typer.Option("--from", help="The chain it is on (CAIP-2).", show_default=False)],
    destination: Annotated[str, typer.Option("--to", help="The chain it is needed on (CAIP-2).", show_default=False)],
    amount: Annotated[float, typer.Option(help="How much, in whole tokens.", show_default=False)],
    deadline: Annotated[float, typer.Option(help="Within how many minutes it must be there.")] = 60.0,
    confidence: Annotated[float, typer.Option(help="How sure that must be.")] = 0.95,
    gas_multiple: Annotated[float, typer.Option(help="Gas at so many times its price: 20 in a rush.")] = 1.0,
    delay_multiple: Annotated[float, typer.Option(help="Finality and attestation slower by this factor.")] = 1.0,
    depth_usd: Annotated[
        float | None, typer.Option(help="Depth of the market it is swapped in at the ends, USD; without, none is.")
    ] = None,
    rate: Annotated[float, typer.Option(help="What money costs a year.")] = 0.05,
    routes: Annotated[Path, typer.Option(help="A table of routes, fees and gas: .toml or .json.")] = Path("default"),
    registry: Annotated[Path, typer.Option(help="The registry of chains, assets and bridges.")] = Path("default"),
    as_json: JsonOption = False,
) -> None:
    """Say by which routes collateral gets to another chain: cost part by part, time, and which one to take.

    Taken is the cheapest route that is there by the deadline. Also said: the price difference between the two chains
    that nobody gains by closing, which is what can persist.

    Example: `crossmargin transfer USDC --from eip155:42161 --to eip155:1 --amount 250000 --market market.toml`
    """
    from crossmargin.cli.transferring import command

    asked = command.Asked(
        asset=asset,
        origin=origin,
        destination=destination,
        amount=amount,
        deadline_s=60.0 * deadline,
        confidence=confidence,
        gas_multiple=gas_multiple,
        delay_multiple=delay_multiple,
        depth_usd=depth_usd,
        rate=rate,
    )
    command.transfer(asked, market=market, routes=routes, registry=registry, as_json=as_json)
