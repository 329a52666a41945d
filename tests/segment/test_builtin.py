"""The cascade: what it refuses, and that a mask lands where the network painted it."""

import numpy as np
import pytest
import torch

from netseg.domain import (
    Code,
    EnvironmentFaultError,
    Grid,
    Modality,
    Phase,
    Quantity,
    Series,
    Study,
    StudyRejectedError,
    UsageError,
    Volume,
)
from netseg.segment import BuiltinBackend, load_weights
from netseg.segment.builtin import build
from netseg.segment.cascade import Network
from netseg.segment.device import pick_device
from netseg.segment.windows import places, predict

LIVER_CENTRE_MM = np.array((20.0, -30.0, 40.0))
LESION_CENTRE_MM = np.array((35.0, -20.0, 50.0))


class BrighterThan(torch.nn.Module):
    """One can check it on paper: logit 10 above a value of the first channel, -10 below."""

    def __init__(self, *values):
        super().__init__()
        self.values = values

    def on(self, names):
        """Whatever the channels are."""
        self.names = names
        return self

    def forward(self, x):  # noqa: D102
        return torch.cat([torch.where(x[:, :1] > v, 10.0, -10.0) for v in self.values], dim=1)


def turned_grid(shape, spacing_mm, degrees, *, flipped=False):
    """A grid turned about the body axis, centred on the liver, stored upside down if `flipped`."""
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1.0]])
    columns = turn * np.array(spacing_mm)
    if flipped:
        columns = columns[:, (2, 1, 0)] * np.array((-1.0, 1.0, 1.0))
        shape = (shape[2], shape[1], shape[0])
    affine = np.eye(4)
    affine[:3, :3] = columns
    affine[:3, 3] = LIVER_CENTRE_MM - columns @ (0.5 * (np.array(shape) - 1))
    return Grid(shape=shape, affine_lps=affine, frame_uid="1.2")


def spheres(grid):
    """A liver of 50 mm radius at 100 HU with a lesion of 12 mm at 230 HU, in air."""
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    where = grid.to_mm(index.reshape(-1, 3)).reshape(*grid.shape, 3)
    hu = np.full(grid.shape, -150, np.int16)
    hu[np.linalg.norm(where - LIVER_CENTRE_MM, axis=-1) < 50.0] = 100
    hu[np.linalg.norm(where - LESION_CENTRE_MM, axis=-1) < 12.0] = 230
    return hu


def study(hu, grid, phase=Phase.PORTAL_VENOUS):
    volume = Volume(hu, grid, Quantity.HU)
    return Study(
        case_id="p", series=(Series(key="ct", modality=Modality.CT, volume=volume, phase=phase),)
    )


@pytest.fixture
def painted(tiny):
    """A backend whose networks call bright things liver, and brighter ones lesions."""
    backend = BuiltinBackend(tiny)
    card, liver, lesions = backend.networks()
    liver = Network(card=liver.card, module=BrighterThan(-0.325), device=liver.device)
    lesions = Network(card=lesions.card, module=BrighterThan(1.1, -2.1), device=lesions.device)
    backend._loaded = (card, liver, lesions)
    return backend


@pytest.mark.parametrize(
    ("degrees", "flipped", "spacing_mm"),
    [
        (0.0, False, (2.0, 2.0, 2.0)),
        (20.0, False, (1.7, 1.7, 5.0)),
        (-35.0, True, (2.0, 1.6, 3.0)),
    ],
)
def test_a_lesion_lands_at_its_millimetres_on_any_grid(painted, degrees, flipped, spacing_mm):
    shape = tuple(int(130 / s) for s in spacing_mm)
    grid = turned_grid(shape, spacing_mm, degrees, flipped=flipped)
    found = painted.segment(study(spheres(grid), grid))
    assert found.lesions.values == (1,)
    index = np.argwhere(found.lesions.labels == 1).mean(axis=0)
    assert grid.to_mm(index) == pytest.approx(LESION_CENTRE_MM, abs=1.0)
    assert found.lesions.region(1).volume_ml == pytest.approx(7.24, rel=0.15)  # 4/3 pi 1.2^3
    assert found.liver is not None
    assert found.liver.volume_ml == pytest.approx(523.6, rel=0.06)  # 4/3 pi 5^3
    assert (found.liver.inside | (found.lesions.labels == 0)).all()


