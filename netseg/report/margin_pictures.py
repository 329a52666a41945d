# pyright: standard
# (the types of matplotlib and scipy are partial)
"""Margins drawn: over the lesion's surface as a map and as a solid, and shell by shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.report.panel import Picture, Region, encode, new_figure

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.colors import BoundaryNorm, ListedColormap

    from netseg.domain import LesionMargin
    from netseg.domain.control import ControlCheck
    from netseg.domain.margin import SurfaceMap

INK, LINE, BLUE = "#1c2530", "#d5dbe1", "#0072b2"
BANDS = (
    (-99.0, 0.0, "#b34700"),
    (0.0, 5.0, "#e69f00"),
    (5.0, 10.0, "#56b4e9"),
    (10.0, 99.0, "#0072b2"),
)
"""Colours of a margin, the same as in the histogram: below 0, to 5, to 10 mm, above."""
MOST_TRIANGLES = 6000


def margin_map(margin: LesionMargin, seen: SurfaceMap) -> Picture:
    """Mollweide's map of one lesion: equal areas, the ventral side in the middle, cranial above."""
    figure = new_figure(4.6, 2.7)
    figure.set_facecolor("white")
    axes = figure.add_axes((0.02, 0.06, 0.96, 0.84), projection="mollweide")
    values = np.array(seen.margin_mm)
    colours, norm = _palette()
    longitude, latitude = (np.radians(np.array(a)) for a in (seen.longitude_deg, seen.latitude_deg))
    order = np.argsort(longitude)
    axes.pcolormesh(
        longitude[order],
        latitude,
        values[:, order],
        cmap=colours,
        norm=norm,
        shading="nearest",
        rasterized=True,
    )
    axes.set_xticks([])
    axes.set_yticks([])
    for x, word in ((0.0, "front"), (np.pi / 2, "left"), (-np.pi / 2, "right")):
        axes.text(x, 0.0, word, ha="center", va="center", fontsize=7, color=INK)
    axes.set_title("head", fontsize=7, pad=2)
    row, column = np.unravel_index(int(np.nanargmin(values)), values.shape)
    axes.plot(longitude[column], latitude[row], marker="x", color=INK, markersize=7)
    return encode(
        figure,
        f"Map of the margin over the surface of lesion {margin.id}: dark orange outside the zone, "
        "orange below 5 mm, light blue below 10 mm, blue above",
        notes=("seen from the lesion's centre; the back at both edges; cross: the thinnest place",),
        png=True,
    )


def margin_solid(check: ControlCheck, lesion_id: int, seen: SurfaceMap) -> Picture | None:
    """The lesion coloured by its margin inside the zone's wire, from the front and from the feet.

    Colours are those of the map, by direction from the lesion's centre; None for a lesion or zone
    too small to have a surface.
    """
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    lesion = check.lesions.region(lesion_id)
    inner = _triangles(Region.of(lesion.inside, lesion.grid))
    outer = _triangles(Region.of(check.zone.mask.inside, check.zone.mask.grid))
    if inner is None or outer is None:
        return None
    colours, norm = _palette()
    centre = inner.reshape(-1, 3).mean(axis=0)
    outer = outer[np.linalg.norm(outer.mean(axis=1) - centre, axis=1) < _reach_mm(inner, centre)]
    margins = _looked_up(seen, inner.mean(axis=1) - centre)
    figure = new_figure(5.2, 2.8)
    figure.set_facecolor("white")
    for place, (elevation, azimuth, title) in enumerate(
        ((0, -90, "from the front"), (-90, -90, "from the feet"))
    ):
        axes: Any = figure.add_axes((place / 2, 0.0, 0.5, 0.93), projection="3d")
        axes.add_collection3d(
            Poly3DCollection(inner, facecolors=_lit(colours(norm(margins)), inner))
        )
        axes.add_collection3d(
            Poly3DCollection(outer, facecolors=(0.34, 0.71, 0.91, 0.07), edgecolors="none")
        )
        low, high = _box(np.concatenate((inner, outer)))
        for set_limits, a, b in zip(
            (axes.set_xlim, axes.set_ylim, axes.set_zlim), low, high, strict=True
        ):
            set_limits(a, b)
        axes.set_box_aspect((1, 1, 1), zoom=1.5)
        axes.view_init(elev=elevation, azim=azimuth)
        axes.set_axis_off()
        axes.set_title(title, fontsize=7, pad=0)
    return encode(
        figure,
        f"The surface of lesion {lesion_id} coloured by its margin, inside the ablation zone",
        notes=("the lesion's surface in the map's colours, the zone as a veil",),
        png=True,
    )


