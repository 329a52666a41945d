"""A phantom as DICOM: CT and PT series of one study in one frame of reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import Modality
from netseg.phantom.dicom_headers import (
    BQML_PER_SUV,
    Identity,
    common_header,
    ct_header,
    image_header,
    pet_header,
    save,
)
from netseg.phantom.protocol import CT_AND_PET, Protocol, series_of
from netseg.phantom.truth_files import WrittenStudy, case_name, write_case, write_truth

if TYPE_CHECKING:
    from pathlib import Path

    from netseg.domain import Series
    from netseg.phantom.phantom import Phantom

CT_INTERCEPT = -1024
PET_STORED_MAX = 32767


def write_dicom_study(
    phantom: Phantom, folder: Path, *, protocol: Protocol = CT_AND_PET
) -> WrittenStudy:
    """Write `case-…/` with one folder of DICOM files per series, and beside it `truth/` and `case.yaml`.

    Args:
        phantom: The patient.
        folder: Made where it is absent; files of the same names are replaced.
        protocol: Which series to render; CT and PET only.

    Raises:
        ValueError: If the protocol asks for MR, which is written as NIfTI only.
    """
    if protocol.mr:
        raise ValueError(f"DICOM is written for CT and PT; got MR series {protocol.mr}.")
    study = folder / case_name(phantom)
    identity = Identity(seed=phantom.seed, frame_uid=phantom.grid.frame_uid)
    for number, series in enumerate(series_of(phantom, protocol), start=1):
        place = study / f"{number:02d}_{series.key}"
        place.mkdir(parents=True, exist_ok=True)
        _write_series(series, number, identity, place)
    write_truth(phantom, folder / "truth")
    write_case(folder / "case.yaml")
    return WrittenStudy(study=study, truth=folder / "truth", case=folder / "case.yaml")


def _write_series(series: Series, number: int, identity: Identity, place: Path) -> None:
    """One file per axial slice, from feet to head."""
    values, grid = series.volume.values, series.volume.grid
    count = grid.shape[2]
    for k in range(count):
        position = grid.to_mm(np.array((0.0, 0.0, k)))
        header = common_header(identity, series, number)
        image_header(header, identity, series, k, position)
        plane = values[:, :, k].T  # DICOM rows run along y, columns along x
        if series.modality is Modality.CT:
            ct_header(header)
            stored, slope, intercept = (
                (plane - CT_INTERCEPT).astype(np.uint16),
                1.0,
                float(CT_INTERCEPT),
            )
        else:
            pet_header(header, k, count)
            bqml = plane.astype(np.float64) * BQML_PER_SUV
            slope = float(f"{max(float(bqml.max()), 1.0) / PET_STORED_MAX * 1.0001:.9e}")
            stored, intercept = np.rint(bqml / slope).astype(np.int16), 0.0
        save(header, stored, slope, intercept, place / f"IM{k + 1:04d}.dcm")
