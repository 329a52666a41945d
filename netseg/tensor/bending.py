"""How much a displacement field bends: the energy of a thin plate, per volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


def bending_energy(field: Float[Tensor, "3 i j k"], step: float) -> Float[Tensor, ""]:
    """Mean over the field of its squared second derivatives, mixed ones twice.

    Zero for every affine field. Derivatives are differences of nearest neighbours, so that a field
    that alternates from point to point costs most. (MONAI's loss skips every other point, and
    indexes in a way that torch gives up.)

    Args:
        field: At least three points along each axis.
        step: Distance between points, in the field's own unit.

    Returns:
        One over the unit, squared.
    """
    total = field.new_zeros(())
    for a in (1, 2, 3):
        total = total + field.diff(n=2, dim=a).square().mean()
        for b in range(a + 1, 4):
            total = total + 2 * field.diff(dim=a).diff(dim=b).square().mean()
    return total / step**4
