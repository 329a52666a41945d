"""Files of a control scan's margin check: masks on its grid, and the margins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.export.atomic import make_folder
from netseg.export.document import write_document
from netseg.export.image import write_image
from netseg.export.margin import margin_document

if TYPE_CHECKING:
    from pathlib import Path

    from netseg.domain import LabelMap, Mask
    from netseg.domain.control import ControlCheck


def control_images(check: ControlCheck) -> dict[str, Mask | LabelMap]:
    """Zone, lesions and liver as they lie in the control scan, by file name."""
    return {
        "control_zone.nii.gz": check.zone.mask,
        "control_lesions.nii.gz": check.lesions,
        "control_liver.nii.gz": check.liver,
    }


def write_control(check: ControlCheck, folder: Path) -> None:
    """Write `margin.json` and the masks on the control scan's grid; each whole or not at all.

    Args:
        check: What the control scan showed.
        folder: Created when absent; other files in it stay.

    Raises:
        EnvironmentFaultError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    make_folder(folder)
    for name, image in control_images(check).items():
        write_image(folder / name, image)
    write_document(folder / "margin.json", margin_document(check.margin))
