"""Every error the package raises, as one tree.

CrossmarginError
├── InvalidInput                 a value from outside breaks its limit
│   ├── UnknownName              an asset, instrument, account or field that nobody defined
│   ├── DuplicateName            an id that stands twice
│   ├── ExpiredInstrument        an expiry at or before the valuation time
│   ├── MixedValuationTime       one book that speaks of two instants
│   └── EpochRefused             losses in integers that are not those of the engine
├── MissingFactors               the market lacks what the model needs (all of it named at once)
├── UnfitMarket                  quotes from which no market can be built
│   └── SurfaceArbitrage         a volatility surface that admits static arbitrage
├── UnreadableFile               a file that is truncated, or is not what its name says
├── NotProved                    a proof that does not prove what it is given for
├── Reverted                     a contract that refused a call
└── UnreachableChain             an endpoint of a chain that does not answer, or not in its language

A refused command is a result; a broken invariant is an `AssertionError` and a crash.
"""

from __future__ import annotations

from collections.abc import Iterable


class CrossmarginError(Exception):
    """Base of every error a user can cause and a user can mend."""


class InvalidInput(CrossmarginError):
    """A value from outside that breaks its limit.

    `what` names the quantity, `where` its place (file, row, path), `value` what stood there,
    `limit` the rule it breaks and `remedy` what to do about it.
    """

    def __init__(self, what: str, *, where: str, value: object, limit: str, remedy: str) -> None:
        self.what, self.where, self.value, self.limit, self.remedy = what, where, value, limit, remedy
        super().__init__(what, where, value, limit, remedy)

    def __str__(self) -> str:
        return f"{self.where}: {self.what} is {self.value!r}, but must be {self.limit}. {self.remedy}"


class UnknownName(InvalidInput):
    """A name that nobody defined; `known` lists near or possible names."""

    def __init__(self, what: str, *, where: str, value: str, known: Iterable[str] = (), remedy: str = "") -> None:
        names = sorted(known)
        shown = ", ".join(names[:8]) + (f", … ({len(names)} in all)" if len(names) > 8 else "")
        self.known = tuple(names)
        super().__init__(
            what,
            where=where,
            value=value,
            limit=f"one of: {shown}" if names else "defined",
            remedy=remedy or "Define it, or correct the name.",
        )


class DuplicateName(InvalidInput):
    """An id that stands twice where it must stand once."""

    def __init__(self, what: str, *, where: str, value: str, first: str = "") -> None:
        super().__init__(
            what,
            where=where,
            value=value,
            limit=f"unique (first seen at {first})" if first else "unique",
            remedy="Merge the two entries, or rename one.",
        )


class ExpiredInstrument(InvalidInput):
    """An instrument whose expiry is at or before the valuation time."""

    def __init__(self, instrument: str, *, where: str, expiry: str, now: str) -> None:
        super().__init__(
            f"expiry of {instrument}",
            where=where,
            value=expiry,
            limit=f"after the valuation time {now}",
            remedy="Settle the position and take it out of the book, or use the market of an earlier time.",
        )


class MixedValuationTime(InvalidInput):
    """A book that speaks of two instants."""

    def __init__(self, *, where: str, value: str, first: str) -> None:
        super().__init__(
            "valuation time",
            where=where,
            value=value,
            limit=f"the same everywhere ({first})",
            remedy="Split the book by valuation time; one margin number belongs to one instant.",
        )


class EpochRefused(InvalidInput):
    """An epoch whose integer losses differ from the engine's by more than rounding explains."""


class MissingFactors(CrossmarginError):
    """A market, a history or a fitted model lacks factors that the book needs: all of them, at once."""

    REMEDY = "Add them to the market, or take the positions that need them out of the book."

    def __init__(
        self, factors: Iterable[str], *, where: str, needed_by: dict[str, str] | None = None, remedy: str = REMEDY
    ) -> None:
        self.factors = tuple(sorted(set(factors)))
        self.where = where
        self.needed_by = dict(needed_by or {})
        self.remedy = remedy
        super().__init__(self.factors, where)

    def __str__(self) -> str:
        named = ", ".join(f + (f" (for {self.needed_by[f]})" if f in self.needed_by else "") for f in self.factors)
        return f"{self.where}: {len(self.factors)} market factor(s) missing: {named}. {self.remedy}"


class UnfitMarket(InvalidInput):
    """Quotes from which no market can be built."""


class SurfaceArbitrage(UnfitMarket):
    """A volatility surface that admits static arbitrage."""


class UnreadableFile(CrossmarginError):
    """A file that cannot be read as what it claims to be."""

    def __init__(self, path: str, *, reason: str, remedy: str) -> None:
        self.path, self.reason, self.remedy = path, reason, remedy
        super().__init__(path, reason, remedy)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}. {self.remedy}"


class NotProved(CrossmarginError):
    """A proof that does not prove what it is given for: `found` at `where`, and not `limit`.

    `reason` is one word of `crossmargin.proofs.reasons.Reason`, for programs to act on.
    """

    def __init__(self, reason: str, *, where: str, found: object, limit: str) -> None:
        self.reason, self.where, self.found, self.limit = reason, where, found, limit
        super().__init__(reason, where, found, limit)

    def __str__(self) -> str:
        found = f"found {self.found!r}, must be {self.limit}"
        return f"{self.where}: not proved ({self.reason}): {found}. Ask for a proof that holds."


class Reverted(CrossmarginError):
    """A contract that refused a call; `output` is what it returned, an ABI-encoded error, or nothing."""

    def __init__(self, *, where: str, output: bytes) -> None:
        self.where, self.output = where, output
        super().__init__(where, output)

    def __str__(self) -> str:
        said = f"0x{self.output[:200].hex()}" if self.output else "without saying why"
        return f"{self.where}: the contract reverted, {said}. Correct the call, or the state that it needs."


class UnreachableChain(CrossmarginError):
    """An endpoint of a chain that does not answer, or answers what nothing can be made of."""

    def __init__(self, endpoint: str, *, reason: str) -> None:
        self.endpoint, self.reason = endpoint, reason
        super().__init__(endpoint, reason)

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.reason}. Ask another endpoint, or start this one again."