def test_the_confidence_is_the_mean_probability_of_the_surer_half(painted):
    grid = turned_grid((65, 65, 65), (2.0, 2.0, 2.0), 0.0)
    found = painted.segment(study(spheres(grid), grid))
    assert found.lesion_probability is not None
    inside = np.sort(found.lesion_probability.values[found.lesions.labels == 1])
    upper = inside[len(inside) // 2 :]
    assert found.confidence == {1: pytest.approx(float(upper.mean()), abs=1e-5)}


def test_the_same_study_gives_the_same_bytes(painted):
    grid = turned_grid((65, 65, 65), (2.0, 2.0, 2.0), 0.0)
    first, second = (painted.segment(study(spheres(grid), grid)) for _ in range(2))
    assert first.lesions.labels.tobytes() == second.lesions.labels.tobytes()
    assert first.lesion_probability.values.tobytes() == second.lesion_probability.values.tobytes()


def test_a_scan_without_liver_is_refused(painted):
    grid = turned_grid((65, 65, 65), (2.0, 2.0, 2.0), 0.0)
    with pytest.raises(StudyRejectedError, match=r"NO_LIVER: .*found 0 ml of liver"):
        painted.segment(study(np.full(grid.shape, -150, np.int16), grid))


def test_a_liver_of_a_hundred_millilitres_is_none(painted):
    grid = turned_grid((65, 65, 65), (2.0, 2.0, 2.0), 0.0)
    hu = np.full(grid.shape, -150, np.int16)
    hu[20:43, 20:43, 20:43] = 100  # 97 ml
    with pytest.raises(StudyRejectedError, match=r"NO_LIVER: .*less than the 200 ml"):
        painted.segment(study(hu, grid))


def test_a_network_that_answers_nan_is_refused(painted):
    card, liver, lesions = painted._loaded
    broken = Network(card=lesions.card, module=BrighterThan(0.6), device=lesions.device)
    broken.module.forward = lambda x: torch.full_like(x[:, :2], torch.nan)
    painted._loaded = (card, liver, broken)
    grid = turned_grid((65, 65, 65), (2.0, 2.0, 2.0), 0.0)
    with pytest.raises(StudyRejectedError, match="NON_FINITE_OUTPUT: the network answered NaN"):
        painted.segment(study(spheres(grid), grid))


def test_a_phase_nobody_named_is_told(painted):
    grid = turned_grid((65, 65, 65), (2.0, 2.0, 2.0), 0.0)
    found = painted.segment(study(spheres(grid), grid, phase=None))
    assert [n.code for n in found.warnings] == [Code.PHASE_UNKNOWN]


def test_the_weights_are_read_once(painted):
    assert painted.networks() is painted.networks()


def test_weights_that_do_not_fit_the_network_are_refused(tiny):

    wider = load_weights(tiny)[0].networks["lesions"].spec
    with pytest.raises(EnvironmentFaultError, match=r"ARCHITECTURE_MISMATCH: .*liver network"):
        build(wider, "liver", {"liver.stem.weight": np.zeros((1, 1))})


@pytest.mark.parametrize(("name", "told"), [("gpu0", "is no device"), ("cuda:99", "CUDA devices")])
def test_a_device_that_is_not_there_is_refused(name, told):
    with pytest.raises(UsageError, match=told):
        pick_device(name)


def test_patches_cover_every_voxel_and_share_half():
    covered = np.zeros((40, 16, 23), int)
    for place in places((40, 16, 23), (16, 16, 16), 0.5):
        covered[place] += 1
    assert covered.min() >= 1
    assert covered[20, 8, 12] >= 2


def test_patches_give_the_same_answer_as_the_whole():
    """A voxel-wise network cannot tell patches from the whole image."""
    image = torch.rand((1, 30, 20, 25))
    answer = predict(
        BrighterThan(0.5), image, (16, 16, 16), beyond=(-1.0,), device=torch.device("cpu")
    )
    assert np.array_equal(answer[0] > 0.5, (image[0] > 0.5).numpy())


def test_a_channel_that_does_not_exist_is_refused_when_the_backend_is_made():
    with pytest.raises(ValueError, match=r"channels are some of ct_native, .*; got ct_foo"):
        BuiltinBackend(channels=["ct_portal", "ct_foo"])
