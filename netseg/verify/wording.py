"""The sentences that lead to a verdict: what it rests on, and what would settle it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netseg.domain.ablation import Evidence
from netseg.domain.margin import Verdict

if TYPE_CHECKING:
    from netseg.domain.margin import CapsuleFilm, LesionMargin, MarginErrors

THICK_SLICE_MM = 2.5  # above this the method's mean error exceeds 0.3 mm (margin_accuracy)
NOTABLY_OUTSIDE = 0.05  # share of a lesion outside the liver's outline that is worth a sentence
UNKNOWN_ERROR = (
    "No error model, since nobody knows how exact the registration is: the probability of A0 is not "
    "known, and the distance alone can deny A0 but not certify it. What would settle it: landmarks "
    "that are the same in both scans."
)
LOWER_BOUND = "and beyond it nothing counts as ablated: the margin is a lower bound only."


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about a lesion beside its numbers.

    Attributes:
        required_mm: The cut-off.
        evidence: What the zone rests on.
        observed: Whether the zone was seen after the ablation.
        has_liver: Whether the nearest viable liver decides.
        outside_liver: Share of the lesion that the liver's outline leaves out.
        lesion_at_border: Whether the image cuts the lesion off.
        zone_at_border: Whether the image cuts the zone off.
        slice_mm: Widest voxel edge.
        guard_mm: How much more than the cut-off a bare distance must be at this slice thickness.
        errors: The error model; None where there is none.
        failed_gates: Deciding checks of the registration that failed, in words.
        error_unknown: Whether two scans were registered and nobody knows how well.
        slice_error_mm: By how much thick slices make the margin too long: mean and deviation.
    """

    required_mm: float
    evidence: Evidence
    observed: bool
    has_liver: bool
    outside_liver: float
    lesion_at_border: bool
    zone_at_border: bool
    slice_mm: float
    guard_mm: float
    errors: MarginErrors | None
    failed_gates: tuple[str, ...]
    error_unknown: bool = False
    slice_error_mm: tuple[float, float] = (0.0, 0.0)


def why(facts: Facts, found: LesionMargin) -> tuple[str, ...]:
    """The reasons in the order a reader asks for them.

    Args:
        facts: What is known about the lesion.
        found: Its numbers and the verdict they give.
    """
    sentences = [*_gates(facts), _main(facts, found), *_distances(facts, found)]
    if not facts.observed:
        seen = "simulated" if facts.evidence is Evidence.SIMULATED else "not declared as observed"
        sentences.append(f"The zone is {seen}: a plan predicts, it never certifies A0.")
    sentences += [*_errors(facts, found), *_surroundings(facts, found)]
    return tuple(sentences)


def _gates(facts: Facts) -> list[str]:
    if not facts.failed_gates:
        return []
    return [
        (
            f"Not assessable: the registration failed its checks: {'; '.join(facts.failed_gates)}. "
            "What follows was measured with it and proves nothing."
        ),
        (
            "What would settle it: a registration that passes, by another start, landmarks or masks of "
            "liver and zone, or a control scan in the planning scan's phase and position."
        ),
    ]


def _main(facts: Facts, found: LesionMargin) -> str:
    who = "The plan predicts" if not facts.observed else "Measured"
    needed = f"{facts.required_mm:.2f} mm are required"
    smallest = found.smallest_margin_mm or 0.0
    if smallest < 0 and found.residual_volume_ml:
        return f"{who}: lesion reaches {-smallest:.2f} mm outside the zone; {needed}."
    return f"{who}: smallest margin {smallest:.2f} mm; {needed}."


def _distances(facts: Facts, found: LesionMargin) -> list[str]:
    if not facts.has_liver:
        return []
    sentences = [
        (
            f"To the nearest viable liver {found.smallest_margin_mm:.2f} mm, to the zone's surface "
            f"{found.smallest_margin_to_zone_mm:.2f} mm; the first decides."
        )
    ]
    if found.film is not None:
        sentences.append(_film(found.film))
    if facts.outside_liver > NOTABLY_OUTSIDE:
        sentences.append(
            f"{facts.outside_liver:.0%} of the lesion lies outside the liver's outline; it was "
            "counted as liver."
        )
    return sentences


def _film(film: CapsuleFilm) -> str:
    return (
        f"Set aside under the capsule near the lesion: a film of {film.volume_ml:.2f} ml, at most "
        f"{film.thickest_mm:.1f} mm thick, between the outlines of zone, lesion and liver; up to "
        f"{film.limit_mm:.1f} mm voxels cannot tell it from none. Were it liver that is left, the "
        f"smallest margin would be {film.margin_if_counted_mm:.2f} mm."
    )


def _errors(facts: Facts, found: LesionMargin) -> list[str]:
    if facts.errors is None or found.interval_mm is None or found.p_a0 is None:
        if facts.error_unknown:
            return [*_thick_slices(facts, found), UNKNOWN_ERROR]
        return [
            *_thick_slices(facts, found),
            "No error model: the verdict follows the distance alone.",
        ]
    low, high = found.interval_mm
    sentences = [
        (
            f"Registration error {facts.errors.registration_mm:.1f} mm, outlines "
            f"{facts.errors.lesion_sd_mm(found.id):.1f} mm (lesion) and "
            f"{facts.errors.zone_boundary_sd_mm:.1f} mm (zone): the true smallest margin lies between "
            f"{low:.1f} and {high:.1f} mm (90 %), and reaches {facts.required_mm:g} mm with a "
            f"probability of {found.p_a0:.0%}."
        )
    ]
    too_long_mm, slice_sd_mm = facts.slice_error_mm
    if slice_sd_mm:
        sentences.append(
            f"Slices of {facts.slice_mm:.1f} mm hide poles and bumps; the interval and the probability "
            f"take that in, as measured on made-up scans: margins {too_long_mm:.1f} mm too long, give or "
            f"take {slice_sd_mm:.1f} mm."
        )
    if facts.errors.assumed:
        sentences.append(
            f"Assumed, since nobody stated it: how exact the {' and the '.join(facts.errors.assumed)} "
            "is."
        )
    if found.verdict is Verdict.A0_UNCERTAIN:
        sentences.append(
            "Neither A0 nor its absence can be stated. What would settle it: a more exact "
            "registration (landmarks beside the lesion), outlines checked by hand at the thinnest "
            "place, or a second control scan in four to eight weeks."
        )
    return sentences


def _thick_slices(facts: Facts, found: LesionMargin) -> list[str]:
    if facts.slice_mm <= THICK_SLICE_MM:
        return []
    sentences = [
        (
            f"Slices of {facts.slice_mm:.1f} mm: on spheres the method errs by about 0.4 mm at "
            "5 mm slices, 0.2 mm at 2.5 mm."
        )
    ]
    if found.verdict is Verdict.A0_UNCERTAIN:
        sentences.append(
            f"On such slices a bare distance is A0 from {facts.required_mm + facts.guard_mm:.2f} mm "
            "on. What would settle it: thinner slices, or an error model."
        )
    return sentences


def _surroundings(facts: Facts, found: LesionMargin) -> list[str]:
    sentences: list[str] = []
    if found.heat_sink_mm is not None:
        sentences.append(
            f"Heat sink: a vessel wider than 3 mm runs {found.heat_sink_mm:.1f} mm from the "
            "lesion; its lumen does not count as viable liver, but it cools the tissue around it."
        )
    if facts.lesion_at_border:
        sentences.append(f"The image's border cuts the lesion off, {LOWER_BOUND}")
    elif facts.zone_at_border:
        sentences.append(f"The image's border cuts the zone off, {LOWER_BOUND}")
    return sentences
