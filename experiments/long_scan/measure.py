"""Peak memory and wall time of `netseg segment` on a scan of 512x512x1000 voxels.

Usage: python experiments/long_scan/measure.py [--slices 1000] [--backend builtin] [--weights FILE] [--keep FOLDER]

A real CT (ct_ircadb17 of the data folder) is resampled to slices of 0.6 mm and continued at both ends
by its last slices; without real data a synthetic trunk takes its place, whose liver netseg may not
find. The command runs as its user runs it, in a process of its own; the kernel says what it took.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
from scipy.ndimage import zoom

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("NETSEG_DATA") or ROOT.parent / "shared" / "data")


def long_scan(slices: int, spacing_mm: float) -> nibabel.Nifti1Image:
    """512x512 voxels in-plane, `slices` of them, one liver."""
    files = sorted((DATA / "ct_ircadb17").glob("*ct*.nii.gz")) if DATA.is_dir() else []
    if not files:
        i, j, _ = np.ogrid[:512, :512, :1]
        body = ((i - 256) / 230) ** 2 + ((j - 256) / 160) ** 2 < 1
        plane = np.where(body, 60, -1000).astype(np.int16)
        affine = np.diag([-0.75, -0.75, spacing_mm, 1.0])
        return nibabel.Nifti1Image(np.repeat(plane, slices, axis=2), affine)
    image = nibabel.load(files[0])
    values = np.asarray(image.dataobj, np.int16)
    thick = float(image.header.get_zooms()[2])
    fine = zoom(values, (1, 1, thick / spacing_mm), order=1)[:, :, :slices]
    room = slices - fine.shape[2]
    values = np.pad(fine, ((0, 0), (0, 0), (room // 2, room - room // 2)), mode="edge")
    affine = image.affine.copy()
    affine[:3, 2] *= spacing_mm / thick
    return nibabel.Nifti1Image(values, affine)


def measure(command: list[str]) -> tuple[int, float, float]:
    """Exit code, wall seconds and peak GiB of a command and its children."""
    started = time.monotonic()
    code = subprocess.run(command, check=False).returncode
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return code, time.monotonic() - started, peak_kib / 1024**2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slices", type=int, default=1000)
    parser.add_argument("--spacing", type=float, default=0.6)
    parser.add_argument("--backend", default="builtin")
    parser.add_argument("--weights")
    parser.add_argument("--keep", type=Path)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = words.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        scan = folder / "long.nii"
        image = long_scan(words.slices, words.spacing)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, scan)
        shape = image.shape
        del image
        command = [sys.executable, "-c", "from netseg.cli.main import entry; entry()", "segment"]
        command += ["-i", str(scan), "--modality", "CT", "--phase", "portal_venous"]
        command += ["-o", str(folder / "out"), "--backend", words.backend]
        if words.weights:
            command += ["--weights", words.weights]
        # the children's peak is the command's own: nothing heavier ran before it
        code, wall_s, peak_gib = measure(command)
        status = json.loads((folder / "out" / "status.json").read_text())
    print(
        json.dumps(
            {
                "shape": list(shape),
                "backend": words.backend,
                "exit_code": code,
                "studies": status["studies"],
                "peak_gib": round(peak_gib, 2),
                "wall_s": round(wall_s, 1),
                "load_average": os.getloadavg()[0],
                "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
