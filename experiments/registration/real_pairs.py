"""The registration on real pairs, for a look: there is no true motion to compare with."""

import argparse
import os
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
from scipy import ndimage

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[1]))

from netseg.domain import Grid, Mask, Quantity, StudyRejectedError, Volume
from netseg.geometry.affine import lps_from_ras
from netseg.geometry.components import components
from netseg.register.refine import Scan, _on_one_grid
from netseg.register.sampling import bent
from netseg.register.scans import register_scans
from netseg.register.settings import RegistrationSettings

DATA = Path(os.environ.get("NETSEG_DATA") or FOLDER.parents[2] / "shared" / "data")


def read(path, frame):
    image = nibabel.load(path)
    grid = Grid(image.shape[:3], lps_from_ras(image.affine), frame)
    return np.asarray(image.dataobj), grid


def lits():
    """Two dates of one patient; the zone is not a zone: the second date's lesions are left out."""
    sides = []
    for name in ("lits00", "lits01"):
        folder = DATA / "ct_lits_train"
        values, grid = read(folder / f"{name}_ct.nii.gz", name)
        labels, _ = read(folder / f"{name}_liver_lesion.nii.gz", name)
        volume = Volume(values.astype(np.float32), grid, Quantity.HU)
        sides.append((volume, Mask(labels > 0, grid), Mask(labels == 2, grid)))
    return sides


def breathing(name):
    """A volume with its largest bright body, most of the liver, as the outline."""
    values, grid = read(DATA / "mr_liver_breathing" / f"{name}.nii.gz", name)
    calm = ndimage.gaussian_filter(np.asarray(values, float), 0.7)
    bright = ndimage.binary_opening(calm > 0.6 * np.percentile(calm, 99), iterations=2)
    largest = components(Mask(bright, grid)).labels == 1
    return Volume(values.astype(np.float32), grid, Quantity.ARBITRARY), Mask(largest, grid), None


def told(name, control, planning, settings):
    (first, liver, out), (second, other, lesions) = control, planning
    cpu = time.process_time()
    found = register_scans(
        first,
        second,
        control_liver=liver,
        planning_liver=other,
        zone=out,
        lesions=lesions,
        settings=settings,
    )
    print(f"{name}: {time.process_time() - cpu:.1f} s CPU, error {found.error_mm} mm")
    print("  livers", round(liver.volume_ml), round(other.volume_ml), "ml")
    for key, gate in found.gates.items():
        print(f"  {key}: {gate.value} ({gate.limit}): {gate.passed}")
    return found


def pictures(path, control, planning, found, settings):
    """Control, planning through the rigid part, planning through all, and the differences."""
    import matplotlib.pyplot as plt

    ours, theirs = (Scan(volume, liver, out) for volume, liver, out in (control, planning))
    pair = _on_one_grid(found, ours, theirs, settings)
    moved = bent(pair.moving, pair.grid, found.bend_mm)
    k = int(ndimage.center_of_mass(pair.fixed_liver)[2])
    j = int(ndimage.center_of_mass(pair.fixed_liver)[1])
    low, high = np.percentile(pair.fixed[pair.fixed_liver], (1, 99.5))
    figure, axes = plt.subplots(2, 5, figsize=(22, 9))
    shown = (pair.fixed, pair.moving, moved, pair.fixed - pair.moving, pair.fixed - moved)
    for row, cut in enumerate(((slice(None), slice(None), k), (slice(None), j, slice(None)))):
        for column, values in enumerate(shown):
            span = (low, high) if column < 3 else (-(high - low) / 2, (high - low) / 2)
            axes[row, column].imshow(
                values[cut].T, cmap="gray", vmin=span[0], vmax=span[1], origin="lower"
            )
            axes[row, column].contour(pair.fixed_liver[cut].T, [0.5], colors="c", linewidths=0.6)
            axes[row, column].axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=60)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--pictures", type=Path, help="folder outside the project; never commit them"
    )
    asked = parser.parse_args(argv)
    settings = RegistrationSettings(device="cpu")
    later, earlier = lits()[1], lits()[0]
    found = told("lits01 from lits00", later, earlier, settings)
    if asked.pictures:
        pictures(asked.pictures / "lits.png", later, earlier, found, settings)
    still = breathing("fa15")
    coarse = RegistrationSettings(device="cpu", spacing_mm=3.0)
    for name in ("fa02", "fa10", "fa20", "fa25"):
        moved = breathing(name)
        try:
            found = told(f"{name} from fa15", moved, still, coarse)
        except StudyRejectedError as refusal:
            print(f"{name}: {refusal}")
            continue
        if asked.pictures:
            pictures(asked.pictures / f"{name}.png", moved, still, found, coarse)


if __name__ == "__main__":
    main()
