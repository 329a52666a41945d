"""An evaluation's folder: the document, tables, pictures, and one page that shows them all."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

from netseg.evaluation.document import evaluation_document
from netseg.evaluation.plots import plots
from netseg.evaluation.tables import (
    cases_csv,
    comparison_csv,
    lesions_csv,
    predictions_csv,
    summary_csv,
    text,
)
from netseg.export import make_folder, write_atomically, write_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.evaluation.document import Report

DOCUMENT = "evaluation.json"
PAGE = "evaluation.html"
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;"
    "color:#1a1a1a}pre{background:#f5f5f5;padding:1rem;overflow-x:auto;font-size:13px}"
    "img{max-width:100%;margin:.5rem}"
)


def write_evaluation(folder: Path, report: Report) -> tuple[Path, ...]:
    """Write everything an evaluation found.

    Args:
        folder: Is made where it does not exist; files of an earlier evaluation are replaced.
        report: What was found.

    Returns:
        The files, `evaluation.json` first.

    Raises:
        EnvironmentFaultError: If they cannot be written.
    """
    make_folder(folder)
    write_document(folder / DOCUMENT, evaluation_document(report))
    files = _files(report)
    for name, content in files.items():
        with write_atomically(folder / name) as file:
            file.write(content)
    return (folder / DOCUMENT, *(folder / name for name in files))


def _files(report: Report) -> dict[str, bytes]:
    pictures = {} if report.summary is None else plots(report.summary)
    files = {
        "cases.csv": cases_csv(report.cases),
        "lesions.csv": lesions_csv(report.cases),
        "predictions.csv": predictions_csv(report.cases),
        "evaluation.txt": text(report).encode(),
        PAGE: page(report, pictures),
        **pictures,
    }
    if report.summary is not None:
        files["summary.csv"] = summary_csv(report.summary)
    if report.comparison:
        files["comparison.csv"] = comparison_csv(report.comparison)
    return files


def page(report: Report, pictures: Mapping[str, bytes]) -> bytes:
    """One HTML page with the tables and the pictures inside; it loads nothing."""
    facts = "".join(
        f"<tr><td>{html.escape(str(k))}</td><td>{html.escape(str(v))}</td></tr>"
        for k, v in report.about.items()
        if v is not None
    )
    shown = "".join(
        f'<img alt="{html.escape(name)}" src="data:image/png;base64,'
        f'{base64.b64encode(content).decode("ascii")}">'
        for name, content in pictures.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Evaluation</title>'
        f"<style>{_STYLE}</style><h1>Evaluation</h1>"
        "<p>Research use only; not a medical device.</p>"
        f"<table>{facts}</table>{shown}<pre>{html.escape(text(report))}</pre></html>\n"
    ).encode()
