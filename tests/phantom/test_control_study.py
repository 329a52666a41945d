"""The demo patient's control scan: the margins that were ordered, in files that netseg reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netseg.domain import Modality, Phase
from netseg.phantom import make_phantom
from netseg.phantom.control_study import MARGINS_MM, write_control_study
from netseg.study import read_study

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_margins_as_ordered_in_a_frame_of_its_own(tmp_path: Path):
    phantom = make_phantom(17, spacing_mm=(3.0, 3.0, 3.0))
    written = write_control_study(phantom, tmp_path / "control")
    assert list(written.margins_mm) == [1, 2, 3, 4]
    for got, ordered in zip(
        written.margins_mm.values(), (*MARGINS_MM, MARGINS_MM[-1]), strict=True
    ):
        assert got == pytest.approx(ordered, abs=0.3)
    study = read_study(written.study)
    [series] = study.series
    assert (series.modality, series.phase) == (Modality.CT, Phase.PORTAL_VENOUS)
    assert series.volume.grid.frame_uid != phantom.grid.frame_uid
    again = write_control_study(phantom, tmp_path / "again")
    assert again.margins_mm == written.margins_mm
