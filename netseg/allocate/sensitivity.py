"""How sure is the answer, given how sure the segmentation is? Draws over lesions, and margins.

Three things of the lesion list are uncertain: whether an entry is a lesion (`confidence`), how
large it is (a normal error of the diameter) and in which segment it lies (`segment_shares`). Draws
are made at once as arrays and cut at the rules' thresholds; draws that fall into the same cells are
one patient to the tables, so that ten thousand draws cost a few dozen evaluations.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netseg.allocate.draws import DrawnFacts, facts_of_draws
from netseg.allocate.facts import LESION_FACTS, NOT_STATED, cells_of_facts, lesion_facts
from netseg.allocate.settle import MEASURED_BESIDE, settle, worlds_of
from netseg.allocate.worlds import Worlds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from netseg.allocate.compiled import RuleSet
    from netseg.allocate.settle import Standing
    from netseg.domain.clinical import ClinicalFindings, LiverLesion

OPEN = "open"
"""The answer of a draw that leaves the route open."""

STEP_MM = 0.1
"""How far beyond a threshold a diameter is tried; the margin itself is the way to the threshold."""

FARTHEST_MM = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionError:
    """How far the segmentation may be off.

    Attributes:
        diameter_sd_mm: Standard deviation of a diameter's error.
        default_confidence: Probability that an entry is a lesion where nobody estimated it.
    """

    diameter_sd_mm: float = 2.0
    default_confidence: float = 1.0

    def __post_init__(self) -> None:
        """Keep it a deviation and a probability."""
        if not self.diameter_sd_mm >= 0 or not 0 <= self.default_confidence <= 1:
            raise ValueError(
                f"diameter_sd_mm is at least 0 and default_confidence lies in [0, 1]; got "
                f"{self.diameter_sd_mm} and {self.default_confidence}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One lesion whose change alone changes an answer.

    Attributes:
        lesion: Its place in the list, from 1.
        by: "existence" (it is none), "diameter" or "segment".
        to: The change: a diameter in cm, a segment, or "absent".
        distance_mm: Change of the diameter that it takes; None for other kinds.
        changes: The answer that changes ("route", "pattern", "ablation_window") with its new value.
    """

    lesion: int
    by: str
    to: str
    distance_mm: float | None
    changes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What the uncertainty of the lesion list does to the answer.

    Attributes:
        draws: How many.
        routes: Share of the draws by route; "open" where a draw leaves it open.
        patterns: Share by pattern.
        windows: Share by ablation window.
        margin_mm: Smallest change of one diameter that changes the route, pattern or window;
            None where none up to 50 mm does.
        flips: Single lesions that change an answer, the nearest first.
    """

    draws: int
    routes: Mapping[str, float]
    patterns: Mapping[str, float]
    windows: Mapping[str, float]
    margin_mm: float | None
    flips: tuple[Flip, ...]


_ANSWERS = {"route": "route", "pattern": "pattern", "ablation_window": "ablation_window"}


def sensitivity(
    findings: ClinicalFindings,
    rules: RuleSet,
    generator: np.random.Generator,
    *,
    draws: int = 10_000,
    error: LesionError | None = None,
) -> Sensitivity:
    """How the answer depends on the lesion list.

    Args:
        findings: With a lesion list; reported patterns and counts stand aside.
        rules: The rule set.
        generator: Source of randomness.
        draws: Number of draws.
        error: How far the list may be off; 2 mm and certain existence when None.

    Raises:
        ValueError: If there is no lesion list, or a lesion of it has no size or place.
    """
    if findings.lesions is None:
        raise ValueError("sensitivity needs the lesion list; a reported pattern has no draws.")
    measured = dataclasses.replace(findings, liver_pattern_reported=None, lesion_count=None,
                                   lesions_reported=None)  # fmt: skip
    answers = _Answers(measured, rules)
    drawn = facts_of_draws(findings.lesions, generator, draws, error or LesionError())
    said = answers.of_draws(drawn)
    flips = tuple(_flips(findings.lesions, answers))
    near = [flip.distance_mm for flip in flips if flip.distance_mm is not None]
    return Sensitivity(
        draws=draws,
        routes=said["route"],
        patterns=said["pattern"],
        windows=said["ablation_window"],
        margin_mm=min(near, default=None),
        flips=flips,
    )


class _Answers:
    """Answers of the tables for other lesion lists of the same patient."""

    def __init__(self, findings: ClinicalFindings, rules: RuleSet) -> None:
        self.rules = rules
        self.standing: Standing = settle(findings, rules)
        silent = {name: frozenset({NOT_STATED}) for name in MEASURED_BESIDE
                  if name == "liver_pattern_reported"}  # fmt: skip
        self.facts = {
            k: v for k, v in self.standing.facts.items() if k not in LESION_FACTS
        } | silent

    def of_list(self, lesions: tuple[LiverLesion, ...]) -> dict[str, str]:
        """Route, pattern and window for one list."""
        return self._read(worlds_of(self.facts | lesion_facts(lesions, None), self.rules))

    def of_draws(self, drawn: DrawnFacts) -> dict[str, dict[str, float]]:
        """Shares of each answer over the draws; equal draws are asked once."""
        kinds, counts = drawn.kinds(self.rules)
        shares = {name: Counter[str]() for name in _ANSWERS}
        base = cells_of_facts(self.facts, self.rules)
        for kind, count in zip(kinds, counts, strict=True):
            cells = list(base)
            for name, cell in kind.items():
                cells[self.rules.index[name]] = frozenset({cell})
            for name, answer in self._read(self._narrowed(cells)).items():
                shares[name][answer] += int(count)
        total = sum(counts)
        return {
            name: {answer: found / total for answer, found in counted.most_common()}
            for name, counted in shares.items()
        }

    def _narrowed(self, cells: list[frozenset[int]]) -> Worlds:
        """Worlds in which the pattern that these cells decide is known."""
        worlds = Worlds.of(self.rules.diagrams, cells)
        table = self.rules.tables["pattern"]
        variable = self.rules.variable(str(table.table.fact))
        possible = worlds.possible(table.outcome_here)
        return worlds.elsewhere({self.rules.index[variable.name]: variable.cells_named(possible)})

    def _read(self, worlds: Worlds) -> dict[str, str]:
        said: dict[str, str] = {}
        for name, table in _ANSWERS.items():
            possible = worlds.possible(self.rules.tables[table].outcome_here)
            said[name] = str(next(iter(possible))) if len(possible) == 1 else OPEN
        return said


def _flips(lesions: tuple[LiverLesion, ...], answers: _Answers) -> Iterator[Flip]:
    """Every lesion whose change alone changes an answer, the nearest diameters first."""
    now = answers.of_list(lesions)
    by_size: list[Flip] = []
    others: list[Flip] = []
    for place, lesion in enumerate(lesions):
        by_size += _size_flips(lesions, place, now, answers)
        without = answers.of_list((*lesions[:place], *lesions[place + 1 :]))
        others += _flip(place, "existence", "absent", None, now, without)
        for segment in _other_segments(lesion):
            moved = dataclasses.replace(lesion, segment=segment, lobe=None)
            said = answers.of_list((*lesions[:place], moved, *lesions[place + 1 :]))
            others += _flip(place, "segment", segment, None, now, said)
    yield from sorted(by_size, key=lambda flip: flip.distance_mm or 0.0)
    yield from others


def _flip(
    place: int, by: str, to: str, distance_mm: float | None,
    now: Mapping[str, str], said: Mapping[str, str],
) -> list[Flip]:  # fmt: skip
    changes = {name: answer for name, answer in said.items() if answer != now[name]}
    if not changes:
        return []
    return [Flip(lesion=place + 1, by=by, to=to, distance_mm=distance_mm, changes=changes)]


def _size_flips(
    lesions: tuple[LiverLesion, ...], place: int, now: Mapping[str, str], answers: _Answers
) -> Iterator[Flip]:
    """For each answer the nearest smaller and the nearest larger diameter that changes it."""
    lesion = lesions[place]
    if lesion.diameter_cm is None:
        return
    done: set[tuple[bool, str]] = set()
    for distance, target, text in _thresholds_around(lesion.diameter_cm, answers.rules):
        larger = target > lesion.diameter_cm
        resized = dataclasses.replace(lesion, diameter_cm=target)
        said = answers.of_list((*lesions[:place], resized, *lesions[place + 1 :]))
        fresh = {name: answer for name, answer in said.items() if (larger, name) not in done}
        for flip in _flip(place, "diameter", text, distance, now, fresh):
            done |= {(larger, name) for name in flip.changes}
            yield flip


def _thresholds_around(diameter_cm: float, rules: RuleSet) -> list[tuple[float, float, str]]:
    """Distance in mm, a diameter to try, and its text: on each threshold and just beyond it."""
    cuts = {
        cut
        for name in ("largest_cm", "smallest_cm", "lesser_lobe_largest_cm")
        for cut in rules.variable(name).cuts
    }
    step = STEP_MM / 10
    tries: list[tuple[float, float, str]] = []
    for cut in cuts:
        distance = round(abs(cut - diameter_cm) * 10, 2)
        below, above = round(cut - step, 4), round(cut + step, 4)
        if cut != diameter_cm:
            tries.append((distance, cut, f"{cut:g} cm"))
        if cut <= diameter_cm and below > 0:
            tries.append((distance, below, f"below {cut:g} cm"))
        if cut >= diameter_cm:
            tries.append((distance, above, f"above {cut:g} cm"))
    return sorted(entry for entry in tries if entry[0] <= FARTHEST_MM)


def _other_segments(lesion: LiverLesion) -> tuple[str, ...]:
    """Segments that hold a share of the lesion beside its own."""
    shares: Any = lesion.further.get("segment_shares") or {}
    return tuple(s for s, share in dict(shares).items() if share > 0 and s != lesion.segment)


def sensitivity_document(found: Sensitivity) -> dict[str, Any]:
    """As JSON types."""
    return {
        "draws": found.draws,
        "routes": dict(found.routes),
        "patterns": dict(found.patterns),
        "ablation_windows": dict(found.windows),
        "margin_mm": found.margin_mm,
        "flips": [
            {"lesion": f.lesion, "by": f.by, "to": f.to, "distance_mm": f.distance_mm,
             "changes": dict(f.changes)}
            for f in found.flips
        ],
    }  # fmt: skip


def tell_sensitivity(found: Sensitivity) -> str:
    """As lines of the printed explanation."""
    lines = [f"How sure ({found.draws} draws over the lesion list)"]
    shares = {"route": found.routes, "pattern": found.patterns, "window": found.windows}
    for name, share in shares.items():
        said = ", ".join(f"{answer} {100 * part:.1f} %" for answer, part in share.items())
        lines.append(f"  {name}: {said}")
    near = "none within 50 mm" if found.margin_mm is None else f"{found.margin_mm:g} mm"
    lines.append(f"  smallest change of a diameter that changes an answer: {near}")
    for flip in found.flips:
        way = "were no lesion" if flip.by == "existence" else (
            f"lay in segment {flip.to}" if flip.by == "segment"
            else f"measured {flip.to} ({flip.distance_mm:g} mm away)")  # fmt: skip
        changed = ", ".join(f"{name} {answer}" for name, answer in flip.changes.items())
        lines.append(f"  if lesion {flip.lesion} {way}: {changed}")
    return "\n".join(lines)
