"""Small programs that behave as nnUNetv2_predict and TotalSegmentator do on the outside."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from netseg.domain import Grid, Modality, Quantity, Series, Study, Volume
from netseg.domain.study import Phase

HEADER = "#!{python} -S\nimport sys\nsys.path.insert(0, {packages!r})\n"
READ = """
import gzip, json, os, struct, time
from pathlib import Path
import numpy as np

def option(name):
    return sys.argv[sys.argv.index(name) + 1]

class Image:  # NIfTI by hand: starting nibabel for every test would take seconds
    def __init__(self, path):
        data = gzip.decompress(Path(path).read_bytes())
        self.header = bytearray(data[:352])
        shape = struct.unpack_from("<3h", data, 42)
        self.values = np.frombuffer(data, "<i2", offset=352).reshape(shape, order="F")
    def save(self, labels, path):
        kind = {"uint8": 2, "int16": 4, "float32": 16, "float64": 64}[str(labels.dtype)]
        struct.pack_into("<8h", self.header, 40, labels.ndim, *labels.shape, *[1] * (7 - labels.ndim))
        struct.pack_into("<2h", self.header, 70, kind, 8 * labels.dtype.itemsize)
        path.write_bytes(gzip.compress(bytes(self.header) + labels.tobytes(order="F"), 1))
    def shift(self, x_mm):
        (x,) = struct.unpack_from("<f", self.header, 292)
        struct.pack_into("<f", self.header, 292, x + x_mm)
"""
NNUNET = (
    READ
    + """
source = sorted(Path(option("-i")).iterdir())
out = Path(option("-o")); out.mkdir()
image = Image(source[0])
labels = ((image.values > 50) * 1 + (image.values > 150) * 1).astype(np.uint8)
Path(NOTES).write_text(json.dumps({"words": sys.argv[1:], "files": [s.name for s in source],
    "texts": bytes(image.header[148:252]).strip(b"\\0").decode(), "scratch": str(out.parent),
    "results": os.environ.get("nnUNet_results"), "pythonpath": os.environ.get("PYTHONPATH"),
    "visible": os.environ.get("CUDA_VISIBLE_DEVICES")}))
MISCHIEF
image.save(labels, out / "case.nii.gz")
(out / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "liver": 1, "tumor": 2}}))
"""
)
TOTALSEGMENTATOR = (
    READ
    + """
task = option("-ta"); out = Path(option("-o")); out.mkdir()
image = Image(option("-i"))
organ = task.startswith("total")
name, labels = ("liver", image.values == 100) if organ else ("liver_lesions", image.values > 150)
labels = labels.astype(np.uint8)
with open(NOTES, "a") as notes:
    notes.write(json.dumps(sys.argv[1:]) + "\\n")
MISCHIEF
image.save(labels, out / f"{name}.nii.gz")
"""
)


def program(folder: Path, body: str, mischief: str = "", name: str = "program") -> Path:
    """An executable file in `folder`; what it was told stands in `folder/notes`."""
    file = folder / name
    text = HEADER.format(python=sys.executable, packages=str(Path(np.__file__).parents[1]))
    text += f"NOTES = {str(folder / 'notes')!r}\n"
    file.write_text(text + body.replace("MISCHIEF", mischief))
    file.chmod(0o700)
    return file


def scan(phase: Phase | None = Phase.PORTAL_VENOUS, modality: Modality = Modality.CT) -> Study:
    """A liver of 100 with two lesions of 200 in it and one beside it, on a flipped, oblique grid."""
    turn = np.array([[0.96, -0.28, 0], [-0.28, -0.96, 0], [0, 0, 1.0]])
    affine = np.eye(4)
    affine[:3, :3] = turn * (2.0, 2.0, 3.0)
    affine[:3, 3] = (-40.0, 31.0, -12.5)
    grid = Grid((50, 40, 30), affine, "1.2.840.99")
    values = np.full(grid.shape, -100, np.int16)
    values[5:40, 5:35, 5:25] = 100
    values[10:16, 10:16, 10:14] = 200
    values[25:28, 20:24, 12:15] = 200
    values[45:48, 5:8, 5:8] = 200
    quantity = Quantity.HU if modality is Modality.CT else Quantity.ARBITRARY
    series = Series(
        key="ct_portal_venous",
        modality=modality,
        volume=Volume(values, grid, quantity),
        phase=phase,
    )
    return Study(case_id="case", series=(series,), secrets=frozenset({"DOE^JANE"}))
