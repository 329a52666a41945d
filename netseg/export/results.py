"""All files of one study that machines read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.export.atomic import make_folder, write_atomically
from netseg.export.control import control_images
from netseg.export.document import to_json
from netseg.export.guard import require_text_without_secrets
from netseg.export.image import write_image
from netseg.export.margin import margin_document
from netseg.export.plan import plan_document
from netseg.export.table import lesions_csv
from netseg.export.zone import zone_document, zone_on

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.domain import LabelMap, Mask
    from netseg.domain.result import StudyResult


def write_results(
    result: StudyResult, folder: Path, documents: Mapping[str, Mapping[str, Any]]
) -> tuple[Path, ...]:
    """Write masks, tables and documents of a study; each file whole or not at all.

    Every text is searched for identifiers of the patient before the first file is written.

    Args:
        result: What the stations said.
        folder: The study's own folder; created when absent.
        documents: Documents of other rooms by name without suffix, such as "findings" and
            "allocation"; each becomes NAME.json.

    Returns:
        The written files in name order.

    Raises:
        StudyRejectedError: IDENTIFIER_IN_OUTPUT, before anything is written.
        FrameMismatchError: If a zone lies in another frame than the lesions.
        EnvironmentFaultError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    texts = _texts(result, documents)
    for name, content in texts.items():
        require_text_without_secrets(name, content, result.study.secrets)
    images = _images(result)
    make_folder(folder)
    for name, image in images.items():
        write_image(folder / name, image)
    for name, content in texts.items():
        with write_atomically(folder / name) as file:
            file.write(content)
    return tuple(folder / name for name in sorted((*images, *texts)))


def _texts(result: StudyResult, documents: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    texts = {"lesions.csv": lesions_csv(result.findings)}
    own: dict[str, Mapping[str, Any]] = {}
    if result.plan is not None:
        own["plan"] = plan_document(result.plan)
    if result.zones or result.zone is not None:
        own["zone"] = zone_document(result.zones, result.zone)
    if result.judged is not None:
        own["margin"] = margin_document(result.judged)
    if result.control is not None and result.margin is not None:
        own["margin_predicted"] = margin_document(result.margin)
    twice = sorted(own.keys() & documents.keys())
    if twice:
        raise ValueError(f"documents handed in must not replace export's own; got {twice}.")
    texts |= {f"{name}.json": to_json(document) for name, document in {**own, **documents}.items()}
    return texts


def _images(result: StudyResult) -> dict[str, Mask | LabelMap]:
    segmentation = result.segmentation
    images: dict[str, Mask | LabelMap] = {"lesions.nii.gz": segmentation.lesions}
    if segmentation.liver is not None:
        images["liver.nii.gz"] = segmentation.liver
    if segmentation.segments is not None:
        images["segments.nii.gz"] = segmentation.segments
    if result.zone is not None:
        images["zone.nii.gz"] = result.zone.mask
    elif result.zones:
        images["zone.nii.gz"] = zone_on(segmentation.lesions.grid, result.zones)
    if result.control is not None:
        images |= control_images(result.control)
    return images
