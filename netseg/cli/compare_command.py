"""`netseg compare`: what became of the lesions between two dates."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError, UsageError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from netseg.domain import Study
    from netseg.domain.comparison import Comparison, LesionCourse
    from netseg.findings.course import Criteria


def execute(words: argparse.Namespace) -> int:
    """Read both studies, match their lesions, print what changed."""
    from netseg.export import comparison_document, make_folder, to_json, write_document
    from netseg.pipeline.comparison import GATE_MM, compare_dates

    criteria = _criteria(words)
    gate_mm = GATE_MM if words.gate is None else words.gate
    if not gate_mm > 0:
        raise UsageError(Code.CONFIG_RANGE, f"--gate {gate_mm:g} is not above 0 mm.")
    _require_there(words)
    first = _study(words, words.first, words.lesions1, words.liver1)
    second = _study(words, words.second, words.lesions2, words.liver2)
    found = compare_dates(
        first, second, gate_mm=gate_mm, criteria=criteria, same_frame=words.same_frame
    )
    document = comparison_document(found)
    if words.output:
        make_folder(words.output)
        write_document(words.output / "comparison.json", document)
    as_json = words.format == "json"
    sys.stdout.write(to_json(document).decode() if as_json else text(found))
    return 0


def _require_there(words: argparse.Namespace) -> None:
    """Refuse before anything is read; of six paths the reader of one cannot say which it was."""
    from netseg.study.masks import mask_file

    for option in ("first", "second", "lesions1", "lesions2", "liver1", "liver2"):
        said = getattr(words, option)
        if said is not None and not mask_file(str(said)).exists():
            raise StudyRejectedError(
                Code.NO_INPUT,
                f"--{option} {said}: there is no such file or folder.",
                hint="Check the path; a study is an image file, a folder or a DICOM folder.",
            )


def _criteria(words: argparse.Namespace) -> Criteria:
    from netseg.findings.course import RECIST_LIKE, Criteria

    if words.tolerance is None:
        return RECIST_LIKE
    try:
        return Criteria(tolerance_mm=words.tolerance)
    except ValueError as error:
        raise UsageError(Code.CONFIG_RANGE, f"--tolerance: {error}") from error


def _study(words: argparse.Namespace, path: Path, lesions: str | None, liver: str | None) -> Study:
    from netseg.cli.run_command import read_hints
    from netseg.study import read_study

    said = {"phase": None, "tracer": None, "modality": words.modality}
    return read_study(path, read_hints({**said, "liver": liver, "lesions": lesions}))


def text(found: Comparison) -> str:
    """The comparison for people: the course, the load, and a line per lesion."""
    course = found.disease_course or "cannot be told"
    lines = [f"disease course: {course}", *(f"  {sentence}" for sentence in found.why)]
    before, after = found.first, found.second
    lines.append(
        f"tumour load: {before.lesion_volume_ml:.1f} → {after.lesion_volume_ml:.1f} ml in "
        f"{len(before.lesions)} → {len(after.lesions)} lesions"
    )
    lines.extend(f"  {_line(one)}" for one in found.lesions)
    alignment = found.alignment
    if alignment.residual_mm is not None:
        lines.append(
            f"aligned by the livers: surfaces {alignment.residual_mm:.1f} mm apart on average "
            f"(95 % within {alignment.residual_p95_mm:.1f} mm)"
        )
    else:
        lines.append("compared in one frame of reference, without alignment")
    lines.append(
        f"lesions matched within {found.gate_mm:g} mm; a diameter counts as changed beyond "
        f"{found.tolerance_mm:g} mm"
    )
    lines.extend(f"{w.code}: {w.message} {w.hint}".rstrip() for w in found.warnings)
    return "\n".join(lines) + "\n"


def _line(one: LesionCourse) -> str:
    group = one.group
    names = " + ".join(map(str, group.first)) or "-"
    later = " + ".join(map(str, group.second)) or "-"
    sizes = f"{_arrow(one.diameter_mm, 'mm')}, {_arrow(one.volume_ml, 'ml')}"
    words = [str(group.fate), *([str(one.change)] if one.change else [])]
    words += ["target"] if one.target else []
    return f"{names} → {later}: {sizes}  {'; '.join((', '.join(words), *one.why))}"


def _arrow(pair: tuple[float | None, float | None], unit: str) -> str:
    return " → ".join("?" if v is None else f"{v:.1f}" for v in pair) + f" {unit}"
