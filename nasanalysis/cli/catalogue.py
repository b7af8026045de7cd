"""``nasanalysis proxies`` and ``statistics``: what there is, in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .options import JsonOption
from .output import print_json, print_table


def proxies(as_json: JsonOption = False) -> None:
    """Every proxy: its formula in words, which way is better, what it needs, where it comes from."""
    from ..proxies.catalogue import proxy_catalogue

    _show([asdict(line) for line in proxy_catalogue()], "Proxies; NAME@... takes a parameter", as_json)


def statistics(as_json: JsonOption = False) -> None:
    """Every statistic: its formula in words, its unit, which way is better, what it needs."""
    from ..stats.catalogue import statistic_catalogue

    title = "Statistics; any k, any share and any covariates may stand after the @"
    _show([asdict(line) for line in statistic_catalogue()], title, as_json)


def _show(rows: list[dict[str, Any]], title: str, as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    import polars as pl

    shown = [{k: ", ".join(v) if isinstance(v, tuple) else v for k, v in row.items()} for row in rows]
    if "example" in shown[0]:
        shown = [{k: v for k, v in {**row, "name": row["example"]}.items() if k != "example"} for row in shown]
    print_table(pl.DataFrame(shown), title)
