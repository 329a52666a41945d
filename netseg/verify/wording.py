"""The sentences that lead to a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from netseg.domain.ablation import Evidence
from netseg.domain.margin import Verdict

THICK_SLICE_MM = 2.5  # above this the method's mean error exceeds 0.3 mm (margin_accuracy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about a lesion before it is measured.

    Attributes:
        required_mm: The cut-off.
        evidence: What the zone rests on.
        observed: Whether the zone was seen after the ablation.
        has_liver: Whether the nearest viable liver decides.
        lesion_at_border: Whether the image cuts the lesion off.
        zone_at_border: Whether the image cuts the zone off.
        slice_mm: Widest voxel edge.
    """

    required_mm: float
    evidence: Evidence
    observed: bool
    has_liver: bool
    lesion_at_border: bool
    zone_at_border: bool
    slice_mm: float


def why(
    facts: Facts, verdict: Verdict, smallest_mm: float, to_zone_mm: float, lumen_mm: float | None
) -> tuple[str, ...]:
    """The reasons in the order a reader asks for them.

    Args:
        facts: What is known about the lesion.
        verdict: The answer.
        smallest_mm: The distance it rests on.
        to_zone_mm: The distance to the zone's surface.
        lumen_mm: Way to the nearest vessel over 3 mm, if it lies within the required margin.
    """
    sentences = [_main(facts, verdict, smallest_mm)]
    if facts.has_liver:
        sentences.append(
            f"To the nearest viable liver {smallest_mm:.2f} mm, to the zone's surface "
            f"{to_zone_mm:.2f} mm; the first decides."
        )
    if not facts.observed:
        seen = "simulated" if facts.evidence is Evidence.SIMULATED else "not declared as observed"
        sentences.append(f"The zone is {seen}: a plan predicts, it never certifies A0.")
    if lumen_mm is not None:
        sentences.append(
            f"Heat sink: a vessel wider than 3 mm runs {lumen_mm:.1f} mm from the lesion; its "
            "lumen does not count as viable liver, but it cools the tissue around it."
        )
    if facts.lesion_at_border:
        sentences.append(
            "The image's border cuts the lesion off, and beyond it nothing counts as ablated: "
            "the margin is a lower bound only."
        )
    elif facts.zone_at_border:
        sentences.append(
            "The image's border cuts the zone off, and beyond it nothing counts as ablated: "
            "the margin is a lower bound only."
        )
    if facts.slice_mm > THICK_SLICE_MM:
        sentences.append(
            f"Slices of {facts.slice_mm:.1f} mm: on spheres the method errs by about 0.4 mm at "
            "5 mm slices, 0.2 mm at 2.5 mm."
        )
    sentences.append("No error model: the verdict follows the distance alone.")
    return tuple(sentences)


def _main(facts: Facts, verdict: Verdict, smallest_mm: float) -> str:
    who = "The plan predicts" if not facts.observed else "Measured"
    needed = f"{facts.required_mm:.2f} mm are required"
    if verdict is Verdict.RESIDUAL:
        return f"{who}: lesion reaches {-smallest_mm:.2f} mm outside the zone; {needed}."
    return f"{who}: smallest margin {smallest_mm:.2f} mm; {needed}."
