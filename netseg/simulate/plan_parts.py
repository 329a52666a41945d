"""Grid, vessels and probes of a plan file."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.domain.grid import Grid
from netseg.domain.point import PointMm
from netseg.simulate.devices import DEVICE_KEYS, load_device, parse_device
from netseg.simulate.plan_values import mapping, name, positive, sequence, triple, unknown_key
from netseg.simulate.scene import PlacedProbe, single_needles
from netseg.simulate.vessel import Vessel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float

    from netseg.simulate.devices import Device

PROBE_KEYS = ("id", "device", "tip_mm", "direction", "active_length_mm")
MOST_CELLS = 512**3
SHAFT_MM = 100.0  # two needles may not cross over this length from their tips


def read_grid(document: object) -> Grid:
    """The grid of a plan: its centre is the origin, its axes those of the patient.

    Raises:
        StudyRejectedError: If shape or spacing is impossible.
    """
    numbers = mapping(document, "grid", ("shape", "spacing_mm"))
    shape = triple(numbers.get("shape"), "grid.shape")
    spacing = triple(numbers.get("spacing_mm"), "grid.spacing_mm")
    if any(n != int(n) or n < 2 for n in shape) or math.prod(shape) > MOST_CELLS:
        raise StudyRejectedError(
            Code.CONFIG_RANGE,
            f"grid.shape must be three whole numbers from 2, at most {MOST_CELLS} cells in all; "
            f"got {shape}.",
        )
    if min(spacing) <= 0:
        raise StudyRejectedError(
            Code.CONFIG_RANGE, f"grid.spacing_mm must be positive; got {spacing}."
        )
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -0.5 * (np.array(shape) - 1) * np.array(spacing)
    return Grid(
        shape=(int(shape[0]), int(shape[1]), int(shape[2])),
        affine_lps=affine,
        frame_uid="simulation",
    )


def read_vessel(document: object, count: int) -> Vessel:
    """A straight piece of vessel.

    Raises:
        StudyRejectedError: If it has no length or diameter.
    """
    where = f"vessel {count + 1}"
    numbers = mapping(document, where, ("from_mm", "to_mm", "diameter_mm"))
    start = PointMm.of(triple(numbers.get("from_mm"), f"{where}.from_mm"))
    end = PointMm.of(triple(numbers.get("to_mm"), f"{where}.to_mm"))
    if start == end:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED, f"{where} has no length: from_mm and to_mm are {tuple(start)}."
        )
    return Vessel(
        from_mm=start,
        to_mm=end,
        diameter_mm=positive(numbers.get("diameter_mm"), f"{where}.diameter_mm"),
    )


def read_probes(document: object, modality: object = None) -> tuple[PlacedProbe, ...]:
    """The needles of a plan; a cluster becomes its single needles.

    Args:
        document: What the plan says under `probes`.
        modality: Physics of a device whose numbers stand in the plan without one.

    Raises:
        StudyRejectedError: If there is none, two have one id, or two lie in the same place.
    """
    given = tuple(_probe(p, n, modality) for n, p in enumerate(sequence(document, "probes")))
    if not given:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED, "an ablation needs at least one probe; got none."
        )
    probes = tuple(needle for probe in given for needle in single_needles(probe))
    for first, second in combinations(probes, 2):
        if first.id == second.id:
            raise StudyRejectedError(
                Code.SIMULATION_REFUSED,
                f"two probes are called {first.id!r}; each needs its own id.",
            )
        _require_apart(first, second)
    return probes


def _probe(document: object, count: int, modality: object) -> PlacedProbe:
    where = f"probe {count + 1}"
    probe = mapping(document, where, tuple(dict.fromkeys((*PROBE_KEYS, *DEVICE_KEYS))))
    device = _device(probe, where, modality)
    direction = np.array(triple(probe.get("direction"), f"{where}.direction"))
    length = float(np.linalg.norm(direction))
    if not (math.isfinite(length) and length > 1e-6):
        raise StudyRejectedError(
            Code.CONFIG_RANGE, f"{where}.direction must not be zero; got {direction.tolist()}."
        )
    x, y, z = (direction / length).tolist()
    active = probe.get("active_length_mm", device.active_length_mm)
    return PlacedProbe(
        id=name(probe.get("id", count + 1), f"{where}.id"),
        device=device,
        tip_mm=PointMm.of(triple(probe.get("tip_mm"), f"{where}.tip_mm")),
        direction=(x, y, z),
        active_length_mm=positive(active, f"{where}.active_length_mm"),
    )


def _device(probe: Mapping[Any, Any], where: str, modality: object) -> Device:
    """A device by name, or by its numbers under `device` or beside the probe's own keys."""
    given = probe.get("device")
    beside = {k: v for k, v in probe.items() if k not in PROBE_KEYS}
    if isinstance(given, str) and not beside:
        return load_device(given)
    if "device" in probe and beside:
        raise unknown_key(where, next(iter(beside)), PROBE_KEYS)
    if "device" in probe:
        numbers = dict(mapping(given, f"{where}.device"))
    else:
        own = {k: probe[k] for k in ("active_length_mm",) if k in probe}
        numbers = {**beside, **own}
        if not numbers:
            raise StudyRejectedError(
                Code.CONFIG_TYPE,
                f"{where}.device must be a device's name or its numbers; got nothing.",
                hint="`netseg info` lists the devices.",
            )
    return parse_device({"modality": modality, **numbers}, f"of {where}", inline=True)


def _require_apart(first: PlacedProbe, second: PlacedProbe) -> None:
    """Refuse two needles of metal in one place.

    Raises:
        StudyRejectedError: If their axes come closer than the sum of their radii.
    """
    least = 0.5 * (first.device.diameter_mm + second.device.diameter_mm)
    shafts = [
        (p.tip_mm.as_array(), p.tip_mm.as_array() + SHAFT_MM * np.array(p.direction))
        for p in (first, second)
    ]
    apart = gap_mm(*shafts[0], *shafts[1])
    if apart < least - 1e-6:
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"probes {first.id} and {second.id} cross: their axes come within {apart:.2f} mm of "
            f"each other, and the needles together need {least:.2f} mm.",
            hint="Move one of them, or check `direction`: it points from the tip to the handle.",
        )


def gap_mm(
    a: Float[np.ndarray, "3"],
    b: Float[np.ndarray, "3"],
    c: Float[np.ndarray, "3"],
    d: Float[np.ndarray, "3"],
) -> float:
    """Shortest distance between the straight pieces a-b and c-d.

    Squared distance is convex in both shares; the least lies at the crossing of the two lines, or
    where one end meets the other piece.

    Args:
        a: Start of the first piece.
        b: Its end.
        c: Start of the second piece.
        d: Its end.
    """
    u, v, w = b - a, d - c, a - c
    uu, uv, vv, uw, vw = u @ u, u @ v, v @ v, u @ w, v @ w
    distances = [
        *(_to_piece_mm(p, c, d) for p in (a, b)),
        *(_to_piece_mm(p, a, b) for p in (c, d)),
    ]
    if (det := uu * vv - uv * uv) > 1e-9 * uu * vv:
        s, t = (uv * vw - vv * uw) / det, (uu * vw - uv * uw) / det
        if 0 <= s <= 1 and 0 <= t <= 1:
            distances.append(float(np.linalg.norm(w + s * u - t * v)))
    return min(distances)


def _to_piece_mm(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    along = end - start
    share = np.clip((point - start) @ along / max(float(along @ along), 1e-12), 0.0, 1.0)
    return float(np.linalg.norm(point - start - share * along))
