"""Pictures taken while a run goes on."""

import numpy as np
import pytest
import torch

from netseg.domain import Grid
from netseg.simulate.recorder import Recorder, frame_times_s

GRID = Grid(
    shape=(6, 5, 4),
    affine_lps=np.array([[0, 2.0, 0, 10.0], [-3.0, 0, 0, 5.0], [0, 0, 1.5, 0.0], [0, 0, 0, 1.0]]),
    frame_uid="x",
)


def field():
    """The sum x + 10 y + 100 z in mm, which linear interpolation gives exactly."""
    points = GRID.to_mm(np.moveaxis(np.indices(GRID.shape), 0, -1).reshape(-1, 3))
    return torch.from_numpy((points @ np.array([1.0, 10.0, 100.0])).reshape(GRID.shape))


def test_points_of_the_patient_are_sampled_whatever_the_axes():
    points = np.array([[[12.0, -1.0, 2.0], [15.3, 2.2, 1.1]], [[11.0, 4.0, 4.0], [99.0, 0, 0]]])
    recorder = Recorder(points_mm=points, grid=GRID, times_s=(1.0,), zero=37.0, unit=0.5)
    recorder(1.0, field())
    (frame,) = recorder.frames
    wanted = 37.0 + 0.5 * (points @ np.array([1.0, 10.0, 100.0]))
    assert frame.values[0] == pytest.approx(wanted[0], rel=1e-5)
    assert frame.values[1, 0] == pytest.approx(wanted[1, 0], rel=1e-5)
    assert np.isnan(frame.values[1, 1])  # beyond the grid is not the grid's border


def test_one_picture_per_time_and_none_twice():
    points = np.array([[[12.0, -1.0, 2.0]]])
    recorder = Recorder(points_mm=points, grid=GRID, times_s=(2.0, 4.0, 5.0, 6.0))
    for time_s in (1.0, 2.0, 3.0, 5.5, 6.0, 7.0):
        recorder(time_s, field())
    assert [f.time_s for f in recorder.frames] == [2.0, 5.5, 6.0]  # a long step takes one picture


def test_the_last_picture_is_the_end():
    times = frame_times_s(720.0, 10)
    assert len(times) == 10
    assert times[-1] == 720.0
    assert times[0] == 72.0
