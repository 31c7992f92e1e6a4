"""Markets from option chains, and the checks of a market: what `crossmargin market` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from crossmargin.adapters.chains import chains_at, market_document, parse_time
from crossmargin.adapters.documents import read_document
from crossmargin.adapters.files import market_of, moved_market, read_book, read_market, read_model_document
from crossmargin.adapters.writing import document_syntax, document_text
from crossmargin.cli.markets.report import chain_line, chain_report, check_report, survey_line
from crossmargin.cli.output import enter_text, print_json, print_report, progress_bar
from crossmargin.core import check
from crossmargin.core.errors import InvalidInput
from crossmargin.core.instant import SECOND_NS, format_instant, parse_instant
from crossmargin.market import document as doc
from crossmargin.market.curve import RateCurve
from crossmargin.market.fit import FittedChain, build_chain
from crossmargin.market.quotes import NO_RATES, ChainQuotes

Fitted: TypeAlias = tuple[ChainQuotes, FittedChain]
EVERY_TIME: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the chains are, and which of them are wanted; `at` is "" for the last, "all" for every time."""

    deribit: tuple[Path, ...]
    tradfi: tuple[Path, ...]
    base: Path | None
    at: str
    rate: float | None


def build(sources: Sources, *, out: Path | None, html: Path | None, as_json: bool) -> None:
    """Fit chains, print how good the fit is, and write the market; or survey all times, a line for each chain."""
    base = read_document(sources.base, doc.MarketDocument) if sources.base is not None else None
    if sources.at == EVERY_TIME:
        if out is not None or html is not None:
            raise InvalidInput(
                "--at", where="command line", value=EVERY_TIME, limit="one time, to write it", remedy="Name the time."
            )
        _survey(_read(sources, base), as_json=as_json)
        return
    syntax = document_syntax(out) if out is not None else "toml"
    fitted = _fit(sources, base)
    chains = [chain for _, chain in fitted]
    with ExitStack() as files:
        if out is not None:
            document = market_document(fitted, base=base, source=_source(sources, fitted))
            market_of(document, sources.base or out)
            enter_text(files, out, document_text(moved_market(document, sources.base or out, out), syntax=syntax))
        if html is not None:
            from crossmargin.cli.markets.page import market_page

            enter_text(files, html, market_page(chains))
    if as_json:
        print_json([chain.report for chain in chains])
        return
    for chain in chains:
        print_report(chain, as_json=False, tables=chain_report)
    if out is not None:
        print(f"Wrote {out}.")


def _fit(sources: Sources, base: doc.MarketDocument | None) -> list[Fitted]:
    """The chains of the time that is wanted, fitted as of the last of them."""
    at_ns = parse_time(sources.at, where="--at") if sources.at else None
    fitted: list[Fitted] = []
    with progress_bar() as progress:
        files = ", ".join(map(str, (*sources.deribit, *sources.tradfi)))
        chains = chains_at(_read(sources, base), at_ns, where=files)
        now_ns = max(chain.latest_ns for chain in chains)
        for quotes in chains:
            fitted.append((quotes, build_chain(quotes, now_ns=now_ns)))
            progress("fitting", len(fitted), len(chains))
    return fitted


def _survey(chains: Iterator[ChainQuotes], *, as_json: bool) -> None:
    reports, refused = [], 0
    for quotes in sorted(chains, key=lambda c: (c.latest_ns, c.underlying)):
        try:
            chain = build_chain(quotes, now_ns=quotes.latest_ns)
        except InvalidInput as error:
            refused += 1
            line = f"{format_instant(quotes.latest_ns)} {quotes.underlying:<9} refused: {error}"
        else:
            reports.append(chain.report)
            line = chain_line(chain)
        if not as_json:
            print(line, flush=True)
    if as_json:
        print_json(reports)
    else:
        print(survey_line([report.total for report in reports], refused))


def _read(sources: Sources, base: doc.MarketDocument | None) -> Iterator[ChainQuotes]:
    if not (sources.deribit or sources.tradfi):
        raise InvalidInput(
            "sources", where="command line", value="missing", limit="given", remedy="Name files with --deribit."
        )
    if sources.deribit:
        from crossmargin.adapters.deribit import read_chains

        yield from read_chains(sources.deribit)
    if sources.tradfi:
        from crossmargin.adapters.tradfi import read_option_chains

        for path in sources.tradfi:
            yield from read_option_chains(path, rates=_rates(sources, base))


def _rates(sources: Sources, base: doc.MarketDocument | None) -> RateCurve:
    """The dollar curve: the rate that is given, else that of the base."""
    if sources.rate is not None:
        rate = check.within(sources.rate, "rate", -1.0, 10.0, where="--rate")
        return RateCurve(tenor_years=NO_RATES.tenor_years, rate=NO_RATES.rate + rate)
    if base is not None and (curve := market_of(base, sources.base or "").rates.get("USD")):
        return curve
    raise InvalidInput(
        "rate", where="market build --tradfi", value="missing", limit="given", remedy="Name --rate, or rates in --base."
    )


def _source(sources: Sources, fitted: Sequence[Fitted]) -> str:
    names = ", ".join(path.name for path in (*sources.deribit, *sources.tradfi))
    underlyings = ", ".join(chain.underlying for _, chain in fitted)
    return (
        f"Fitted by crossmargin market build to the option chain of {underlyings} at "
        f"{format_instant(fitted[0][1].time_ns)} ({names}): forwards from futures and put-call parity, SVI by expiry"
    )


def check_market(
    path: Path, *, registry: Path | None, book: Path | None, model: str, now: str | None, age_limit_s: float
) -> None:
    """Print what a market holds, unless something is wrong with it.

    Raises what `read_market` raises, `InvalidInput` for a market older than `age_limit_s` at `now`, and
    `MissingFactors` where it lacks what a book needs.
    """
    snapshot = read_market(path, registry=registry)
    if now is not None:
        age_s = (parse_instant(now, where="--now") - snapshot.time_ns) / SECOND_NS
        check.within(age_s, "age in seconds", 0.0, age_limit_s, where=str(path))
    if book is not None:
        from crossmargin.engine.plan import check_needs

        check_needs(read_book(book, market=snapshot).table, snapshot, read_model_document(model))
    print_report(snapshot, as_json=False, tables=check_report)
    if book is not None:
        print(f"It holds all that {book} needs.")
