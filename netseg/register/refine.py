"""From the rigid part to the whole registration: bend, keep zone and tumour in one piece, check."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage

from netseg.register import error, gates
from netseg.register.comparable import Comparable, comparable, swapped
from netseg.register.demons import bend_by_demons
from netseg.register.gauss_newton import bend_by_gauss_newton
from netseg.register.locally_rigid import (
    AROUND_MM,
    WITHIN_MM,
    fit_keeping_volume,
    fit_rigid,
    locally_rigid,
)
from netseg.register.posterior import spread_mm
from netseg.register.sampling import bent, looked_up
from netseg.register.settings import Engine, RegistrationSettings
from netseg.register.side import grown, seen, seen_from
from netseg.register.transport import carry_distance, to_moving
from netseg.register.vessels import vessel_distance_mm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float

    from netseg.domain.grid import Grid
    from netseg.domain.point import PointMm
    from netseg.domain.registration import Gate, Registration
    from netseg.domain.volume import Mask, Volume

ndi: Any = scipy.ndimage  # its stubs promise unions that these calls never return

MOST_VESSEL_MM = 3.5
NEAR_MM = 5.0  # of zone and lesions: where the error is asked for
WORDS = {
    Engine.GAUSS_NEWTON: "bent by Gauss-Newton steps",
    Engine.DEMONS: "bent by diffeomorphic demons",
    Engine.TORCH: "bent by gradient descent on local correlation (torch)",
}


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One of the two scans with its outlines.

    Attributes:
        volume: The image.
        liver: Its liver.
        avoided: Zone or tumours; None where they are not known.
    """

    volume: Volume
    liver: Mask
    avoided: Mask | None


def refined(
    rigid: Registration,
    ours: Scan,
    theirs: Scan,
    landmarks: Sequence[tuple[PointMm, PointMm]],
    choice: RegistrationSettings,
) -> Registration:
    """Add the bending part, the gates and the error estimate to a rigid registration.

    Args:
        rigid: Of the two scans.
        ours: The control scan.
        theirs: The planning scan.
        landmarks: Pairs of points, control first.
        choice: How.
    """
    pair = _on_one_grid(rigid, ours, theirs, choice)
    engine = chosen_engine(choice)
    if engine is Engine.RIGID:
        return _judged(rigid, pair, _Bend.left_out_of(pair), theirs.avoided, landmarks)
    raw = _bend(pair, engine, choice)
    draft = replace(rigid, bend_grid=pair.grid, bend_mm=raw)
    stiff = _stiff(draft, pair, ours, theirs)
    painted = engine is not Engine.GAUSS_NEWTON
    piece = stiff if painted else _lesions(draft, pair, theirs)
    shell_mm, fit = (AROUND_MM, fit_rigid) if painted else (WITHIN_MM, fit_keeping_volume)
    pieces = locally_rigid(raw, pair.grid, piece, pair.fixed_liver, shell_mm, fit)
    bend = _Bend(
        bend_mm=pieces.bend_mm,
        near=_near(stiff, pair),
        stiff=stiff,
        scatter_mm=pieces.scatter_mm,
        swelling_mm=None if painted else pieces.swelling_mm,
        spread_mm=spread_mm(pair, raw, _grown_or(piece, pair)),
    )
    if choice.check_backwards:
        back = _bend(swapped(pair), engine, choice)
        bend = replace(bend, way_back_mm=_way_back_mm(raw, back, bend.near, pair.grid))
    whole = replace(
        rigid,
        method=f"{rigid.method}; {WORDS[engine]}; "
        + ("zone and lesions in one piece" if painted else "lesions stretched at constant volume"),
        bend_grid=pair.grid,
        bend_mm=pieces.bend_mm,
    )
    return _judged(whole, pair, bend, theirs.avoided, landmarks)


def chosen_engine(choice: RegistrationSettings) -> Engine:
    """The engine that "auto" stands for on this machine; any other as it is."""
    if choice.engine is not Engine.AUTO:
        return choice.engine
    if choice.device == "cpu":
        return Engine.GAUSS_NEWTON
    import torch

    return Engine.TORCH if torch.cuda.is_available() else Engine.GAUSS_NEWTON


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bend:
    bend_mm: Float[np.ndarray, "i j k 3"]
    near: Bool[np.ndarray, "i j k"]
    stiff: Bool[np.ndarray, "i j k"]
    scatter_mm: float | None = None
    swelling_mm: float | None = None
    spread_mm: float | None = None
    way_back_mm: float | None = None
    left_out_mm: float | None = None

    @classmethod
    def left_out_of(cls, pair: Comparable) -> _Bend:
        """No bend; what there would have been near zone and lesions tells how far off that is."""
        zone = pair.fixed_avoided & pair.fixed_liver
        near = _near(zone, pair)
        there = bend_by_gauss_newton(pair)[near] if pair.compared.any() else None
        return cls(
            bend_mm=np.zeros((*pair.grid.shape, 3), np.float32),
            near=near,
            stiff=pair.fixed_avoided,
            left_out_mm=None if there is None else _length_mm(there),
        )


def _on_one_grid(
    rigid: Registration, ours: Scan, theirs: Scan, choice: RegistrationSettings
) -> Comparable:
    away = choice.keep_away_mm
    one = seen(
        ours.volume, ours.liver, ours.avoided, spacing_mm=choice.spacing_mm, keep_away_mm=away
    )
    other = seen_from(
        theirs.volume,
        theirs.liver,
        theirs.avoided,
        onto=one.grid,
        matrix=rigid.matrix,
        keep_away_mm=away,
    )
    return comparable(one, other)


