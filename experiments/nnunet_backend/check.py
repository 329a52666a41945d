"""The nnunet backend against nnU-Net itself, called by hand on the same scan.

python experiments/nnunet_backend/check.py --peer PYTHON_WITH_NNUNETV2 --output figures.json
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK
from scipy.ndimage import gaussian_filter
from scipy.ndimage import label as label_parts
from scipy.spatial.transform import Rotation

HERE = Path(__file__).parent
NAME = "Dataset901_Random"


def scan(path):
    """An oblique, flipped, anisotropic CT without symmetry: an orientation error cannot hide."""
    generator = np.random.default_rng(5)
    hu = 60 + 900 * gaussian_filter(generator.standard_normal((40, 60, 72)), 3)
    image = SimpleITK.GetImageFromArray(np.round(hu).astype(np.int16))
    image.SetSpacing((1.6, 2.1, 3.0))
    image.SetOrigin((40.0, -120.0, 300.0))
    turn = Rotation.from_euler("xyz", (8, -5, 12), degrees=True).as_matrix()
    image.SetDirection((turn @ np.diag((-1.0, 1.0, 1.0))[:, [1, 0, 2]]).ravel())
    SimpleITK.WriteImage(image, str(path))


def ours(study, out, results, program, *more):
    words = ["-i", str(study), "-o", str(out), "--backend", "nnunet", f"segment.dataset={NAME}"]
    words += [f"segment.results={results}", f"segment.program={program}", "segment.folds=[0]"]
    netseg = Path(sys.executable).parent / "netseg"
    return subprocess.run(
        [netseg, "segment", *words, "--modality", "CT", "--phase", "portal_venous",
         "segment.device=cpu", *more],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def by_hand(study, folder, results, program):
    given, answer = folder / "given", folder / "answer"
    given.mkdir()
    (given / "x_0000.nii.gz").write_bytes(study.read_bytes())
    subprocess.run(
        [program, "-i", given, "-o", answer, "-d", NAME, "-c", "3d_fullres", "-f", "0",
         "--disable_tta", "-device", "cpu"],
        env={**os.environ, "nnUNet_results": str(results)}, check=True, capture_output=True,
    )  # fmt: skip
    return SimpleITK.ReadImage(str(answer / "x.nii.gz"))


def on_its_grid(path, like):
    """A mask that netseg wrote, asked at the centres of the scan's voxels."""
    found = SimpleITK.Resample(
        SimpleITK.ReadImage(str(path)), like, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor
    )
    return SimpleITK.GetArrayFromImage(found) > 0


def partly_kept(whole, kept):
    """Voxels lost from lesions of which others were kept: 0 where lesions go as a whole."""
    numbers, count = label_parts(whole, np.ones((3, 3, 3)))
    return sum(
        int((~kept[numbers == n]).sum()) for n in range(1, count + 1) if kept[numbers == n].any()
    )


def refusals(study, folder, results, program):
    """What is said of a model that is not there, a fold that was not trained, a label unknown."""
    asked = {
        "no such model": ["segment.dataset=Dataset902_Absent"],
        "no such fold": ["segment.folds=[3]"],
        "no such label": ["segment.lesion=metastasis"],
        "a program that is not there": ["segment.program=/nowhere/nnUNetv2_predict"],
    }
    said = {}
    for name, words in asked.items():
        run = ours(study, folder / name.replace(" ", "_"), results, program, *words)
        line = run.stderr.strip().splitlines()[-1].replace(str(folder), "…")
        said[name] = {"exit": run.returncode, "said": line.replace(str(program), program.name)}
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    program = asked.peer.parent / "nnUNetv2_predict"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results, study = folder / "results", folder / "case.nii.gz"
        subprocess.run([asked.peer, HERE / "random_model.py", results], check=True)
        scan(study)
        truth = by_hand(study, folder, results, program)
        run = ours(study, folder / "ours", results, program)
        print(run.stderr[-2000:])
        label = SimpleITK.GetArrayFromImage(truth)
        found = {n: next((folder / "ours").rglob(f"{n}.nii.gz")) for n in ("liver", "lesions")}
        lesions, liver = on_its_grid(found["lesions"], truth), on_its_grid(found["liver"], truth)
        left_out = (label == 2) & ~lesions
        status = json.loads((found["liver"].parent / "status.json").read_text())
        figures = {
            "exit": run.returncode,
            "voxels_by_label": np.bincount(label.ravel(), minlength=3).tolist(),
            "lesion_voxels_not_its": int((lesions & (label != 2)).sum()),
            "lesion_voxels_left_out": int(left_out.sum()),
            "of_them_in_lesions_kept_in_part": partly_kept(label == 2, lesions),
            "notices": [n["message"] for n in status["warnings"] if "left out" in n["message"]],
            "liver_voxels_that_differ_elsewhere": int(
                (liver[~left_out] != (label > 0)[~left_out]).sum()
            ),
            "refusals": refusals(study, folder, results, program),
        }
    print(json.dumps(figures, indent=2))
    if asked.output:
        asked.output.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
