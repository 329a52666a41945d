"""Which lesions and look-alikes a patient has: how many, how large and of what look.

Numbers follow the priors of NET liver metastases: sizes even on a logarithmic scale with extra small
ones, a simple, complex or diffuse pattern, arterial hyper-enhancement in about two thirds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from netseg.phantom.lesions import LesionKind

if TYPE_CHECKING:
    from netseg.phantom.chance import Chance

LIVER_ML = 1500.0  # a whole liver: a patch with less of it gets fewer lesions


class Mimic(StrEnum):
    """What is no lesion and must not be called one."""

    CYST = "cyst"
    HAEMANGIOMA = "haemangioma"
    FOCAL_FAT = "focal_fat"
    VESSEL = "vessel"
    PERFUSION = "perfusion"
    PET_SPOT = "pet_spot"


class Pattern(StrEnum):
    """How metastases are spread over the liver."""

    SIMPLE = "simple"
    COMPLEX = "complex"
    DIFFUSE = "diffuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class TumourPrior:
    """How many lesions, how large and of what look.

    Attributes:
        free: Share of samples without any lesion.
        patterns: Shares of the simple, complex and diffuse pattern.
        diameter_mm: Range of the longest diameter, even on a logarithmic scale.
        small: Extra share drawn below 10 mm.
        hyper: Mean share that enhances in the arterial phase; varies between patients.
        ring: Largest share with a ring among those of 8 mm and more; varies between patients.
        necrotic: Share with a dead core among those of 20 mm and more.
        treated: Share that holds bright treated material.
        capsule: Share placed at the liver's surface.
        dome: Share of those over 25 mm placed under the dome.
        touching: Share that may touch another one.
        mimics: Mean number of look-alikes.
    """

    free: float = 0.2
    patterns: tuple[float, float, float] = (0.225, 0.125, 0.65)
    diameter_mm: tuple[float, float] = (4.0, 60.0)
    small: float = 0.15
    hyper: float = 0.65
    ring: float = 0.72
    necrotic: float = 0.35
    treated: float = 0.06
    capsule: float = 0.2
    dome: float = 0.3
    touching: float = 0.1
    mimics: float = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One body to grow.

    Attributes:
        kind: Its look.
        diameter_mm: Longest diameter.
        hyper: Whether its living part enhances in the arterial phase.
        treated: Whether it holds bright treated material.
        near: Whether it lies near the patient's other lesions.
    """

    kind: LesionKind | Mimic
    diameter_mm: float
    hyper: bool = False
    treated: bool = False
    near: bool = False


def draw_orders(prior: TumourPrior, liver_ml: float, chance: Chance) -> tuple[list[Order], Pattern]:
    """The lesions of a patient of which `liver_ml` are seen, in descending size."""
    pattern = chance.pick(tuple(Pattern), prior.patterns)
    if chance.coin(prior.free):
        return [], pattern
    low, high = {Pattern.SIMPLE: (1, 3), Pattern.COMPLEX: (3, 8), Pattern.DIFFUSE: (8, 22)}[pattern]
    seen = min(1.0, max(0.25, liver_ml / LIVER_ML))
    count = max(1, round(chance.whole(low, high) * seen))
    hyper = min(1.0, max(0.0, prior.hyper + 0.25 * (2 * chance.uniform(0, 1) - 1) ** 3 * 2))
    ring = chance.uniform(0.0, prior.ring)
    orders = [_tumour(prior, hyper, ring, chance) for _ in range(count)]
    orders.sort(key=lambda o: -o.diameter_mm)
    if pattern is Pattern.DIFFUSE:
        return orders, pattern
    close = len(orders) if pattern is Pattern.SIMPLE else (len(orders) + 1) // 2
    return [replace(order, near=n < close) for n, order in enumerate(orders)], pattern


def _tumour(prior: TumourPrior, hyper: float, ring: float, chance: Chance) -> Order:
    low, high = prior.diameter_mm
    if chance.coin(prior.small):
        high = max(low, min(high, 10.0))
    diameter = chance.log_uniform(low, high)
    bright = chance.coin(hyper)
    kind = LesionKind.HYPERVASCULAR if bright else LesionKind.HYPOVASCULAR
    if diameter >= 8.0 and chance.coin(ring):
        kind = LesionKind.RING
    if diameter >= 20.0 and chance.coin(prior.necrotic):
        kind = LesionKind.NECROTIC
    return Order(kind=kind, diameter_mm=diameter, hyper=bright, treated=chance.coin(prior.treated))


def draw_mimics(
    prior: TumourPrior, allowed: tuple[Mimic, ...], liver_ml: float, chance: Chance
) -> list[Order]:
    """Look-alikes of a patient, of those kinds that the given channels can tell from a lesion."""
    if not allowed:
        return []
    mean = prior.mimics * min(1.0, max(0.3, liver_ml / LIVER_ML))
    count = sum(chance.coin(mean / 6.0) for _ in range(6))
    sizes = {
        Mimic.CYST: (4.0, 45.0),
        Mimic.HAEMANGIOMA: (8.0, 50.0),
        Mimic.FOCAL_FAT: (12.0, 45.0),
        Mimic.VESSEL: (3.0, 9.0),
        Mimic.PERFUSION: (12.0, 45.0),
        Mimic.PET_SPOT: (3.0, 6.0),
    }
    kinds = [chance.pick(allowed) for _ in range(count)]
    return [Order(kind=k, diameter_mm=chance.log_uniform(*sizes[k])) for k in kinds]
