"""The products that need no definition by the user: a dated table with the source of each row."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources

import msgspec

from crossmargin.core.errors import DuplicateName
from crossmargin.instruments.symbols import Product


@cache
def builtin_products() -> tuple[Product, ...]:
    """The shipped catalogue, checked once."""
    text = resources.files("crossmargin.instruments").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["products"], tuple[Product, ...])


def product_table(own: Iterable[Product] = ()) -> dict[tuple[str, str, str], Product]:
    """Products by (venue, prefix, family); the user's `own` rows replace shipped ones, but not each other."""
    table: dict[tuple[str, str, str], Product] = {(p.venue, p.prefix, p.family): p for p in builtin_products()}
    seen: set[tuple[str, str, str]] = set()
    for position, product in enumerate(own):
        key = (product.venue, product.prefix, product.family)
        if key in seen:
            raise DuplicateName("product", where=f"products[{position}]", value="-".join(key))
        seen.add(key)
        table[key] = product
    return table
