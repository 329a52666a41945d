# pyright: standard
# (the types of matplotlib and scipy are partial)
"""Flat cuts through the patient in millimetres, shown the way radiologists look at them.

A picture is sampled at points of the patient, never by turning arrays: whatever order and sign the
voxel axes have, the patient's right is on the left of the picture, and a millimetre is as long in
both directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.ndimage import map_coordinates

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped

    from netseg.domain import Grid

LETTERS = (("L", "R"), ("P", "A"), ("H", "F"))  # towards larger and smaller x, y, z of LPS
OBLIQUE = 0.35  # a direction gets a second letter when it leans by more than 20 degrees


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """A rectangle in the patient, looked at from its front.

    Attributes:
        name: What it is called under the picture.
        centre_mm: Its centre (LPS).
        right: Unit vector towards the picture's right edge (LPS).
        down: Unit vector towards the picture's lower edge (LPS), perpendicular to `right`.
        width_mm: Extent along `right`.
        height_mm: Extent along `down`.
    """

    name: str
    centre_mm: Float[np.ndarray, "3"]
    right: Float[np.ndarray, "3"]
    down: Float[np.ndarray, "3"]
    width_mm: float
    height_mm: float

    @classmethod
    def axial(cls, centre_mm: Float[np.ndarray, "3"], width_mm: float, height_mm: float) -> Self:
        """Seen from the feet: the patient's left is right, the back is down."""
        return cls._along("axial", centre_mm, ((1, 0, 0), (0, 1, 0)), (width_mm, height_mm))

    @classmethod
    def coronal(cls, centre_mm: Float[np.ndarray, "3"], width_mm: float, height_mm: float) -> Self:
        """Seen from the front: the patient's left is right, the feet are down."""
        return cls._along("coronal", centre_mm, ((1, 0, 0), (0, 0, -1)), (width_mm, height_mm))

    @classmethod
    def sagittal(cls, centre_mm: Float[np.ndarray, "3"], width_mm: float, height_mm: float) -> Self:
        """Seen from the patient's left: the back is right, the feet are down."""
        return cls._along("sagittal", centre_mm, ((0, 1, 0), (0, 0, -1)), (width_mm, height_mm))

    @classmethod
    def through_needle(
        cls, entry_mm: Float[np.ndarray, "3"], tip_mm: Float[np.ndarray, "3"], size_mm: float
    ) -> Self:
        """The plane that holds a needle and is as close to axial as its slope allows."""
        along = entry_mm - tip_mm
        along = along / np.linalg.norm(along)
        normal = np.array((0.0, 0.0, 1.0)) - along[2] * along
        if np.linalg.norm(normal) < 0.2:  # a needle along the body's axis: show it sagittally
            normal = np.array((-1.0, 0.0, 0.0)) + along[0] * along
        normal = normal / np.linalg.norm(normal)
        towards_left = np.array((1.0, 0.0, 0.0)) if abs(normal[0]) < 0.9 else np.array((0, 1.0, 0))
        right = towards_left - (towards_left @ normal) * normal
        right = right / np.linalg.norm(right)
        down = np.cross(normal, right)
        centre = (entry_mm + tip_mm) / 2
        return cls(
            name="in the plane of the needle",
            centre_mm=centre,
            right=right,
            down=down,
            width_mm=size_mm,
            height_mm=size_mm,
        )

    @classmethod
    def _along(
        cls,
        name: str,
        centre_mm: Float[np.ndarray, "3"],
        axes: tuple[tuple[int, int, int], tuple[int, int, int]],
        size_mm: tuple[float, float],
    ) -> Self:
        right, down = (np.array(a, dtype=np.float64) for a in axes)
        centre = np.asarray(centre_mm, dtype=np.float64)
        width, height = size_mm
        return cls(
            name=name, centre_mm=centre, right=right, down=down, width_mm=width, height_mm=height
        )

    @property
    def normal(self) -> Float[np.ndarray, "3"]:
        """Unit vector out of the picture, away from whoever looks at it."""
        return np.cross(self.right, self.down)

    @property
    def extent_mm(self) -> tuple[float, float, float, float]:
        """Left, right, lower and upper edge in picture millimetres, for matplotlib."""
        w, h = self.width_mm / 2, self.height_mm / 2
        return -w, w, h, -h

    def points_mm(self, pixel_mm: float) -> Float[np.ndarray, "rows columns 3"]:
        """Pixel centres (LPS), rows from the top, columns from the left."""
        columns = max(2, round(self.width_mm / pixel_mm))
        rows = max(2, round(self.height_mm / pixel_mm))
        x = ((np.arange(columns) + 0.5) / columns - 0.5) * self.width_mm
        y = ((np.arange(rows) + 0.5) / rows - 0.5) * self.height_mm
        return self.centre_mm + x[None, :, None] * self.right + y[:, None, None] * self.down

    def project(self, points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Points of the patient as picture millimetres (right, down) and distance from the plane."""
        moved = np.asarray(points_mm, dtype=np.float64) - self.centre_mm
        return moved @ np.stack((self.right, self.down, self.normal), axis=1)

    def edge_letters(self) -> tuple[str, str, str, str]:
        """Directions of the patient at the left, right, upper and lower edge: ("R", "L", "A", "P")."""
        return (
            direction_letters(-self.right),
            direction_letters(self.right),
            direction_letters(-self.down),
            direction_letters(self.down),
        )


def direction_letters(direction: Float[np.ndarray, "3"]) -> str:
    """A direction (LPS) in DICOM's letters, the strongest first: "R", "AH"."""
    strengths = sorted(enumerate(direction), key=lambda pair: -abs(pair[1]))
    named = [
        (axis, value) for n, (axis, value) in enumerate(strengths) if n == 0 or abs(value) > OBLIQUE
    ]
    return "".join(LETTERS[axis][0 if value > 0 else 1] for axis, value in named[:2])


def sample(
    values: Shaped[np.ndarray, "i j k"],
    grid: Grid,
    points_mm: Float[np.ndarray, "*shape 3"],
    *,
    outside: float,
) -> Float[np.ndarray, "*shape"]:
    """Linear interpolation of an image at points of the patient.

    Args:
        values: Numbers or booleans on `grid`; booleans become 0 and 1.
        grid: Where the voxels lie, in any axis order and direction.
        points_mm: LPS millimetres.
        outside: What lies beyond the image; NaN to leave it out of a picture.

    Returns:
        float32 values of the points' shape.
    """
    index = grid.to_index(points_mm.reshape(-1, 3)).T
    last = np.array(grid.shape) - 1
    low = np.clip(np.floor(index.min(axis=1)).astype(int) - 1, 0, last)
    high = np.clip(np.ceil(index.max(axis=1)).astype(int) + 1, 0, last) + 1
    part = values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].astype(np.float32)
    sampled = map_coordinates(
        part, index - low[:, None], order=1, mode="nearest", output=np.float32
    )
    beyond = ((index < -0.5) | (index > last[:, None] + 0.5)).any(axis=0)
    sampled[beyond] = outside
    return sampled.reshape(points_mm.shape[:-1])
