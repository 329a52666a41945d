"""Phantoms with lesions for scoring: the house's atlas and the wide one, four kinds of image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netseg.domain import (
    LabelMap,
    Mask,
    Modality,
    ModelProvenance,
    MrSequence,
    Phase,
    Segmentation,
    Series,
    Study,
)
from netseg.findings.partition import approximate_segments
from netseg.phantom import LesionPrior, Phantom, render_ct, render_mr
from netseg.phantom.patient import draw_patient
from netseg.phantom.phantom import assemble, default_grid, frame_uid_of, place_lesions
from netseg.training.segment_anatomies import draw_wide_patient

SPACING_MM, SHAPE = (3.0, 3.0, 3.0), (120, 100, 80)
PRIOR = LesionPrior(free=0.0, mimics=0.3)
IMAGES = {
    "ct_portal": (Modality.CT, Phase.PORTAL_VENOUS, None),
    "ct_arterial": (Modality.CT, Phase.LATE_ARTERIAL, None),
    "mr_hepatobiliary": (Modality.MR, Phase.HEPATOBILIARY, MrSequence.T1),
    "ct_native": (Modality.CT, Phase.NATIVE, None),
}
SIDE = np.array((0, 1, 2, 2, 2, 3, 3, 3, 3))  # caudate, left, right


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """What one map says of one phantom.

    Attributes:
        right: Right voxels per true segment.
        total: Voxels per true segment.
        lesions: Per lesion: true segment, said segment, confidence of segment and of lobe.
    """

    right: np.ndarray
    total: np.ndarray
    lesions: list[tuple[int, int, float, float]]


def phantom(seed: int, *, wide: bool) -> Phantom:
    """A phantom with lesions; wide ones part their segments where the house's seldom do."""
    rng = np.random.default_rng((seed, 0xCA))
    patient = draw_wide_patient(rng) if wide else draw_patient(rng)
    placed = place_lesions(patient, PRIOR, rng)
    return assemble(seed, default_grid(frame_uid_of(seed), SHAPE, SPACING_MM), patient, placed)


def study(case: Phantom, name: str) -> Study:
    """One image of a phantom as a study."""
    modality, phase, sequence = IMAGES[name]
    rng = np.random.default_rng((case.seed, 0x9A))
    if sequence is None:
        volume = render_ct(case, phase, rng)
    else:
        volume = render_mr(case, sequence, rng, phase=phase)
    series = Series(key=name, modality=modality, volume=volume, phase=phase, sequence=sequence)
    return Study(case_id=f"phantom-{case.seed}", series=(series,))


def segmentation(case: Phantom, name: str) -> Segmentation:
    """The phantom's own liver and lesions, without segments."""
    return Segmentation(
        series_key=name,
        liver=Mask(np.array(case.liver.inside), case.grid),
        lesions=LabelMap(np.array(case.lesions.labels), case.grid),
        provenance=ModelProvenance(backend="masks", name="phantom"),
    )


def score(case: Phantom, labels: np.ndarray, found: Segmentation | None = None) -> Score:
    """Hold a map of segments against the truth."""
    truth, inside = case.segments.labels, case.liver.inside
    right = np.bincount(truth[inside & (labels == truth)], minlength=9)[1:]
    total = np.bincount(truth[inside], minlength=9)[1:]
    lesions = []
    for lesion in case.lesions.values:
        where = case.lesions.labels == lesion
        true = np.bincount(truth[where], minlength=9)
        said = np.bincount(labels[where], minlength=9)
        true[0] = said[0] = 0
        if not true.any() or not said.any():
            continue
        segment = found.segment_confidence.get(lesion, np.nan) if found else np.nan
        lobe = found.lobe_confidence.get(lesion, np.nan) if found else np.nan
        lesions.append((int(true.argmax()), int(said.argmax()), float(segment), float(lobe)))
    return Score(right=right, total=total, lesions=lesions)


def geometric(case: Phantom) -> np.ndarray:
    """The approximation from the liver's shape alone."""
    return np.array(approximate_segments(Mask(np.array(case.liver.inside), case.grid)).labels)


def figures(scores: list[Score]) -> dict[str, object]:
    """Shares of right voxels and lesions over several phantoms."""
    right, total = (np.sum([getattr(s, n) for s in scores], axis=0) for n in ("right", "total"))
    lesions = np.array([row for s in scores for row in s.lesions])
    true, said = lesions[:, 0].astype(int), lesions[:, 1].astype(int)
    answer: dict[str, object] = {
        "phantoms": len(scores),
        "voxels": round(float(right.sum() / total.sum()), 3),
        "voxels_worst_phantom": round(min(float(s.right.sum() / s.total.sum()) for s in scores), 3),
        "by_segment": {
            n: round(float(r / max(t, 1)), 3)
            for n, r, t in zip(
                ("I", "II", "III", "IV", "V", "VI", "VII", "VIII"), right, total, strict=True
            )
        },
        "lesions": len(lesions),
        "lesion_segment": round(float((true == said).mean()), 3),
        "lesion_lobe": round(float((SIDE[true] == SIDE[said]).mean()), 3),
    }
    if not np.isnan(lesions[:, 2]).any():
        answer["mean_segment_confidence"] = round(float(lesions[:, 2].mean()), 3)
        answer["mean_lobe_confidence"] = round(float(lesions[:, 3].mean()), 3)
        answer["segment_calibration_error"] = round(_ece(lesions[:, 2], true == said), 3)
        answer["lobe_calibration_error"] = round(_ece(lesions[:, 3], SIDE[true] == SIDE[said]), 3)
    return answer


def _ece(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error over five bins."""
    bins = np.minimum((confidence * 5).astype(int), 4)
    gaps = [
        abs(confidence[bins == n].mean() - right[bins == n].mean()) * (bins == n).mean()
        for n in range(5)
        if (bins == n).any()
    ]
    return float(np.sum(gaps))
