"""Intervals over patients: which figures would other patients of this kind have given?

Patients are drawn with replacement, with all their cases (Efron's percentile bootstrap): two scans of
one patient are no two patients. Every figure is a quotient of sums over cases, so that a draw costs
two products. The draws are the same for every figure and for two models, which makes the comparison
of models a paired one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Float

    from netseg.evaluation.case import CaseScore

DRAWS = 2000
SEED = 20201
_TAIL = 2.5  # per cent left out on either side
_LEAST_DEFINED = 0.5  # share of the draws in which a figure must exist to have an interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its interval.

    Attributes:
        mean: Over all cases; None where no case has it.
        ci95: Where it lies in 95 % of the draws of patients; None with fewer than two patients.
    """

    mean: float | None
    ci95: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A figure as a function of sums over cases.

    Attributes:
        parts: What one case adds to each sum.
        value: The figure of the sums, last axis first to last sum; NaN where it does not exist.
        needs_both: Whether two models are compared only on cases that both have a value for: a
            distance, for instance, does not exist where one of them found nothing.
    """

    parts: Callable[[CaseScore], Sequence[float]]
    value: Callable[[Float[np.ndarray, "*d k"]], Float[np.ndarray, "*d"]]
    needs_both: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One figure of two models on the same patients.

    Attributes:
        first: Of the first model.
        second: Of the second model.
        difference: Second less first.
        ci95: Interval of the difference; None with fewer than two patients.
        p_value: Two-sided share of draws in which the difference has the other sign or is none.
    """

    first: float | None
    second: float | None
    difference: float | None
    ci95: tuple[float, float] | None
    p_value: float | None


def quotient(sums: Float[np.ndarray, "*d 2"]) -> Float[np.ndarray, "*d"]:
    """First sum over second; NaN where the second is 0."""
    above, below = sums[..., 0], sums[..., 1]
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """How often each patient stands in each draw.

    Attributes:
        patients: Their names, sorted.
        counts: One row per draw, one column per patient.
    """

    patients: tuple[str, ...]
    counts: Float[np.ndarray, "draws patients"]

    def estimate(self, cases: Sequence[CaseScore], statistic: Statistic) -> Estimate:
        """A figure over all cases with its interval."""
        sums = self._sums(cases, statistic)
        return Estimate(
            mean=_known(statistic.value(sums.sum(axis=0))), ci95=self._ci(sums, statistic)
        )

    def difference(
        self, first: Sequence[CaseScore], second: Sequence[CaseScore], statistic: Statistic
    ) -> Difference:
        """A figure of two models, drawn with the same patients."""
        if statistic.needs_both:
            first, second = _with_value(first, second, statistic)
        one, two = self._sums(first, statistic), self._sums(second, statistic)
        before = _known(statistic.value(one.sum(axis=0)))
        after = _known(statistic.value(two.sum(axis=0)))
        drawn = self._drawn(two, statistic) - self._drawn(one, statistic)
        drawn = drawn[np.isfinite(drawn)]
        enough = self._is_enough(drawn)
        return Difference(
            first=before,
            second=after,
            difference=None if before is None or after is None else after - before,
            ci95=_middle(drawn) if enough else None,
            p_value=_two_sided(drawn) if enough else None,
        )

    def _sums(self, cases: Sequence[CaseScore], statistic: Statistic) -> Float[np.ndarray, "p k"]:
        parts = [np.asarray(statistic.parts(case), np.float64) for case in cases]
        place = {name: n for n, name in enumerate(self.patients)}
        sums = np.zeros((len(self.patients), len(parts[0]) if parts else 2))
        for case, part in zip(cases, parts, strict=True):
            sums[place[case.patient]] += part
        return sums

    def _drawn(
        self, sums: Float[np.ndarray, "p k"], statistic: Statistic
    ) -> Float[np.ndarray, " draws"]:
        return np.asarray(statistic.value(self.counts @ sums), np.float64)

    def _ci(
        self, sums: Float[np.ndarray, "p k"], statistic: Statistic
    ) -> tuple[float, float] | None:
        drawn = self._drawn(sums, statistic)
        drawn = drawn[np.isfinite(drawn)]
        return _middle(drawn) if self._is_enough(drawn) else None

    def _is_enough(self, drawn: Float[np.ndarray, " n"]) -> bool:
        return len(self.patients) > 1 and len(drawn) >= _LEAST_DEFINED * len(self.counts)


def draw_patients(
    cases: Sequence[CaseScore], *, draws: int = DRAWS, rng: np.random.Generator | None = None
) -> Draws:
    """Draw patients with replacement.

    Args:
        cases: Whose patients are drawn.
        draws: How often.
        rng: Source of chance; a fixed seed when absent, so that a report can be made again.

    Raises:
        ValueError: If there is no case, or fewer than one draw.
    """
    if not cases or draws < 1:
        raise ValueError(f"at least one case and one draw are needed; got {len(cases)}, {draws}.")
    patients = tuple(sorted({case.patient for case in cases}))
    rng = rng or np.random.default_rng(SEED)
    share = np.full(len(patients), 1 / len(patients))
    counts = rng.multinomial(len(patients), share, size=draws).astype(np.float64)
    return Draws(patients=patients, counts=counts)


def paired_bootstrap(
    first: Sequence[CaseScore],
    second: Sequence[CaseScore],
    statistic: Statistic,
    *,
    draws: int = DRAWS,
    rng: np.random.Generator | None = None,
) -> Difference:
    """Whether a second model differs from a first on the same cases.

    Args:
        first: Scores of the first model.
        second: Scores of the second model for the same cases of the same patients.
        statistic: The figure, one of `netseg.evaluation.FIGURES`.
        draws: How often patients are drawn.
        rng: Source of chance; a fixed seed when absent.

    Raises:
        ValueError: If the cases or their patients differ.
    """
    require_same_cases(first, second)
    return draw_patients(first, draws=draws, rng=rng).difference(first, second, statistic)


def require_same_cases(first: Sequence[CaseScore], second: Sequence[CaseScore]) -> None:
    """Refuse to compare two models on different patients.

    Raises:
        ValueError: If the cases or their patients differ, naming them.
    """
    one = {(c.id, c.patient) for c in first}
    two = {(c.id, c.patient) for c in second}
    if one != two or len(first) != len(second):
        strange = sorted(name for name, _ in one ^ two)
        raise ValueError(
            f"two models are compared on the same cases; {', '.join(strange) or 'some'} "
            "stand on one side only or twice."
        )


def _with_value(
    first: Sequence[CaseScore], second: Sequence[CaseScore], statistic: Statistic
) -> tuple[list[CaseScore], list[CaseScore]]:
    """The cases for which both models have a value."""
    has = [{case.id for case in side if any(statistic.parts(case))} for side in (first, second)]
    both = has[0] & has[1]
    return [c for c in first if c.id in both], [c for c in second if c.id in both]


def _known(value: Float[np.ndarray, ""]) -> float | None:
    return float(value) if np.isfinite(value) else None


def _middle(drawn: Float[np.ndarray, " n"]) -> tuple[float, float]:
    low, high = np.percentile(drawn, (_TAIL, 100.0 - _TAIL))
    return float(low), float(high)


def _two_sided(drawn: Float[np.ndarray, " n"]) -> float:
    """One is added to either count: a finite number of draws never shows a p of 0."""
    below, above = np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0)
    return min(1.0, 2.0 * (min(below, above) + 1) / (len(drawn) + 1))