def shell_curve(margin: LesionMargin, cutoff_mm: float) -> Picture:
    """The share of the liver around one lesion that is ablated, by the width of the rim."""
    figure = new_figure(3.4, 2.4)
    figure.set_facecolor("white")
    axes = figure.add_axes((0.15, 0.19, 0.82, 0.75))
    distance = sorted(margin.shell_coverage)
    covered = [100 * margin.shell_coverage[d] for d in distance]
    axes.plot(distance, covered, marker="o", color=BLUE, markersize=3, linewidth=1.2)
    axes.axhline(100, color=LINE, linewidth=0.8)
    axes.axvline(cutoff_mm, color=INK, linestyle="--", linewidth=0.8)
    axes.set_ylim(0, 105)
    axes.set_xlim(0, max(10.0, *distance) + 0.5)
    axes.tick_params(labelsize=7)
    axes.set_xlabel("rim around the lesion (mm)", fontsize=7)
    axes.set_ylabel("ablated (%)", fontsize=7)
    return encode(
        figure,
        f"Share of the liver around lesion {margin.id} that the zone covers, by distance",
        png=True,
    )


def _palette() -> tuple[ListedColormap, BoundaryNorm]:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    edges = [low for low, _, _ in BANDS] + [BANDS[-1][1]]
    return ListedColormap([colour for _, _, colour in BANDS]), BoundaryNorm(edges, len(BANDS))


def _triangles(region: Region | None) -> Float[np.ndarray, "n 3 3"] | None:
    """The smoothed surface of a region in LPS millimetres, in at most some thousand triangles."""
    import skimage.measure
    from scipy import ndimage

    measure: Any = skimage.measure
    if region is None:
        return None
    for step in (1, 2, 3, 4, 6):
        values = ndimage.gaussian_filter(np.pad(region.inside, 2).astype(np.float32), 0.8)
        if min(values.shape) <= step or values.max() <= 0.5:
            return None
        vertices, faces, _, _ = measure.marching_cubes(values, 0.5, step_size=step)
        if len(faces) <= MOST_TRIANGLES:
            break
    return region.grid.to_mm(vertices - 2)[faces]


def _lit(
    colours: Float[np.ndarray, "n 4"], triangles: Float[np.ndarray, "n 3 3"]
) -> Float[np.ndarray, "n 4"]:
    """Colours of triangles in a light that comes from the front, the right and the feet."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    light = np.array((-0.4, -0.7, -0.6))
    share = 0.62 + 0.38 * np.abs(normals @ (light / np.linalg.norm(light)))
    return np.column_stack((colours[:, :3] * share[:, None], colours[:, 3]))


def _reach_mm(triangles: Float[np.ndarray, "n 3 3"], centre: Float[np.ndarray, "3"]) -> float:
    """How far from the lesion's centre its zone is drawn."""
    return float(np.linalg.norm(triangles.reshape(-1, 3) - centre, axis=1).max()) + 40.0


def _looked_up(seen: SurfaceMap, direction: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """The map's margin in each direction (LPS): the nearest of its cells."""
    x, y, z = direction.T
    longitude = np.degrees(np.arctan2(x, -y))
    latitude = np.degrees(np.arctan2(z, np.hypot(x, y)))
    columns = np.abs((longitude[:, None] - np.array(seen.longitude_deg) + 180) % 360 - 180)
    rows = np.abs(latitude[:, None] - np.array(seen.latitude_deg))
    return np.array(seen.margin_mm)[rows.argmin(axis=1), columns.argmin(axis=1)]


def _box(triangles: Float[np.ndarray, "n 3 3"]) -> tuple[np.ndarray, np.ndarray]:
    """A cube that holds them."""
    points = triangles.reshape(-1, 3)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    half = float(np.ptp(points, axis=0).max()) / 2
    return middle - half, middle + half
