"""How sure a smallest margin is: errors that are alike for neighbours, undone instead of added.

The smallest of many noisy distances is too small: any error brings some point of the surface
nearer. Whoever draws errors once more and counts how often the margin still suffices is too low
twice. Here the errors are taken away.

*The model.* What was observed is the truth moved by a shift and a turn of the registration and by
errors of both outlines along their normals, which are Gaussian and alike over `correlation_mm`
(random Fourier features; Rahimi & Recht 2007).

*Two ways to take them away, and both are taken.* The bootstrap's: errors made once more lower the
smallest margin m to m*, so the first ones did the like, and 2 m - m* is a draw of the true one. It
assumes nothing about the truth, and spreads widely. Bayes': to first order the margins over the
surface are m = t + H e with standard normal e; the true margins t are a common margin, a zone that
lies off the lesion's centre and bumps of two widths, where the widths of `OFF_CENTRE_MM` and
`BUMPS_MM` are weighed by how well each explains what was seen. e is drawn given m (Matheron's rule)
and undone in full: the surface is moved back and the distances are looked up there. Bumps narrower
than any error stay in the truth: a cleft beside a vessel is never explained away. This one spreads
less, and leans on its idea of the truth. Half of the draws come from each; pooled they are the best
calibrated (experiment margin_uncertainty, where errors that are merely added stand beside them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg  # pyright: ignore[reportMissingTypeStubs]
import scipy.spatial  # pyright: ignore[reportMissingTypeStubs]

from netseg.domain.grid import Grid
from netseg.verify.lesion import margins_at
from netseg.verify.surface import Field

if TYPE_CHECKING:
    from jaxtyping import Float

    from netseg.domain.margin import MarginErrors
    from netseg.verify.lesion import SurfaceMargins, Surroundings

linalg: Any = scipy.linalg  # scipy carries no types
spatial: Any = scipy.spatial

POINTS = 300  # of a surface that are looked at, the thinnest place among them
WAVES = 60  # per random field
NODES = 6000  # at which distances are measured, to be looked up between them
NODE_MM = 2.5  # between them, at least
OFF_CENTRE_MM = (1.0, 2.0, 4.0, 8.0)  # standard deviations per direction that the truth may have
BUMPS_MM = (0.5, 1.0, 2.0)  # standard deviations of its wide bumps
WIDE_MM, NARROW_MM = 14.0, 5.0  # widths of bumps
NARROW_BUMPS_MM = 0.5  # standard deviation of narrow ones
ANYTHING_MM = 25.0  # of the common margin
VOXEL_ERROR_MM = 0.3  # of a single distance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """The smallest margin of one lesion, drawn many times.

    Attributes:
        given_mm: Draws of the true smallest margin, given what was observed (Bayes).
        mirrored_mm: The same by the bootstrap's correction 2 m - m*.
        repeated_mm: m*, smallest margins if such errors were made once more: too small on average.
    """

    given_mm: Float[np.ndarray, " draws"]
    mirrored_mm: Float[np.ndarray, " draws"]
    repeated_mm: Float[np.ndarray, " draws"]

    @property
    def true_mm(self) -> Float[np.ndarray, " draws"]:
        """Draws of the true smallest margin, half of them by either way."""
        return np.concatenate([self.given_mm, self.mirrored_mm])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Points:
    """Points of a lesion's surface with what errors do to them."""

    at_mm: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    feet_mm: Float[np.ndarray, "n 3"]
    margin_mm: Float[np.ndarray, " n"]
    uphill: Float[np.ndarray, "n 3"]
    centre_mm: Float[np.ndarray, " 3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Model:
    """Random fields of both outlines at the points; columns are standard normal."""

    shift_mm: float
    turn_rad: float
    lesion: Float[np.ndarray, "n w"]
    zone: Float[np.ndarray, "n w"]

    @property
    def size(self) -> int:
        return 6 + self.lesion.shape[1] + self.zone.shape[1]

    def moves(self, points: _Points, draws: Float[np.ndarray, "e d"]) -> Float[np.ndarray, "n d 3"]:
        """How far each draw of errors moved each point."""
        waves = self.lesion.shape[1]
        shift = self.shift_mm * draws[:3].T
        turn = self.turn_rad * draws[3:6].T
        arm = points.at_mm - points.centre_mm
        along = self.lesion @ draws[6 : 6 + waves]
        turned = np.cross(turn[None, :, :], arm[:, None, :])
        return shift[None] + turned + along[:, :, None] * points.normals[:, None, :]

    def zone_moves(self, draws: Float[np.ndarray, "e d"]) -> Float[np.ndarray, "n d"]:
        """How far each draw moved the zone's outline outwards opposite each point."""
        return self.zone @ draws[6 + self.lesion.shape[1] :]

    def effect(self, points: _Points) -> Float[np.ndarray, "n e"]:
        """First-order change of each point's margin per unit of each error."""
        up = points.uphill
        arm = points.at_mm - points.centre_mm
        along = np.einsum("nd,nd->n", up, points.normals)[:, None]
        turn = self.turn_rad * np.cross(arm, up)
        return np.concatenate([self.shift_mm * up, turn, along * self.lesion, self.zone], axis=1)


def draw_margins(
    margins: SurfaceMargins, around: Surroundings, errors: MarginErrors, number: int
) -> Draws:
    """Draw the true smallest margin of one lesion, given what was observed.

    Args:
        margins: What was measured over its surface.
        around: What it was measured against.
        errors: How far off registration and outlines may be; not all zero.
        number: The lesion's number.

    Returns:
        `errors.draws` draws, half by either way; the same for the same seed.
    """
    rng = np.random.default_rng(errors.seed)
    sd_mm = errors.lesion_sd_mm(number)
    reach_mm = 3 * (errors.registration_mm + sd_mm + 1.0)
    points, field = _look_at(margins, around, reach_mm)
    model = _Model(
        shift_mm=errors.registration_mm / np.sqrt(3),
        turn_rad=float(np.radians(errors.rotation_deg)),
        lesion=sd_mm * _waves(rng, points.at_mm, points.centre_mm, errors.correlation_mm),
        zone=errors.zone_boundary_sd_mm
        * _waves(rng, points.feet_mm, points.centre_mm, errors.correlation_mm),
    )
    half = rng.normal(size=(model.size, max(1, errors.draws // 4)))
    prior = np.concatenate([half, -half], axis=1)
    given = _given_the_margins(rng, points, model.effect(points), prior)
    repeated_mm = _smallest(points, field, model, prior)
    return Draws(
        given_mm=_smallest(points, field, model, given),
        mirrored_mm=2 * points.margin_mm.min() - repeated_mm,
        repeated_mm=repeated_mm,
    )


def _smallest(
    points: _Points, field: Field, model: _Model, draws: Float[np.ndarray, "e d"]
) -> Float[np.ndarray, " d"]:
    """The smallest margin per draw after its errors were undone."""
    moved = points.at_mm[:, None, :] - model.moves(points, draws)
    there = field.at(moved.reshape(-1, 3)).reshape(moved.shape[:2])
    change = there - field.at(points.at_mm)[:, None] - model.zone_moves(draws)
    return (points.margin_mm[:, None] + change).min(axis=0)


def _given_the_margins(
    rng: np.random.Generator,
    points: _Points,
    effect: Float[np.ndarray, "n e"],
    prior: Float[np.ndarray, "e d"],
) -> Float[np.ndarray, "e d"]:
    """Draws of the errors given the margins that were seen (Matheron's rule)."""
    seen = points.margin_mm - points.margin_mm.mean()
    count, draws = len(seen), prior.shape[1]
    wide = _waves(rng, points.at_mm, points.centre_mm, WIDE_MM)
    narrow = NARROW_BUMPS_MM * _waves(rng, points.at_mm, points.centre_mm, NARROW_MM)
    common = np.full((count, 1), ANYTHING_MM)
    always = effect @ effect.T + narrow @ narrow.T + common @ common.T
    always[np.diag_indices(count)] += VOXEL_ERROR_MM**2
    off, bumps = points.uphill @ points.uphill.T, wide @ wide.T
    truths = [(a, b) for a in OFF_CENTRE_MM for b in BUMPS_MM]
    solved = [
        linalg.cho_factor(always + a * a * off + b * b * bumps, lower=True) for a, b in truths
    ]
    evidence = np.array([_log_evidence(factor, seen) for factor in solved])
    weight = np.exp(evidence - evidence.max())
    share = np.concatenate([[0.0], np.cumsum(weight / weight.sum())])
    ends = np.rint(share * draws).astype(int)
    order = rng.permutation(draws)
    given = np.empty_like(prior)
    for (a, b), factor, first, last in zip(truths, solved, ends[:-1], ends[1:], strict=True):
        mine = order[first:last]
        truth = np.concatenate([a * points.uphill, b * wide, narrow, common], axis=1)
        made = effect @ prior[:, mine] + truth @ rng.normal(size=(truth.shape[1], len(mine)))
        made += VOXEL_ERROR_MM * rng.normal(size=made.shape)
        given[:, mine] = prior[:, mine] + effect.T @ linalg.cho_solve(factor, seen[:, None] - made)
    return given


def _log_evidence(factor: tuple[np.ndarray, bool], seen: Float[np.ndarray, " n"]) -> float:
    fit = seen @ linalg.cho_solve(factor, seen)
    return float(-0.5 * fit - np.log(np.diag(factor[0])).sum())


def _waves(
    rng: np.random.Generator,
    at_mm: Float[np.ndarray, "n 3"],
    centre_mm: Float[np.ndarray, " 3"],
    width_mm: float,
) -> Float[np.ndarray, "n w"]:
    """A Gaussian field of unit variance: its values are these columns times standard normals."""
    phase = (at_mm - centre_mm) @ (rng.normal(size=(3, WAVES)) / width_mm)
    return np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / np.sqrt(WAVES)


def _look_at(
    margins: SurfaceMargins, around: Surroundings, reach_mm: float
) -> tuple[_Points, Field]:
    """The points to look at, and a field of margins around them."""
    chosen = thinned(margins.points_mm, margins.to_viable_mm, POINTS)
    at_mm = margins.points_mm[chosen]
    field = _margin_field(at_mm, around, reach_mm)
    step = np.eye(3) * NODE_MM / 2
    rise = [(field.at(at_mm + s) - field.at(at_mm - s)) / NODE_MM for s in step]
    uphill = np.stack(rise, axis=1)
    steep = np.linalg.norm(uphill, axis=1, keepdims=True)
    uphill = np.where(steep > 1, uphill / np.maximum(steep, 1e-9), uphill)
    points = _Points(
        at_mm=at_mm,
        normals=margins.normals[chosen],
        feet_mm=_feet(at_mm, around),
        margin_mm=margins.to_viable_mm[chosen],
        uphill=uphill,
        centre_mm=margins.centre_mm,
    )
    return points, field


def thinned(
    points_mm: Float[np.ndarray, "n 3"], margin_mm: Float[np.ndarray, " n"], count: int
) -> np.ndarray:
    """Numbers of at most so many points, evenly spread; of neighbours the thinnest is kept."""
    order = np.argsort(margin_mm, kind="stable")
    cell_mm = 1.0
    while True:
        cell = np.floor((points_mm[order] - points_mm.min(axis=0)) / cell_mm).astype(np.int64)
        first: Any = np.unique(cell, axis=0, return_index=True)[1]
        if len(first) <= count:
            return order[np.sort(first)]
        cell_mm *= 1.2


def _margin_field(at_mm: Float[np.ndarray, "n 3"], around: Surroundings, reach_mm: float) -> Field:
    """Margins at the nodes of a box around the points."""
    low, high = at_mm.min(axis=0) - reach_mm, at_mm.max(axis=0) + reach_mm
    wide, deep, tall = (float(mm) for mm in high - low)
    step_mm = max(NODE_MM, (wide * deep * tall / NODES) ** (1 / 3))
    shape = np.ceil((high - low) / step_mm).astype(int) + 1
    affine = np.diag([step_mm, step_mm, step_mm, 1.0])
    affine[:3, 3] = low
    grid = Grid((int(shape[0]), int(shape[1]), int(shape[2])), affine, around.zone.grid.frame_uid)
    nodes = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3))
    _, to_viable = margins_at(nodes, around)
    return Field(to_viable.reshape(grid.shape), grid)


def _feet(at_mm: Float[np.ndarray, "n 3"], around: Surroundings) -> Float[np.ndarray, "n 3"]:
    """The nearest place of the surface that decides each point's margin."""
    decides = around.zone_surface
    if around.viable is not None and not around.viable.is_empty:
        decides = around.viable
    _, near = spatial.cKDTree(decides.points_mm).query(at_mm)
    return decides.points_mm[near]
