"""Look at the real check CT: hepatic veins against the borders. Look only; nothing is tuned on it.

python experiments/segments/real.py --weights FILE --pictures FOLDER [--output figures.json]
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import matplotlib as mpl
import nibabel as nib
import numpy as np
import torch
from scipy import ndimage

from netseg.domain import (
    Grid,
    LabelMap,
    Mask,
    Modality,
    ModelProvenance,
    Phase,
    Quantity,
    Segmentation,
    Series,
    Study,
    Volume,
)
from netseg.findings.partition import approximate_segments
from netseg.segment.couinaud import SegmentsModel

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[2]
TRUNK_MM = 2.5  # vein voxels deeper than this inside a vein belong to a trunk


def data() -> Path:
    return Path(os.environ.get("NETSEG_DATA") or ROOT.parent / "shared" / "data") / "ct_ircadb17"


def read(name: str) -> tuple[np.ndarray, np.ndarray]:
    image = nib.load(data() / name)
    lps = np.diag((-1.0, -1.0, 1.0, 1.0)) @ image.affine
    return np.asanyarray(image.dataobj), lps


def distances(labels: np.ndarray, vein: np.ndarray, spacing: tuple[float, ...]) -> dict:
    """How far the vein's trunk voxels lie from the nearest border between sectors."""
    answer = {}
    sector = np.array((0, 1, 2, 2, 3, 4, 5, 5, 4))[labels]
    border = np.zeros(labels.shape, bool)
    for axis in range(3):
        a, b = (np.moveaxis(sector, axis, 0)[s] for s in (slice(1, None), slice(None, -1)))
        differ = (a != b) & (a > 1) & (b > 1)
        moved = np.moveaxis(border, axis, 0)
        moved[1:] |= differ
        moved[:-1] |= differ
    away = ndimage.distance_transform_edt(~border, sampling=spacing)[vein]
    answer["median_mm"] = round(float(np.median(away)), 1)
    answer["mean_mm"] = round(float(away.mean()), 1)
    answer["within_5_mm"] = round(float((away <= 5).mean()), 3)
    answer["within_10_mm"] = round(float((away <= 10).mean()), 3)
    return answer


def picture(path: Path, hu: np.ndarray, maps: dict, vessels: np.ndarray, spacing: tuple) -> None:
    """Axial slices with the segments' borders, hepatic veins blue, portal vein orange."""
    liver = maps["network"] > 0
    heights = np.flatnonzero(liver.any((0, 1)))
    chosen = np.linspace(heights[0], heights[-1], 9).round().astype(int)[1:-1]
    figure, axes = plt.subplots(2, len(chosen), figsize=(4 * len(chosen), 8))
    (x, y, _) = ndimage.find_objects(liver.astype(np.uint8))[0]
    for row, (name, labels) in enumerate(maps.items()):
        for column, k in enumerate(chosen):
            at = axes[row, column]
            at.imshow(hu[x, y, k].T, cmap="gray", vmin=0, vmax=220, aspect=spacing[1] / spacing[0])
            at.imshow(
                np.ma.masked_equal(labels[x, y, k].T, 0),
                cmap="tab10",
                vmin=0,
                vmax=9,
                alpha=0.28,
                aspect=spacing[1] / spacing[0],
            )
            for number, colour in ((2, "blue"), (1, "orange")):
                at.contour((vessels[x, y, k] == number).T, [0.5], colors=colour, linewidths=1)
            for n in np.unique(labels[x, y, k]):
                if n and (labels[x, y, k] == n).sum() > 150:
                    c = ndimage.center_of_mass(labels[x, y, k] == n)
                    at.text(
                        c[0],
                        c[1],
                        ["_", "I", "II", "III", "IV", "V", "VI", "VII", "VIII"][n],
                        color="yellow",
                    )
            at.set_title(f"{name}, slice {k}")
            at.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=55)


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--weights", type=Path, default=None)
    words.add_argument("--pictures", type=Path, required=True)
    words.add_argument("--output", type=Path, default=None)
    given = words.parse_args()
    torch.set_num_threads(1)
    hu, affine = read("ct.nii.gz")
    vessels, _ = read("vessels_bone.nii.gz")
    lesions, _ = read("lesion_instances.nii.gz")
    inside = read("liver_lesion.nii.gz")[0] > 0
    grid = Grid(shape=hu.shape, affine_lps=affine, frame_uid="1.2.3")
    volume = Volume(hu.astype(np.int16), grid, Quantity.HU)
    series = Series(key="ct", modality=Modality.CT, volume=volume, phase=Phase.PORTAL_VENOUS)
    segmentation = Segmentation(
        series_key="ct",
        liver=Mask(inside, grid),
        lesions=LabelMap(lesions.astype(np.uint8), grid),
        provenance=ModelProvenance(backend="masks", name="given"),
    )
    model = SegmentsModel(given.weights, "cpu", least_confidence=0.0)
    found = model.add(Study(case_id="check", series=(series,)), segmentation)
    maps = {
        "network": np.array(found.segments.labels),
        "geometric": np.array(approximate_segments(Mask(inside, grid)).labels),
    }
    vein = (vessels == 2) & inside
    deep = ndimage.distance_transform_edt(vein, sampling=grid.spacing_mm)
    trunk = deep >= TRUNK_MM
    answer = {
        "vein_trunk_voxels": int(trunk.sum()),
        "segment_ml": {
            name: [
                round(float(v * grid.voxel_volume_ml), 0)
                for v in np.bincount(m.ravel(), minlength=9)[1:]
            ]
            for name, m in maps.items()
        },
        "vein_to_border": {n: distances(m, trunk, grid.spacing_mm) for n, m in maps.items()},
        "lesions": {
            str(n): {
                "segment": int(
                    np.bincount(maps["network"][lesions == n], minlength=9)[1:].argmax() + 1
                ),
                "geometric": int(
                    np.bincount(maps["geometric"][lesions == n], minlength=9)[1:].argmax() + 1
                ),
                "segment_confidence": round(found.segment_confidence[n], 2),
                "lobe_confidence": round(found.lobe_confidence[n], 2),
            }
            for n in segmentation.lesions.values
        },
        "warnings": [str(w.code) for w in found.warnings],
    }
    print(json.dumps(answer, indent=1))
    given.pictures.mkdir(parents=True, exist_ok=True)
    picture(given.pictures / "check.png", hu, maps, vessels, grid.spacing_mm)
    if given.output:
        old = json.loads(given.output.read_text()) if given.output.is_file() else {}
        text = json.dumps({**old, "real_check_ct": answer}, indent=1)
        given.output.write_text(text + "\n", encoding="utf-8")
