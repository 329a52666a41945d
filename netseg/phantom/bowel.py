"""Duodenum and loops of small bowel, as rods through the free room of the lower abdomen."""

from __future__ import annotations

import numpy as np

from netseg.phantom.bones import Rod

DUODENUM = ((-14.0, -34.0, -20.0), (-36.0, -24.0, -16.0), (-42.0, -4.0, -34.0), (-40.0, 0.0, -70.0),
            (-24.0, 4.0, -86.0), (2.0, 0.0, -84.0), (24.0, -6.0, -66.0))  # fmt: skip
LOOPS = ((-62.0, 84.0), (-66.0, 10.0), (-190.0, -62.0))  # the room of the loops along x, y, z


def small_bowel(rng: np.random.Generator) -> list[Rod]:
    """The duodenal C and a random walk of jejunal loops, 22-30 mm wide."""
    duodenum = np.array(DUODENUM) + rng.normal(0, 2.0, (len(DUODENUM), 3))
    path = [np.array((26.0, -14.0, -64.0))]
    way = np.array((1.0, -0.4, -0.2))
    low, high = (np.array(side) for side in zip(*LOOPS, strict=True))
    for _ in range(90):
        way = 0.75 * way + rng.normal(0, 0.6, 3)
        way /= np.linalg.norm(way)
        point = path[-1] + 13.0 * way
        way = np.where((point < low) | (point > high), -way, way)
        path.append(np.clip(point, low, high))
    loops = np.array(path)
    squeeze = 1 + 0.18 * np.sin(np.arange(len(loops)) * 1.3)
    return [
        Rod(path_mm=duodenum, radius_mm=np.full(len(duodenum), 11.0)),
        Rod(path_mm=loops, radius_mm=rng.uniform(10.5, 13.5) * squeeze),
    ]
