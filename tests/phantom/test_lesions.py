"""What was ordered is what is planted."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import UsageError
from netseg.phantom import LesionKind, LesionPrior, LesionSpec, Phantom, make_phantom
from netseg.phantom.lesions import make_blob, sphere_points


def test_a_smooth_sphere_has_the_volume_of_the_formula() -> None:
    """pi/6 x 20^3 mm3 = 4.189 ml."""
    spec = LesionSpec(diameter_mm=20.0, elongation=1.0, irregularity=0.0)
    blob = make_blob(spec, np.zeros(3), np.random.default_rng(0))
    assert blob.volume_ml() == pytest.approx(4.18879, rel=1e-4)
    assert blob.diameter_mm() == pytest.approx(20.0, rel=2e-3)


def test_an_ellipsoid_has_the_volume_of_the_formula() -> None:
    spec = LesionSpec(diameter_mm=30.0, elongation=2.0, irregularity=0.0)
    blob = make_blob(spec, np.zeros(3), np.random.default_rng(1))
    a, b, c = blob.half_axes_mm
    assert (a, c) == pytest.approx((15.0, 7.5))
    assert blob.volume_ml() == pytest.approx(4 / 3 * np.pi * a * b * c / 1000, rel=1e-4)


@pytest.mark.parametrize("irregularity", [0.1, 0.25, 0.4])
def test_a_bulging_blob_keeps_its_ordered_longest_diameter(irregularity: float) -> None:
    spec = LesionSpec(diameter_mm=16.0, irregularity=irregularity)
    blob = make_blob(spec, np.array((5.0, -7.0, 3.0)), np.random.default_rng(4))
    points = blob.surface(sphere_points(1500))
    longest = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1).max())
    assert longest == pytest.approx(16.0, rel=0.01)
    assert blob.rho(blob.centre_mm + points) == pytest.approx(1.0, abs=1e-6)


def test_the_drawn_lesion_has_the_analytic_volume(phantom: Phantom) -> None:
    """24 and 20 mm on voxels of 2 x 2 x 3 mm: within 3 % of the shape's own volume."""
    for truth in phantom.truth:
        drawn = phantom.lesions.region(truth.id).volume_ml
        assert drawn == pytest.approx(truth.drawn_volume_ml, rel=1e-6)
        assert drawn == pytest.approx(truth.volume_ml, rel=0.03)


def test_a_lesion_lies_in_its_segment_around_its_centre(phantom: Phantom) -> None:
    assert [t.segment for t in phantom.truth] == ["VI", "VIII"]
    for truth in phantom.truth:
        inside = phantom.lesions.region(truth.id).inside
        centroid = phantom.grid.to_mm(np.argwhere(inside).mean(axis=0))
        assert np.linalg.norm(centroid - truth.centre_mm.as_array()) < 0.08 * truth.diameter_mm
        named = [phantom.segments.names[int(n)] for n in phantom.segments.labels[inside]]
        assert named.count(truth.segment) > 0.6 * len(named)


def test_lesions_lie_wholly_in_the_liver_and_a_cyst_is_no_lesion(phantom: Phantom) -> None:
    assert not (phantom.lesions.labels.astype(bool) & ~phantom.liver.inside).any()
    assert phantom.lesions.values == (1, 2)
    assert [m.kind for m in phantom.mimic_truth] == [LesionKind.CYST]
    assert not (phantom.lesions.labels.astype(bool) & phantom.mimics.labels.astype(bool)).any()


def test_numbers_descend_in_volume(phantom: Phantom) -> None:
    volumes = [t.drawn_volume_ml for t in phantom.truth]
    assert volumes == sorted(volumes, reverse=True)


def test_every_segment_but_the_caudate_takes_a_lesion_of_one_centimetre() -> None:
    names = ("II", "III", "IV", "V", "VI", "VII", "VIII")
    specs = [LesionSpec(diameter_mm=10.0, segment=name) for name in names]
    phantom = make_phantom(12, spacing_mm=(2.0, 2.0, 2.0), lesions=specs)
    assert sorted(t.segment for t in phantom.truth) == sorted(names)


def test_a_lesion_without_room_is_refused() -> None:
    with pytest.raises(UsageError, match="90 mm finds no room in segment I"):
        make_phantom(5, lesions=[LesionSpec(diameter_mm=90.0, segment="I")])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [("diameter_mm", 0.2, r"\[1, 200\]; got 0.2"), ("segment", "IX", "I ... VIII; got 'IX'"),
     ("elongation", 0.5, r"\[1, 3\]; got 0.5"), ("irregularity", 0.9, r"\[0, 0.4\]; got 0.9")],
)  # fmt: skip
def test_an_impossible_order_is_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LesionSpec(**({"diameter_mm": 10.0} | {field: value}))


def test_the_prior_draws_what_the_source_reports() -> None:
    """One fifth without lesions; of the lesions 40 % or more under 10 mm, 60-75 % hypervascular."""
    rng = np.random.default_rng(2)
    prior = LesionPrior()
    patients = [[s for s in prior.draw(rng) if LesionKind(s.kind).is_tumour] for _ in range(600)]
    lesions = [s for p in patients for s in p]
    assert np.mean([not p for p in patients]) == pytest.approx(0.2, abs=0.05)
    assert np.mean([s.diameter_mm < 10 for s in lesions]) > 0.4
    bright = [s.kind in {LesionKind.HYPERVASCULAR, LesionKind.RING} for s in lesions]
    assert 0.55 < np.mean(bright) < 0.75
