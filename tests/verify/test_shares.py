"""Numbers as they are stated: hundredths of a millimetre, shares of area."""

import numpy as np
import pytest

from netseg.verify.shares import histogram_mm, quantile_mm, rounded_mm, surface_share


def test_4_996_millimetres_are_5_00_and_4_994_are_not():
    assert rounded_mm(4.996) == 5.0
    assert rounded_mm(4.994) == 4.99


def test_there_is_no_minus_zero():
    assert str(rounded_mm(-0.001)) == "0.0"


def test_a_share_is_of_area_not_of_points():
    margins, area = np.array([1.0, 7.0]), np.array([3.0, 1.0])
    assert surface_share(margins, area)["0_to_5"] == 0.75


def test_the_edges_of_the_shares_belong_to_the_better_side():
    shares = surface_share(np.array([-0.01, 0.0, 4.999, 10.0]), np.ones(4))
    assert shares == {"below_0": 0.25, "0_to_5": 0.25, "5_to_10": 0.25, "above_10": 0.25}


def test_the_fifth_percentile_waits_for_five_percent_of_the_area():
    margins = np.arange(10.0)
    assert quantile_mm(margins, np.full(10, 1.0), 0.05) == 0.0
    assert quantile_mm(margins, np.array([0.1, *np.full(9, 1.0)]), 0.05) == 1.0


def test_bins_are_millimetres_without_gaps():
    bins = histogram_mm(np.array([-1.5, 0.2, 2.0]), np.array([1.0, 1.0, 2.0]))
    assert bins == {-2.0: 0.25, -1.0: 0.0, 0.0: 0.25, 1.0: 0.0, 2.0: pytest.approx(0.5)}
