"""Arrays as SimpleITK's images, and rigid matrices as its transforms; both count in LPS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped

    from netseg.domain.grid import Grid


def itk_image(values: Shaped[np.ndarray, "i j k"], grid: Grid) -> Any:
    """A scalar image of float32 or, for booleans, uint8."""
    import SimpleITK

    kind = np.uint8 if values.dtype == np.bool_ else np.float32
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(values.transpose(), kind))
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.affine_lps[:3, 3].tolist())
    image.SetDirection(grid.directions.ravel().tolist())
    return image


def vectors_of(image: Any) -> Float[np.ndarray, "i j k 3"]:
    """The LPS millimetre vectors of a displacement image, indexed (i, j, k, component)."""
    import SimpleITK

    return np.ascontiguousarray(SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0, 3))


def euler(matrix: Float[np.ndarray, "4 4"], about_mm: Float[np.ndarray, "3"]) -> Any:
    """A rigid matrix as three angles and a shift about a centre of the fixed image."""
    import SimpleITK

    turn, shift = matrix[:3, :3], matrix[:3, 3]
    transform = SimpleITK.Euler3DTransform()
    transform.SetCenter(about_mm.tolist())
    transform.SetMatrix(turn.ravel().tolist(), 1e-6)
    transform.SetTranslation((turn @ about_mm + shift - about_mm).tolist())
    return transform


def matrix_of(transform: Any) -> Float[np.ndarray, "4 4"]:
    """Fixed LPS millimetres to moving ones."""
    turn = np.array(transform.GetMatrix()).reshape(3, 3)
    centre = np.array(transform.GetCenter())
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = centre + np.array(transform.GetTranslation()) - turn @ centre
    return matrix
