"""How far a bend may be off where the images say little: the spread of fields that fit as well.

Fields are drawn from the posterior of `gauss_newton`'s model about the bend that was found, whoever
found it, by solving once per draw for noise in place of images (Papandreou & Yuille 2010). Near
vessels they agree; in parenchyma without any, and within the zone, they do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.register.gauss_newton import BLOCK, prior_of, said_at, solve

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from netseg.register.comparable import Comparable
    from netseg.register.gauss_newton import Said

DRAWS = 6
ROUNDS, ENOUGH = 30, 1e-2  # per draw: a spread needs fewer digits than a bend
SEED = 20061  # the same draws on every run


def spread_mm(
    pair: Comparable,
    bend_mm: Float[np.ndarray, "i j k 3"],
    near: Bool[np.ndarray, "i j k"],
) -> float | None:
    """Root mean square length of the bend's error within a region, as the model sees it.

    Args:
        pair: Two scans on one grid.
        bend_mm: The bend that was found.
        near: Where it is asked for.

    Returns:
        Millimetres; None where nothing can be compared, or the region is empty.
    """
    said = said_at(pair, bend_mm)
    cells = np.unique(np.argwhere(near) // BLOCK, axis=0)
    if said is None or not len(cells):
        return None
    prior = prior_of(pair)
    root = _root(said)
    rng = np.random.default_rng(SEED)
    nothing = np.zeros((3, *prior.spectrum.shape), np.float32)
    total = 0.0
    for _ in range(DRAWS):
        noise = np.moveaxis(rng.standard_normal((*root.shape[:3], 3), dtype=np.float32), -1, 0)
        guess = prior.draw(rng)
        answer = np.einsum("ijkab,bijk->aijk", root, noise) - said.times(guess)
        drawn, _ = solve(said, answer, prior, (nothing, nothing), rounds=ROUNDS, enough=ENOUGH)
        drawn = guess + drawn
        total += float(np.mean(np.sum(drawn[(slice(None), *cells.T)] ** 2, axis=0)))
    return float(np.sqrt(total / DRAWS))


def _root(said: Said) -> Float[np.ndarray, "i j k 3 3"]:
    """The symmetric square root of every cell's matrix."""
    xx, xy, xz, yy, yz, zz = said.weight
    matrix = np.stack((xx, xy, xz, xy, yy, yz, xz, yz, zz), axis=-1).reshape(*xx.shape, 3, 3)
    values, vectors = np.linalg.eigh(matrix)
    scaled = vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]
    return scaled @ np.swapaxes(vectors, -1, -2)
