"""The outline of one zone on cubic voxels: found roughly, freed of leaks, then put where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]

from netseg.verify.zone_levels import Tissue, bulk, half_way, noise_of, smoothed

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

ndimage: Any = scipy.ndimage  # scipy carries no types, and the guessed ones are wrong

ASTRAY_MM = 6.0  # how far the lesions may lie from where they were registered to
RING_MM = (10.0, 40.0)  # from the lesion: where the liver's value is read
LEAK_MM = 3.0  # what is thinner than twice this and hangs on the zone is no zone
THREAD_MM = 2.0  # the same once the border has settled
ROUNDS = 4  # of reading both sides of the border and moving it
STEP_MM = 3.0  # how far one round may move it
SEEN = 2.5  # spreads of the liver by which a zone must differ from it
GAS_HU, METAL_HU = -150.0, 400.0
FAT_HU = -30.0  # without a liver mask, darker than this is no liver
FIRST_MM = 1.5  # smoothing with which the zone is found
SIGMAS_MM = (0.8, 1.1, 1.5)  # with which its border is
QUIET = 5.0  # times the noise: contrast at which a border is smooth
DETAIL = 3.0  # smoothings: what is finer is noise
FEW = 50  # voxels without which nothing can be told of a tissue


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """The surroundings of a lesion on cubic voxels.

    Attributes:
        values: The control scan.
        liver: Where a zone may be: the liver, or all soft tissue.
        lesion: The lesion where it was carried to.
        planned: The planned zone around it; None without a plan.
        spacing_mm: Voxel edge.
        voxel_mm: Edge of a cube as large as the scan's own voxels.
        edge_mm: How far within the liver's border its voxels hold something else as well.
        is_hu: Whether the values are HU, so that gas and metal are known by theirs.
    """

    values: Float[np.ndarray, "i j k"]
    liver: Bool[np.ndarray, "i j k"]
    lesion: Bool[np.ndarray, "i j k"]
    spacing_mm: float
    edge_mm: float
    is_hu: bool
    planned: Bool[np.ndarray, "i j k"] | None = None
    voxel_mm: float = 1.0

    @property
    def seed(self) -> Bool[np.ndarray, "i j k"]:
        """Lesion and plan."""
        return self.lesion if self.planned is None else self.lesion | self.planned


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """A zone found.

    Attributes:
        field: About the distance to its border in millimetres; negative inside.
        liver: Value of the liver around it.
        zone: Value of the zone near its border, and its spread.
        noise: Standard deviation of the smoothed image's noise.
        boundary_sd_mm: How far the border may be off, one standard deviation, from noise and slope.
    """

    field: Float[np.ndarray, "i j k"]
    liver: Tissue
    zone: Tissue
    noise: float
    boundary_sd_mm: float


def outline(scene: Scene, smoothing_mm: float | None) -> Outline | None:
    """Find the zone at a lesion.

    Args:
        scene: Where to look; the seed holds at least one voxel.
        smoothing_mm: Standard deviation of the smoothing that quiets noise; None takes the least
            that lifts the contrast to five times the noise.

    Returns:
        None where nothing at the seed differs from liver.
    """
    gas, metal = _foreign(scene)
    known = _core(scene) & ~(gas | metal)
    from_seed = ndimage.distance_transform_edt(~scene.seed, sampling=scene.spacing_mm)
    ring = known & (from_seed > RING_MM[0]) & (from_seed < RING_MM[1])
    if np.count_nonzero(ring) < FEW:
        return None
    first_mm = smoothing_mm or FIRST_MM
    calm = smoothed(scene.values, known, first_mm / scene.spacing_mm)
    liver = bulk(calm[ring])
    noise = noise_of(calm, ring, DETAIL * first_mm / scene.spacing_mm)
    near = scene.liver & (from_seed <= ASTRAY_MM)
    sign, zone = _zone_level(calm[near], liver, noise)
    if zone is None:
        return None
    rough = _rough(scene, sign * (calm - (liver.value + zone) / 2) > 0, gas, near)
    if not rough.any():
        return None
    if smoothing_mm is None:
        calm, noise = _quiet_enough(scene, known, ring, abs(liver.value - zone))
    field, slope = _settled(scene, calm, rough, (zone, liver.value), gas)
    inner = (field < -1.0) & (field > -6.0) & known
    return Outline(
        field=field,
        liver=liver,
        zone=bulk(calm[inner])
        if np.count_nonzero(inner) > FEW
        else Tissue(value=zone, spread=noise),
        noise=noise,
        boundary_sd_mm=_boundary_sd_mm(scene, field, slope, noise),
    )


def _core(scene: Scene) -> Bool[np.ndarray, "i j k"]:
    """The liver without its border, whose voxels hold fat or lung as well."""
    depth = ndimage.distance_transform_edt(np.pad(scene.liver, 1, mode="edge"))[1:-1, 1:-1, 1:-1]
    core = (depth - 0.5) * scene.spacing_mm > scene.edge_mm
    return core if np.count_nonzero(core) > FEW else scene.liver


def _quiet_enough(
    scene: Scene,
    known: Bool[np.ndarray, "i j k"],
    ring: Bool[np.ndarray, "i j k"],
    contrast: float,
) -> tuple[Float[np.ndarray, "i j k"], float]:
    """The least smoothed image whose noise is small against the contrast, and its noise."""
    calm, noise = scene.values, np.inf
    for sigma_mm in SIGMAS_MM:
        calm = smoothed(scene.values, known, sigma_mm / scene.spacing_mm)
        noise = noise_of(calm, ring, DETAIL * sigma_mm / scene.spacing_mm)
        if contrast >= QUIET * noise:
            break
    return calm, noise


def _boundary_sd_mm(
    scene: Scene,
    field: Float[np.ndarray, "i j k"],
    slope: Float[np.ndarray, "i j k"],
    noise: float,
) -> float:
    """Noise over slope at the border inside the liver: how far noise moves the border."""
    border = (np.abs(field) < scene.spacing_mm) & _core(scene)
    if not border.any():
        return scene.spacing_mm
    return float(np.median(noise / slope[border]))


def _foreign(scene: Scene) -> tuple[Bool[np.ndarray, "i j k"], Bool[np.ndarray, "i j k"]]:
    """Gas, and metal with what it outshines; nothing where values are no HU."""
    if not scene.is_hu:
        nothing = np.zeros_like(scene.liver)
        return nothing, nothing
    metal = scene.values > METAL_HU
    metal = ndimage.binary_dilation(metal, iterations=max(1, round(1.0 / scene.spacing_mm)))
    return (scene.values < GAS_HU) & ~metal & scene.liver, metal


def _zone_level(
    values: Float[np.ndarray, " n"], liver: Tissue, noise: float
) -> tuple[int, float | None]:
    """Whether the zone is darker (-1) or brighter (+1) than liver, and its value; None for neither."""
    least = max(SEEN * liver.spread, 3.0 * noise)
    found = {sign: values[sign * (values - liver.value) > least] for sign in (-1, 1)}
    sign = max(found, key=lambda s: len(found[s]))
    if len(found[sign]) < max(8, len(values) // 20):
        return sign, None
    return sign, bulk(found[sign]).value


def _rough(
    scene: Scene,
    like_zone: Bool[np.ndarray, "i j k"],
    gas: Bool[np.ndarray, "i j k"],
    near: Bool[np.ndarray, "i j k"],
) -> Bool[np.ndarray, "i j k"]:
    """What looks like zone and hangs together with the lesion, without ducts and vessels."""
    region = (like_zone | gas) & scene.liver
    seeds = (scene.lesion, scene.seed, near)
    thick = _without_threads(region, LEAK_MM / scene.spacing_mm, *seeds)
    if not thick.any():
        thick = touching(region, *seeds)
    return filled(thick, scene)


def filled(inside: Bool[np.ndarray, "i j k"], scene: Scene) -> Bool[np.ndarray, "i j k"]:
    """The region with its holes, also those that a needle's channel opens, and that channel."""
    radius = THREAD_MM / scene.spacing_mm
    padded = np.pad(inside, int(np.ceil(radius)) + 1)
    grown = ndimage.distance_transform_edt(~padded) <= radius
    closed = ndimage.distance_transform_edt(grown) > radius
    cut = tuple(slice(int(np.ceil(radius)) + 1, -int(np.ceil(radius)) - 1) for _ in range(3))
    closed = closed[cut]
    holes = ndimage.binary_fill_holes(closed) & ~closed
    gas, metal = _foreign(scene)
    return (inside | holes | ((gas | metal) & closed)) & scene.liver


