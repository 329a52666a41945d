"""`netseg validate`: what would be used and what refused; runs nothing and needs no torch."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from netseg.domain.codes import Code
from netseg.domain.errors import NetsegError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from netseg.domain import Study
    from netseg.study import FoundStudy, Inspection, ReadHints


def execute(words: argparse.Namespace) -> int:
    """Look at every part that was named; exit as `run` would."""
    looks = _looks(words)
    if not looks and words.input is None:
        raise UsageError(
            Code.CONFIG_RANGE,
            "nothing to validate.",
            hint="Name -i STUDY, --lesion and --zone, --weights, --clinical or --config.",
        )
    codes: list[int] = []
    parts = [_look(name, look, codes) for name, look in looks.items()]
    if parts:
        _print(parts, words.format)
    if words.input is not None:
        codes.append(_studies(words))
    return max(codes)


def report_studies(found: Sequence[FoundStudy], hints: ReadHints, output_format: str) -> int:
    """Read every study as `run` would, say what was met.

    Args:
        found: The studies.
        hints: What the user says about the images.
        output_format: "text" or "json" on stdout.

    Returns:
        0 all readable, 3 some rejected, 4 all rejected.
    """
    from dataclasses import replace

    from netseg.study import inspect_study

    parts = [
        _study_part(number, one, inspect_study(one.path, replace(hints, case_id=one.case_id)))
        for number, one in enumerate(found, start=1)
    ]
    _print(parts, output_format)
    rejected = sum(part["state"] == "rejected" for part in parts)
    return 0 if not rejected else 4 if rejected == len(parts) else 3


def _study_part(number: int, found: FoundStudy, seen: Inspection) -> dict[str, Any]:
    """What reading one study gave; a name that identifies the patient is not repeated."""
    hidden = any(e.code is Code.CASE_ID_IDENTIFIES for e in seen.errors)
    state = "rejected" if seen.errors else "warn" if seen.warnings else "ok"
    return {
        "part": f"study-{number}" if hidden else found.case_id,
        "state": state,
        "errors": [e.to_document() for e in seen.errors],
        **(_describe(seen.study) if seen.study is not None else {}),
        "warnings": [w.to_document() for w in seen.warnings],
    }


def _studies(words: argparse.Namespace) -> int:
    from netseg.cli.run_command import clinical_cases, read_hints
    from netseg.study import find_studies

    names = ("modality", "phase", "tracer", "liver", "lesions", "spleen")
    hints = read_hints({name: getattr(words, name) for name in names})
    how = "one" if words.one else "many" if words.many else "auto"
    found = find_studies(words.input, how=how)
    clinical_cases(words.clinical, found)
    return report_studies(found, hints, words.format)


def _looks(words: argparse.Namespace) -> dict[str, Callable[[], dict[str, Any]]]:
    looks: dict[str, Callable[[], dict[str, Any]]] = {}
    if words.lesion or words.zone:
        looks["masks"] = lambda: _masks(words.lesion, words.zone)
    if words.weights:
        looks["weights"] = lambda: _weights(words.weights)
    if words.clinical and words.input is None:
        looks["clinical"] = lambda: _clinical(words.clinical)
    if words.config:
        looks["config"] = lambda: _config(words.config)
    return looks


def _look(name: str, look: Callable[[], dict[str, Any]], codes: list[int]) -> dict[str, Any]:
    try:
        found = look()
    except NetsegError as error:
        codes.append(error.exit_code)
        return {"part": name, "state": "rejected", "errors": [error.notice.to_document()]}
    codes.append(0)
    state = "warn" if found.get("warnings") else "ok"
    return {"part": name, "state": state, "errors": [], **found}


def _describe(study: Study) -> dict[str, Any]:
    return {
        "series": [
            {
                "key": s.key,
                "modality": str(s.modality),
                "phase": s.phase and str(s.phase),
                "tracer": s.tracer,
                "quantity": str(s.volume.quantity),
                "shape": list(s.volume.grid.shape),
                "spacing_mm": [round(x, 4) for x in s.volume.grid.spacing_mm],
                "suv_factor": s.suv_factor,
            }
            for s in study.series
        ],
        "masks": [
            n
            for n, m in (
                ("liver", study.liver),
                ("lesions", study.lesions),
                ("spleen", study.spleen),
            )
            if m
        ],
    }


def _masks(lesion: str | None, zone: str | None) -> dict[str, Any]:
    from netseg.study.masks import read_instances, read_mask

    if not lesion or not zone:
        raise UsageError(
            Code.CONFIG_RANGE, "a margin needs both masks.", hint="Name --lesion and --zone."
        )
    lesions = read_instances(lesion)
    region = read_mask(zone, on=lesions.grid)
    return {
        "lesions": len(lesions.values),
        "lesion_volume_ml": lesions.region().volume_ml,
        "zone_volume_ml": region.volume_ml,
    }


def _weights(path: Path) -> dict[str, Any]:
    from netseg.segment.weights_file import check_weights

    return {"sha256": check_weights(path).sha256}


def _clinical(path: Path) -> dict[str, Any]:
    from netseg.allocate import read_case, read_clinical_table

    if path.suffix.lower() == ".csv":
        return {"cases": sorted(read_clinical_table(path))}
    read_case(path)
    return {"cases": [path.stem]}


def _config(path: Path) -> dict[str, Any]:
    from netseg.cli.configuration import check_file

    return {"target": check_file(path)}


def _print(parts: list[dict[str, Any]], output_format: str) -> None:
    if output_format == "json":
        document = {"schema_version": "1", "parts": parts}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    for part in parts:
        sys.stdout.write(f"{part['part']}: {part['state']}\n")
        for series in part.get("series", ()):
            shape = "x".join(str(n) for n in series["shape"])
            spacing = "x".join(f"{s:g}" for s in series["spacing_mm"])
            sys.stdout.write(f"  {series['key']}: {shape} voxels of {spacing} mm\n")
        for notice in (*part["errors"], *part.get("warnings", ())):
            where = f" {notice['file']}:" if notice["file"] else ""
            line = f"  {notice['code']}:{where} {notice['message']} {notice['hint']}"
            sys.stdout.write(line.rstrip() + "\n")
