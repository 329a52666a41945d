"""`netseg verify`: how far a zone reaches beyond the lesions."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from netseg.domain.codes import Code
from netseg.domain.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from netseg.domain import MarginReport


def execute(words: argparse.Namespace) -> int:
    """Read the masks, check the margin, print it."""
    if words.pre or words.post:
        raise UsageError(
            Code.NOT_BUILT_YET,
            "`--pre` and `--post` need the registration of two scans, which is not built yet.",
            hint="Bring lesion and zone onto one grid, then `--lesion MASK --zone MASK --observed`.",
        )
    if not words.zone:
        raise UsageError(Code.CONFIG_RANGE, "--zone is missing.", hint="Say --zone MASK.")
    from netseg.cli.configuration import compose
    from netseg.cli.registry import build
    from netseg.domain import AblationZone, Evidence
    from netseg.export import make_folder, margin_document, write_document
    from netseg.study.masks import read_instances, read_mask

    lesions = read_instances(words.lesion)
    zone = AblationZone(mask=read_mask(words.zone, on=lesions.grid), evidence=Evidence.GIVEN_MASKS)
    liver = read_mask(words.liver, on=lesions.grid) if words.liver else None
    rule = build(compose("infer", words.overrides)["verify"])
    report = rule.check(lesions, zone, observed=words.observed, liver=liver)
    document = margin_document(report)
    if words.output:
        make_folder(words.output)
        write_document(words.output / "margin.json", document)
    sys.stdout.write(json.dumps(document, indent=2) if words.format == "json" else _text(report))
    sys.stdout.write("\n")
    return 0


def _text(report: MarginReport) -> str:
    lines = []
    for lesion in report.lesions:
        margin = lesion.smallest_margin_mm
        size = "not assessable" if margin is None else f"{margin:.2f} mm"
        lines.append(f"lesion {lesion.id}: smallest margin {size}, {lesion.verdict}")
        lines.extend(f"  {sentence}" for sentence in lesion.why)
    lines.extend(f"{w.code}: {w.message}" for w in report.warnings)
    return "\n".join(lines)
