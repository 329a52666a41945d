"""Pulsed field of two parallel cylinders (rows A5, A6 of the evidence).

E = V s / (acosh(d / 2a) r1 r2) with s^2 = d^2/4 - a^2: contours are Cassini ovals. Published are the
length along the line through both needles, the waist half-way, and the area, at each threshold.
"""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from netseg.simulate.electroporation import Pulses, electroporate
from netseg.simulate.needle import Needle
from netseg.simulate.pulsed_tissue import PulsedTissue, Ramp

EVEN = Ramp(intact_s_m=0.1, open_s_m=0.1, from_v_cm=350.0, to_v_cm=700.0)


def field_of_two_needles(apart_mm, volts, *, h=1.0, size_mm=200.0, shift=(0.13, 0.21)):
    """Needles of 1 mm in a plane of one cell: endless along k. Returns V/cm and the middle."""
    cells = round(size_mm / h)
    middle = [(cells - 1) / 2 * h + s for s in shift]
    needles = {
        name: Needle(
            tip_mm=(middle[0] + sign * apart_mm / 2, middle[1], -h / 2),
            direction=(0.0, 0.0, 1.0),
            active_length_mm=h,
            diameter_mm=1.0,
        )
        for name, sign in (("A", -1), ("B", 1))
    }
    tissue = PulsedTissue.uniform(EVEN, (cells, cells, 1), (h, h, h), like=torch.zeros(()))
    done = electroporate(tissue, needles, [Pulses(pair=("A", "B"), volts=volts)], margin_mm=size_mm)
    per_metre = done.currents_a[0] / (h * 1e-3)
    return done.field_v_m[:, :, 0].double().numpy() / 100, middle, per_metre


def finely(field_v_cm, middle, h, reach_mm=20.0, step_mm=0.1):
    """Logarithm of the field on a fine grid around the middle."""
    axis = np.arange(-reach_mm, reach_mm + step_mm / 2, step_mm)
    at = np.meshgrid((axis + middle[0]) / h, (axis + middle[1]) / h, indexing="ij")
    return ndimage.map_coordinates(np.log(field_v_cm), at, order=3)


def area_cm2(fine, threshold_v_cm, step_mm=0.1):
    return float((fine >= math.log(threshold_v_cm)).sum()) * step_mm**2 / 100


def extent_mm(line, threshold_v_cm, step_mm=0.1):
    """Between the outermost crossings, each found on a straight line between two points."""
    level = math.log(threshold_v_cm)
    inside = np.flatnonzero(line >= level)
    first, last = int(inside[0]), int(inside[-1])
    before = (line[first] - level) / (line[first] - line[first - 1])
    after = (line[last] - level) / (line[last] - line[last + 1])
    return float(last - first + before + after) * step_mm


A5 = {  # threshold V/cm: length, waist mm, area cm2
    400: (26.818, 16.468, 3.6820),
    500: (24.903, 13.121, 2.8455),
    637: (23.129, 9.325, 2.0851),
    700: (22.516, 7.680, 1.8165),
    800: (21.716, 4.858, 1.4434),
}
A6 = {500: (32.387, 15.840, 4.5825), 680: (29.612, 8.881, 2.9708)}


@pytest.mark.parametrize("shift", [(0.13, 0.21), (0.0, 0.0), (0.5, 0.5), (0.25, -0.4)])
@pytest.mark.parametrize(
    ("apart_mm", "volts", "rows", "middle_v_cm"),
    [(15.0, 2250.0, A5, 884.298), (20.0, 3000.0, A6, 814.412)],
    ids=["A5", "A6"],
)
def test_the_zone_between_two_needles_is_a_cassini_oval(apart_mm, volts, rows, middle_v_cm, shift):
    """At 800 V/cm the field is so flat that 1 % of it is 5 % of the waist."""
    field, middle, per_metre = field_of_two_needles(apart_mm, volts, shift=shift)
    fine = finely(field, middle, 1.0)
    half = fine.shape[0] // 2
    assert math.exp(fine[half, half]) == pytest.approx(middle_v_cm, rel=0.005)
    conductance = math.pi * 0.1 / math.acosh(apart_mm)  # S/m; 0.923975 sigma at 15 mm
    assert per_metre == pytest.approx(conductance * volts, rel=0.003)
    for threshold, (length_mm, waist_mm, area) in rows.items():
        assert extent_mm(fine[:, half], threshold) == pytest.approx(length_mm, rel=0.005)
        assert extent_mm(fine[half], threshold) == pytest.approx(waist_mm, rel=0.02)
        assert area_cm2(fine, threshold) == pytest.approx(area, rel=0.01)


def test_two_ovals_at_a_kilovolt_per_centimetre():
    """A5: 0.7917 cm2 in two pieces of 3.5 mm radius, close to the metal."""
    field, middle, _ = field_of_two_needles(15.0, 2250.0)
    fine = finely(field, middle, 1.0)
    assert area_cm2(fine, 1000) == pytest.approx(0.7917, rel=0.02)
    assert fine[fine.shape[0] // 2, fine.shape[0] // 2] < math.log(1000)


def test_the_conductance_is_the_published_row():
    assert math.pi / math.acosh(15.0) == pytest.approx(0.923975, rel=1e-6)


def test_the_field_does_not_notice_where_between_the_cells_the_needles_lie():
    areas = []
    for shift in ((0.0, 0.0), (0.5, 0.5), (0.25, -0.4), (-0.3, 0.1)):
        field, middle, _ = field_of_two_needles(15.0, 2250.0, size_mm=120.0, shift=shift)
        areas.append(area_cm2(finely(field, middle, 1.0), 637))
    assert max(areas) - min(areas) < 0.02 * min(areas)


def test_next_to_the_metal_the_field_is_the_lines_current_over_the_distance():
    """1.5 mm outside of one needle the other takes 9 % away; the bare grid shows half of it."""
    field, middle, per_metre = field_of_two_needles(15.0, 2250.0, shift=(0.5, 0.5))
    cell = (math.floor(middle[0] - 7.5) - 1, round(middle[1]))
    s = math.sqrt(15**2 / 4 - 0.25)
    near, far = (math.dist(cell, (middle[0] + sign * s, middle[1])) for sign in (-1, 1))
    exact = 2250 * s / (math.acosh(15) * near * far) * 10
    assert field[cell] == pytest.approx(exact, rel=0.06)
    own = per_metre / (2 * math.pi * 0.1 * near * 1e-3) / 100
    assert own * 2 * s / far == pytest.approx(exact, rel=0.005)
