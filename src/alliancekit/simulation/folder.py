"""A simulated study as files: CSV tables with missing codes, codebook, truth and README, the same bytes each time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from alliancekit.study.types import Study


def folder_files(
    study: Study, head: Mapping[str, Any], truth: Mapping[str, Mapping[str, float]], source: Mapping[str, Any]
) -> dict[str, bytes]:
    """Return file name -> content of a simulated study.

    Parameters
    ----------
    study : tables in memory, missing codes beside them.
    head : generator, variant, effect, n, seed.
    truth : {"latent": ..., "observed": ...}.
    source : how the observed truth was made.
    """
    files = {study.codebook.tables[name].file: _csv(study, name) for name in study.tables}
    made = {key: source[key] for key in ("cases", "seed", "code") if key in source}
    content = {
        **head,
        "latent": {k: float(f"{v:.8g}") for k, v in truth["latent"].items()},
        "observed": dict(truth["observed"]),
        "observed_made_by": made,
        "observed_monte_carlo_se": dict(source.get("monte_carlo_se", {})),
    }
    files["codebook.json"] = study.codebook.to_json().encode("utf-8")
    files["truth.json"] = (json.dumps(content, indent=2) + "\n").encode("utf-8")
    files["README.md"] = _readme(study, head).encode("utf-8")
    return files


def _csv(study: Study, name: str) -> bytes:
    """Return a table as CSV: missing cells hold their code, whole numbers are written without decimals."""
    table = study.tables[name]
    codes = study.missing_codes.get(name, pd.DataFrame(index=table.index))
    columns = {}
    for column in table.columns:
        cells = [_cell(v) for v in table[column].tolist()]
        if column in codes.columns:
            cells = [c if pd.isna(code) else str(code) for c, code in zip(cells, codes[column].tolist(), strict=True)]
        columns[str(column)] = cells
    text = pd.DataFrame(columns).to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8")


def _cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _readme(study: Study, head: Mapping[str, Any]) -> str:
    about = study.codebook.about
    extra = "" if head["effect"] == "main" else f', effect="{head["effect"]}"'
    call = f'ak.simulate("{head["generator"]}", n={head["n"]}, seed={head["seed"]}, variant="{head["variant"]}"{extra})'
    lines = [
        f"# {about.get('title', head['generator'])}",
        "",
        f"{about.get('source', 'Simulated.')} Licence of the data: {about.get('licence', 'CC0-1.0')}.",
        "",
        f"Made by `{call}.write(folder)`; the same call writes the same bytes.",
        "`truth.json` holds what is true in the population: `latent` on the error-free, standardised variables,",
        "`observed` on the recorded and scored variables (nobody lost to follow-up), and how it was computed.",
        "",
    ]
    for name, info in study.codebook.tables.items():
        lines += [
            f"## {info.file}: {len(study.tables[name])} rows",
            "",
            "| column | meaning | range or codes | missing |",
        ]
        lines += ["|---|---|---|---|"]
        for column, what in info.columns.items():
            unit = f" ({what.unit})" if what.unit else ""
            span = f"{what.range[0]:g} to {what.range[1]:g}" if what.range else ""
            span = span or ", ".join(f"{k} = {v}" for k, v in what.values.items())
            absent = ", ".join(f"{k} = {v}" for k, v in what.missing.items())
            lines.append(f"| {column} | {what.label}{unit} | {span} | {absent} |")
        lines.append("")
    return "\n".join(lines)