def _without_threads(
    region: Bool[np.ndarray, "i j k"],
    radius: float,
    *seeds: Bool[np.ndarray, "i j k"],
) -> Bool[np.ndarray, "i j k"]:
    """The parts at the first seed that any reaches, without what is thinner than twice `radius` voxels and hangs on them."""
    away = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1, 1:-1]
    core = touching(away > radius, *seeds)
    if not core.any():
        return core
    grown: Bool[np.ndarray, "i j k"] = ndimage.distance_transform_edt(~core) <= radius + 1
    return grown & region


def touching(
    region: Bool[np.ndarray, "i j k"], *seeds: Bool[np.ndarray, "i j k"]
) -> Bool[np.ndarray, "i j k"]:
    """The connected parts that reach into the first of some seeds that any part reaches."""
    parts, _ = ndimage.label(region, np.ones((3, 3, 3)))
    for where in seeds:
        wanted = np.unique(parts[where & region])
        if wanted.size:
            return np.isin(parts, wanted)
    return np.zeros_like(region)


def _settled(
    scene: Scene,
    calm: Float[np.ndarray, "i j k"],
    rough: Bool[np.ndarray, "i j k"],
    levels: tuple[float, float],
    gas: Bool[np.ndarray, "i j k"],
) -> tuple[Float[np.ndarray, "i j k"], Float[np.ndarray, "i j k"]]:
    """The border where values are half-way between its two sides, and the image's slope per mm."""
    sign = np.sign(levels[0] - levels[1])
    slope = ndimage.gaussian_gradient_magnitude(calm, 0.5) / scene.spacing_mm
    inside, field = rough, np.zeros_like(calm)
    bubbles = gas & rough
    from_rough = ndimage.distance_transform_edt(~rough) * scene.spacing_mm
    allowed = scene.liver & (from_rough <= STEP_MM)
    for _ in range(ROUNDS):
        distance = _distance_mm(inside, scene.spacing_mm)
        middle, half = half_way(calm, distance, scene.liver, levels, scene.spacing_mm)
        least = 0.25 * abs(levels[1] - levels[0])
        steep = np.maximum(np.maximum(slope, np.abs(half) / 4.0), least / 4.0)
        level = np.clip(-sign * (calm - middle) / steep, -STEP_MM, STEP_MM)
        field = np.where(np.abs(distance) <= STEP_MM, level, distance).astype(np.float32)
        field[bubbles] = np.minimum(field[bubbles], -scene.spacing_mm / 2)
        new = touching((field < 0) & allowed, inside)
        new = filled(new, scene)
        if not new.any():
            break
        inside = new
    thick = _without_threads(inside, THREAD_MM / scene.spacing_mm, inside)
    inside = thick if thick.any() else inside
    taken = ~inside & (field < 0)  # a thread cut off, or beyond what was allowed
    field[taken] = scene.spacing_mm / 2
    apart = ~ndimage.binary_dilation(inside, iterations=2)
    field[apart] = np.maximum(field[apart], scene.spacing_mm)
    held = inside & (field >= 0)  # a hole that was filled
    field[held] = -scene.spacing_mm / 2
    return field, np.maximum(slope, 1e-6)


def _distance_mm(inside: Bool[np.ndarray, "i j k"], spacing_mm: float) -> np.ndarray:
    """Distance to the border half-way between voxels; negative inside."""
    outside = ndimage.distance_transform_edt(~inside) - 0.5
    depth = ndimage.distance_transform_edt(inside) - 0.5
    return np.asarray(np.where(inside, -depth, outside) * spacing_mm, np.float32)
