"""Hepatic veins in their planes, the portal tree along its plane, and small arteries beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.phantom.bones import Rod
from netseg.phantom.liver import CAVA_X_MM, CAVA_Y_MM, LiverShape
from netseg.phantom.organs import Body, kidney_centre

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float

    Bud = tuple[np.ndarray, np.ndarray, float]  # where a branch begins, its direction, its radius
    Depth = Callable[
        [np.ndarray], np.ndarray
    ]  # atlas points (n, 3) -> liver field, negative inside

MURRAY = 2.0 ** (-1.0 / 3.0)  # radius of each of two equal daughters: the cubes add up
SMALLEST_MM = 0.6


def portal_tree(shape: LiverShape, depth: Depth, rng: np.random.Generator) -> list[Rod]:
    """Main portal vein, its right and left branches and what grows from them into each segment."""
    p = shape.portal_mm
    fork = (-28.0, -6.0, p - 2)
    right = (-54.0, 2.0, p + 2)
    rods = [
        _rod([(-2.0, -10.0, -38.0), (-8.0, -10.0, -20.0), (-16.0, -8.0, p - 12), fork], (7.5, 7.2, 7.0, 6.5)),
        _rod([fork, (-42.0, -2.0, p), right], (5.8, 5.5, 5.2)),
        _rod([fork, (-16.0, -14.0, p + 10), (-2.0, -18.0, p + 22), (4.0, -24.0, p + 28), (6.0, -42.0, p + 28)],
             (4.8, 4.6, 4.4, 4.2, 4.0)),
        _rod([(78.0, 26.0, 30.0), (56.0, 12.0, 12.0), (22.0, -6.0, -6.0), (-4.0, -10.0, -24.0)],
             (3.2, 3.6, 4.0, 4.4)),
        _rod([(-2.0, -10.0, -38.0), (0.0, -14.0, -80.0), (2.0, -16.0, -200.0)], (6.5, 5.5, 4.5)),
    ]  # fmt: skip
    middle = np.radians((shape.right_vein_deg + shape.middle_vein_deg) / 2)
    ahead = np.array((-np.sin(middle), -np.cos(middle), 0.0))
    behind = np.array((-0.80, 0.55, 0.0))
    anterior = np.add(right, 12 * ahead)
    rods.append(_rod([right, anterior], (4.3, 4.1)))
    posterior = np.add(right, (-12.0, 6.0, -1.0))
    rods.append(_rod([right, posterior], (4.3, 4.1)))
    left = np.array((6.0, -42.0, p + 28))
    up, down = np.array((0, 0, 1.0)), np.array((0, 0, -1.0))
    starts = [
        (anterior, 0.8 * up + 0.6 * ahead, 3.7),
        (anterior, 0.35 * up + 0.9 * ahead, 3.2),
        (anterior, 0.7 * down + 0.7 * ahead, 3.5),
        (posterior, 0.75 * up + 0.6 * behind, 3.6),
        (posterior, 0.8 * down + 0.6 * behind, 3.6),
        (np.array((4.0, -24.0, p + 28)), np.array((0.9, 0.25, 0.35)), 3.0),
        (left, np.array((0.85, -0.4, -0.15)), 3.1),
        (left, np.array((-0.7, -0.6, 0.1)), 2.8),
        (left, np.array((-0.55, -0.4, 0.75)), 2.6),
        (np.array((-16.0, -10.0, p + 10)), np.array((0.1, 0.6, 0.7)), 1.8),
    ]
    return rods + _grow(starts, depth, rng)


def hepatic_veins(shape: LiverShape, depth: Depth, rng: np.random.Generator) -> list[Rod]:
    """Right, middle and left vein, each in the plane that parts the segments, with side branches."""
    rods: list[Rod] = []
    buds: list[Bud] = []
    trunks = (
        (
            shape.right_vein_deg,
            (0.0, 22.0, 48.0, 78.0, 100.0),
            (0.68, 0.64, 0.46, 0.14, -0.20),
            5.0,
        ),
        (
            shape.middle_vein_deg,
            (0.0, 20.0, 42.0, 62.0, 82.0),
            (0.70, 0.64, 0.46, 0.20, -0.05),
            4.8,
        ),
        (shape.left_vein_deg, (0.0, 18.0, 40.0, 60.0, 74.0), (0.71, 0.66, 0.56, 0.45, 0.36), 4.4),
    )
    for angle, reach, height, radius in trunks:
        a = np.radians(angle)
        away = np.array((-np.sin(a), -np.cos(a)))
        path = [
            (CAVA_X_MM + r * away[0], CAVA_Y_MM + r * away[1], h * shape.dome_mm)
            for r, h in zip(reach, height, strict=True)
        ]
        path = _refine(np.array(path), 4)
        keep = np.maximum.accumulate((depth(path) > -3) & (np.arange(len(path)) > 6))
        path = path[~keep]
        radii = np.linspace(radius, 1.6, len(path))
        rods.append(Rod(path_mm=path, radius_mm=radii))
        out = np.array((away[1], -away[0], 0.0))
        for n in range(5, len(path) - 1, 2):
            side = out * rng.choice((-1.0, 1.0)) + np.array(
                (0.5 * away[0], 0.5 * away[1], rng.normal(0, 0.5))
            )
            buds.append((path[n], side, 0.55 * radii[n] + 0.3))
    rods.append(_rod([(CAVA_X_MM, CAVA_Y_MM - 2, 50.0), (-60.0, 40.0, 20.0)], (2.2, 1.2)))
    return rods + _grow(buds, depth, rng)


def renal_vessels(body: Body) -> tuple[list[Rod], list[Rod]]:
    """Renal arteries and veins of both sides."""
    arteries, veins = [], []
    for side in (-1, 1):
        x, y, z = kidney_centre(side, body)
        hilum = (x - side * 16.0, y - 8.0, z)
        arteries.append(_rod([(7.0, 22.0, z + 8), (0.4 * x, 36.0, z + 6), hilum], (2.8, 2.6, 2.3)))
        start = (-20.0, 22.0, z + 6)
        front = (0.3 * x, 6.0 if side > 0 else 30.0, z + 4)
        veins.append(
            _rod([start, front, (x - side * 22.0, y - 14.0, z + 2), hilum], (4.6, 4.4, 4.2, 3.6))
        )
    return arteries, veins


def hepatic_arteries(portal: list[Rod], rng: np.random.Generator) -> list[Rod]:
    """A thin artery beside the larger portal branches."""
    arteries = [
        _rod([(8.0, 10.0, -2.0), (-2.0, -12.0, -6.0), (-18.0, -16.0, -4.0)], (2.6, 2.3, 2.1))
    ]
    for rod in portal:
        if rod.radius_mm[0] < 2.6:
            continue
        beside = rng.normal(size=3)
        beside *= (rod.radius_mm.mean() + 1.5) / np.linalg.norm(beside)
        arteries.append(
            Rod(path_mm=rod.path_mm + beside, radius_mm=np.clip(0.32 * rod.radius_mm, 0.5, 1.8))
        )
    return arteries


def _grow(buds: list[Bud], depth: Depth, rng: np.random.Generator) -> list[Rod]:
    """Branch generation by generation until the vessels are too thin or leave the liver."""
    rods: list[Rod] = []
    point, way, radius = (np.array([b[n] for b in buds], float) for n in range(3))
    while len(point):
        way = way / np.linalg.norm(way, axis=1, keepdims=True) + rng.normal(0, 0.12, way.shape)
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        step = (2.4 + 3.2 * radius) * rng.uniform(0.8, 1.3, len(radius))
        tip = point + step[:, None] * way
        inside = (depth(tip) < -2.0) & (depth((tip + point) / 2) < -2.0)
        point, way, radius, tip = point[inside], way[inside], radius[inside], tip[inside]
        rods += [
            Rod(path_mm=np.stack((a, b)), radius_mm=np.array((r, 0.9 * r)))
            for a, b, r in zip(point, tip, radius, strict=True)
        ]
        share = rng.uniform(0.35, 0.65, len(radius))
        across = np.cross(way, rng.normal(size=way.shape))
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        turn = rng.uniform(0.35, 0.75, len(radius))
        point = np.concatenate((tip, tip))
        way = np.concatenate(
            (
                way + across * (turn * (1.2 - share))[:, None],
                way - across * (turn * (0.2 + share))[:, None],
            )
        )
        radius = 0.97 * np.concatenate((radius * share ** (1 / 3), radius * (1 - share) ** (1 / 3)))
        thick = radius > SMALLEST_MM
        point, way, radius = point[thick], way[thick], radius[thick]
    return rods


def _rod(path: list, radii: tuple[float, ...]) -> Rod:
    fine = _refine(np.array(path, float), 3)
    r = np.interp(np.linspace(0, 1, len(fine)), np.linspace(0, 1, len(radii)), radii)
    return Rod(path_mm=fine, radius_mm=r)


def _refine(path: Float[np.ndarray, "n 3"], times: int) -> Float[np.ndarray, "m 3"]:
    """More points on a smooth curve through `path`."""
    from scipy.interpolate import PchipInterpolator

    t = np.arange(len(path))
    return PchipInterpolator(t, path)(np.linspace(0, len(path) - 1, times * (len(path) - 1) + 1))
