"""The published experiments, as scenes and protocols."""

import dataclasses
import math

import numpy as np

from netseg.domain import AblationModality, AblationProtocol, Grid, PointMm
from netseg.simulate import load_tissue
from netseg.simulate.devices import parse_device
from netseg.simulate.scene import PlacedProbe, Scene

CLUSTER = tuple(5.0 / math.sqrt(3) * np.array([math.cos(a), math.sin(a)]) for a in
                (math.pi / 2, 7 * math.pi / 6, 11 * math.pi / 6))  # fmt: skip


def triangle(side_mm):
    """Corners of an equilateral triangle around the origin."""
    return [np.array(c) / 5.0 * side_mm for c in CLUSTER]


def device(active_mm, *, diameter_mm=1.5, coolant_c=15.0):
    return parse_device(
        {
            "modality": "rfa",
            "diameter_mm": diameter_mm,
            "active_length_mm": active_mm,
            "max_power_w": 250,
            "coolant_c": coolant_c,
            "coolant_w_m2k": 3366,
        },
        "published",
    )


def probes(places, kind):
    """Parallel probes along k, their active parts centred at the origin's height."""
    return tuple(
        PlacedProbe(
            id=name,
            device=kind,
            tip_mm=PointMm(float(x), float(y), -0.5 * kind.active_length_mm),
            direction=(0.0, 0.0, 1.0),
            active_length_mm=kind.active_length_mm,
        )
        for name, (x, y) in places.items()
    )


def clusters(centres):
    """Three needles 5 mm apart around each centre, one electrode."""
    return {
        f"{chr(65 + n)}.{m + 1}": centre + offset
        for n, centre in enumerate(centres)
        for m, offset in enumerate(CLUSTER)
    }


def scene(places, kind, tissue, *, spacing_mm, margin_mm):
    """A box around the active parts."""
    points = np.array(list(places.values()))
    half = np.append(np.abs(points).max(0), 0.5 * kind.active_length_mm) + margin_mm
    shape = tuple(math.ceil(2 * h / spacing_mm) for h in half)
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = -0.5 * (np.array(shape) - 1) * spacing_mm
    return Scene(
        grid=Grid(shape=shape, affine_lps=affine, frame_uid="published"),
        probes=probes(places, kind),
        tissue=tissue,
    )


def rfa(duration_s, *, power_w=200.0, controller="impedance", schedule=(), pairs=(), **settings):
    return AblationProtocol(
        modality=AblationModality.RFA,
        duration_s=duration_s,
        power_w=power_w,
        controller=controller,
        settings=settings,
        schedule=tuple(schedule),
        pairs=tuple(pairs),
    )


def one_after_another(names, each_s, pause_s=0.0):
    """Each electrode alone for its time."""
    phases = []
    for n, name in enumerate(names):
        if n and pause_s:
            phases.append({"duration_s": pause_s, "off": True})
        phases.append({"duration_s": each_s, "probes": [name]})
    return phases


def liver(name, **changes):
    return dataclasses.replace(load_tissue(name), **changes)