def _bend(
    pair: Comparable, engine: Engine, choice: RegistrationSettings
) -> Float[np.ndarray, "i j k 3"]:
    if engine is Engine.DEMONS:
        return bend_by_demons(pair, smoothing_mm=choice.smoothing_mm)
    if engine is Engine.TORCH:
        from netseg.register.optimiser import bend_by_descent

        return bend_by_descent(pair, device=choice.device)
    return bend_by_gauss_newton(pair)


def _stiff(
    draft: Registration, pair: Comparable, ours: Scan, theirs: Scan
) -> Bool[np.ndarray, "i j k"]:
    """Zone and tumours on the pair's grid."""
    stiff = _lesions(draft, pair, theirs)
    if ours.avoided is not None and not ours.avoided.is_empty:
        zone = looked_up(ours.avoided.inside, ours.avoided.grid, pair.grid, outside=0.0)
        stiff |= zone >= 0.5
    return stiff


def _lesions(draft: Registration, pair: Comparable, theirs: Scan) -> Bool[np.ndarray, "i j k"]:
    """The tumours on the pair's grid."""
    if theirs.avoided is None or theirs.avoided.is_empty:
        return np.zeros(pair.grid.shape, np.bool_)
    return carry_distance(draft, theirs.avoided, pair.grid) <= 0


def _near(stiff: np.ndarray, pair: Comparable) -> Bool[np.ndarray, "i j k"]:
    """Where the error matters: within 5 mm of zone and lesions; the liver where there are none."""
    if not stiff.any():
        return pair.fixed_liver
    away_mm = ndi.distance_transform_edt(~stiff, sampling=pair.grid.spacing_mm)
    return away_mm <= NEAR_MM


def _grown_or(piece: np.ndarray, pair: Comparable) -> Bool[np.ndarray, "i j k"]:
    """Lesions and 3 mm around them; the liver where none are known."""
    return grown(piece, WITHIN_MM[1], pair.grid) if piece.any() else pair.fixed_liver


def _way_back_mm(there: np.ndarray, back: np.ndarray, near: np.ndarray, grid: Grid) -> float:
    """Root mean square of u(x) + v(x + u(x)): how far from x one ends."""
    returned = np.stack([bent(back[..., c], grid, there) for c in range(3)], axis=-1)
    return _length_mm((there + returned)[near])


def _length_mm(vectors: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.sum(vectors * vectors, axis=-1))))


def _judged(
    found: Registration,
    pair: Comparable,
    bend: _Bend,
    tumours: Mask | None,
    landmarks: Sequence[tuple[PointMm, PointMm]],
) -> Registration:
    """The registration with landmarks, gates and error estimate."""
    marks = landmark_distances_mm(found, landmarks)
    shown = ~pair.moving_avoided | pair.moving_liver
    checks: dict[str, Gate] = gates.liver_gates(pair, bend.bend_mm, shown)
    around = bend.stiff if bend.stiff.any() else ndi.binary_erosion(pair.fixed_liver, iterations=8)
    checks["vessels_mm"] = gates.vessel_gate(
        vessel_distance_mm(pair, bend.bend_mm, around), MOST_VESSEL_MM
    )
    if found.bend_mm is not None:
        checks |= gates.jacobian_gates(bend.bend_mm, pair.grid, pair.fixed_liver)
        if tumours is not None and not tumours.is_empty:
            checks["lesion_volume_change"] = gates.volume_gate(*_volumes_ml(found, tumours, pair))
        checks["way_back_mm"] = gates.way_back_gate(bend.way_back_mm)
        moved = np.linalg.norm(bend.bend_mm[bend.near], axis=-1)
        checks["rigid_disagreement_mm"] = gates.disagreement_gate(
            float(moved.mean()) if moved.size else None
        )
        expected = error.expected_error_mm(
            spread_mm=bend.spread_mm,
            scatter_mm=bend.scatter_mm,
            way_back_mm=bend.way_back_mm,
            swelling_mm=bend.swelling_mm,
            landmarks_mm=marks,
        )
    else:
        expected = error.rigid_error_mm(bend.left_out_mm, marks)
    if marks:
        checks["landmarks_mm"] = gates.landmark_gate(error.root_mean_square_mm(marks))
    return replace(found, gates=checks, landmarks_mm=marks, error_mm=expected)


def _volumes_ml(found: Registration, tumours: Mask, pair: Comparable) -> tuple[float, float]:
    """The tumours' volume carried rigidly, and as registered: counted alike on one grid."""
    rigid = replace(found, bend_grid=None, bend_mm=None)
    step_mm = pair.grid.spacing_mm[0]
    volumes: list[float] = []
    for one in (rigid, found):
        distance = carry_distance(one, tumours, pair.grid)
        filled = float(np.clip(0.5 - distance / step_mm, 0, 1).sum())
        volumes.append(filled * pair.grid.voxel_volume_ml)
    return volumes[0], volumes[1]


def landmark_distances_mm(
    registration: Registration, landmarks: Sequence[tuple[PointMm, PointMm]]
) -> tuple[float, ...]:
    """How far apart pairs of points, control first, come to lie in the planning scan."""
    if not landmarks:
        return ()
    before = np.array([tuple(pair[0]) for pair in landmarks])
    after = np.array([tuple(pair[1]) for pair in landmarks])
    away = np.linalg.norm(to_moving(registration, before) - after, axis=1)
    return tuple(round(float(d), 3) for d in away)
