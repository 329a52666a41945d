"""Random masks from seeds, with numpy alone: both sides of the comparison make the same ones."""

import numpy as np

SPACINGS_MM = ((1.0, 1.0, 1.0), (0.7, 0.8, 5.0), (2.0, 1.0, 3.0))
SHAPE = (32, 28, 24)
PAIRS = 60


def pair(seed):
    """Predicted mask, true mask and spacing: salt and pepper, or balls that meet, split and miss."""
    rng = np.random.default_rng(seed)
    spacing_mm = SPACINGS_MM[seed % len(SPACINGS_MM)]
    if seed % 4 == 0:
        truth, found = rng.random((2, *SHAPE)) < rng.uniform(0.02, 0.6, size=(2, 1, 1, 1))
    else:
        truth, found = balls(rng)
    if seed % 20 == 19:  # a region that reaches the border on all sides
        truth[:] = True
        truth[tuple(n // 2 for n in SHAPE)] = False
    return found, truth, spacing_mm


def balls(rng):
    """Up to eight balls, each found, missed, shifted or split; and a few balls beside."""
    truth, found = np.zeros((2, *SHAPE), bool)
    for _ in range(rng.integers(1, 9)):
        centre, radius = rng.uniform((3, 3, 3), np.array(SHAPE) - 3), rng.uniform(1.0, 5.5)
        truth |= ball(centre, radius)
        fate = rng.integers(4)
        if fate in (1, 2):
            found |= ball(centre + rng.normal(0, 1, 3), radius * rng.uniform(0.6, 1.3))
        if fate == 3:
            part = ball(centre, radius)
            part[round(centre[0])] = False
            found |= part
    for _ in range(rng.integers(0, 3)):
        found |= ball(rng.uniform((0, 0, 0), SHAPE), rng.uniform(1.0, 3.0))
    return truth, found


def ball(centre, radius):
    axes = np.ix_(*(np.arange(n) for n in SHAPE))
    return sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True)) <= radius**2


def probabilities(seed):
    """Probabilities on a lattice of 1/1000 away from the limits of bins, and what was there."""
    rng = np.random.default_rng(seed)
    p = (rng.integers(0, 1000, 20_000) + 0.5) / 1000
    return p, rng.random(p.shape) < p ** rng.uniform(0.5, 2.0)
