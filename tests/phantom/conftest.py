"""One phantom for the whole folder: growing it takes a second or two."""

from __future__ import annotations

import pytest

from netseg.phantom import LesionKind, LesionSpec, Phantom, make_phantom

PLANTED = (
    LesionSpec(diameter_mm=24.0, segment="VI", kind=LesionKind.HYPERVASCULAR, suv=30.0),
    LesionSpec(diameter_mm=20.0, segment="VIII", kind=LesionKind.HYPOVASCULAR, suv=20.0),
    LesionSpec(diameter_mm=18.0, segment="IV", kind=LesionKind.CYST),
)


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """Two metastases and a cyst in a liver of 1500 ml, 2 x 2 x 3 mm."""
    return make_phantom(5, spacing_mm=(2.0, 2.0, 3.0), lesions=PLANTED, liver_ml=1500.0)
