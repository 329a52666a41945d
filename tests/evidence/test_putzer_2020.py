"""Putzer et al., RöFo 2020;192:422-430: A0 is a 3D safety margin of at least 5 mm."""

import numpy as np
import pytest

from netseg.domain.ablation import AblationZone, Evidence
from netseg.domain.grid import Grid
from netseg.domain.margin import Verdict
from netseg.domain.volume import Mask
from netseg.verify import MarginRule


@pytest.mark.parametrize(
    ("margin_mm", "verdict"), [(5.0, Verdict.A0), (4.9, Verdict.NOT_A0)], ids=["5.0", "4.9"]
)
def test_a0_is_a_margin_of_at_least_five_millimetres(margin_mm, verdict):
    """Blocks on voxels of a fiftieth of the margin's shell: the shell is exact by construction."""
    step = margin_mm / 10
    grid = Grid((60, 60, 60), np.diag([step, step, step, 1.0]), "1.2.3")
    lesion, zone = np.zeros((2, 60, 60, 60), np.bool_)
    lesion[20:40, 20:40, 20:40] = True
    zone[10:50, 10:50, 10:50] = True
    report = MarginRule(required_mm=5.0).check(
        Mask(lesion, grid),
        AblationZone(mask=Mask(zone, grid), evidence=Evidence.CONTROL_SCAN),
        observed=True,
    )
    assert report.smallest_mm == margin_mm
    assert report.lesions[0].verdict is verdict
    assert report.is_a0 is (verdict is Verdict.A0)
