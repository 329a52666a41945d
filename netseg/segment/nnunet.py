"""nnU-Net as an external program: any model somebody has trained with it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netseg.domain import (
    Code,
    Mask,
    ModelProvenance,
    Segmentation,
    StudyRejectedError,
    UsageError,
)
from netseg.segment.foreign import outlined, read_output, require_labels, write_input
from netseg.segment.program import Program
from netseg.segment.wanted import on_first_grid, series_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netseg.domain import Study

CASE = "case"
OWN = "own"  # the device that the program chooses itself


class NnunetBackend:
    """Liver and lesions by `nnUNetv2_predict`, installed in an environment of its own.

    Attributes:
        dataset: Name or number of the data set the model was trained on (-d).
        results: Folder with trained models; None leaves it to the variable nnUNet_results.
        program: Full path of nnUNetv2_predict; None looks it up in PATH.
        channels: The model's input channels in its order, in netseg's words: "ct_portal", or "ct"
            for any CT (`netseg.segment.wanted`).
        liver: Name or number of the liver's label; None if the model does not outline it.
        lesion: Name or number of the lesions' label.
        configuration: The model's configuration (-c).
        folds: Folds to average (-f); "all" for a model trained on everything.
        more: Further words, such as ("-p", "nnUNetResEncUNetMPlans").
        mirroring: Test-time mirroring, eight times the work: nnU-Net's own default.
        device: "own" leaves it to the program; "cpu" or "cuda[:N]".
        file_ending: What the model's data set calls images.
        timeout_s: The program is ended after this long.
    """

    def __init__(
        self,
        dataset: str | int | None = None,
        *,
        results: Path | None = None,
        program: Path | None = None,
        channels: Sequence[str] = ("ct",),
        liver: str | int | None = "liver",
        lesion: str | int = "tumor",
        configuration: str = "3d_fullres",
        folds: Sequence[str | int] = (0, 1, 2, 3, 4),
        more: Sequence[str] = (),
        mirroring: bool = False,
        device: str = OWN,
        file_ending: str = ".nii.gz",
        timeout_s: float = 3600.0,
    ) -> None:
        if dataset is None:
            raise UsageError(
                Code.CONFIG_RANGE,
                "nnunet needs to know which model to use.",
                hint="Say segment.dataset=NAME, the data set that it was trained on.",
            )
        self.dataset = str(dataset)
        self.results = None if results is None else Path(results).absolute()
        self.channels = tuple(channels)
        self.liver = liver
        self.lesion = lesion
        self.configuration = configuration
        self.folds = tuple(str(f) for f in folds)
        self.more = tuple(str(w) for w in more)
        self.mirroring = mirroring
        self.device = device
        self.file_ending = file_ending
        self.program = Program(
            name="nnUNetv2_predict",
            path=None if program is None else Path(program),
            setting="segment.program",
            timeout_s=timeout_s,
        )

    def segment(self, study: Study) -> Segmentation:
        """Liver and lesions on the model's first channel.

        Args:
            study: Must hold a series for every channel of the model.

        Raises:
            EnvironmentFaultError: PROGRAM_MISSING.
            StudyRejectedError: NO_USABLE_SERIES; PROGRAM_FAILED, LABEL_UNKNOWN, LABEL_NOT_INTEGER
                or NOT_3D for what the program did.
            GridMismatchError: If it answered on another grid.
        """
        self.program.find()
        series, notices = series_for(study, self.channels, f"the model {self.dataset}")
        volumes = on_first_grid(series, self.channels)
        grid = volumes[0].grid
        with tempfile.TemporaryDirectory(prefix="netseg-") as folder:
            scratch = Path(folder)
            into, out = scratch / "in", scratch / "out"
            into.mkdir()
            for number, volume in enumerate(volumes):
                write_input(volume, into / f"{CASE}_{number:04d}{self.file_ending}")
            self.program.run(self._words(into, out), scratch, self._variables())
            answer = out / f"{CASE}{self.file_ending}"
            labels = read_output(answer, grid, "nnU-Net")
            names = _label_names(out)
        lesion, liver = self._values(names)
        known = tuple(names.values()) or (lesion, *(() if liver is None else (liver,)))
        require_labels(labels, known, "nnU-Net", answer.name)
        found, united, more = outlined(
            Mask(labels == lesion, grid),
            None if liver is None else Mask(labels == liver, grid),
            "nnU-Net",
        )
        return Segmentation(
            series_key=series[0].key,
            liver=united,
            lesions=found,
            provenance=ModelProvenance(
                backend="nnunet", name=f"nnU-Net {self.dataset} {self.configuration}"
            ),
            warnings=(*notices, *more),
        )

    def _words(self, into: Path, out: Path) -> list[str]:
        words = ["-i", str(into), "-o", str(out), "-d", self.dataset, "-c", self.configuration]
        words += ["-f", *self.folds]
        if not self.mirroring:
            words.append("--disable_tta")
        if self.device != OWN:
            words += ["-device", self.device.split(":", maxsplit=1)[0]]
        return [*words, *self.more]

    def _variables(self) -> dict[str, str]:
        variables = {} if self.results is None else {"nnUNet_results": str(self.results)}
        if self.device.startswith("cuda:"):
            variables["CUDA_VISIBLE_DEVICES"] = self.device.split(":", maxsplit=1)[1]
        return variables

    def _values(self, names: Mapping[str, int]) -> tuple[int, int | None]:
        liver = None if self.liver is None else _value(self.liver, names, "segment.liver")
        return _value(self.lesion, names, "segment.lesion"), liver


def _label_names(out: Path) -> dict[str, int]:
    """The model's labels, from the dataset.json that nnU-Net lays beside its answer."""
    file = out / "dataset.json"
    if not file.is_file():
        return {}
    try:
        labels: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["labels"]
        return {str(name): int(value) for name, value in labels.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StudyRejectedError(
            Code.PROGRAM_FAILED,
            "the dataset.json beside nnU-Net's answer has no plain labels; a model trained on "
            "regions is not read.",
            file=file.name,
            hint="Convert its answer to one number per tissue, and give it with --lesions MASK.",
        ) from error


def _value(label: str | int, names: Mapping[str, int], setting: str) -> int:
    if isinstance(label, int) or label.isdigit():
        number = int(label)
        if names and number not in names.values():
            raise _unknown(label, names, setting)
        return number
    if label not in names:
        raise _unknown(label, names, setting)
    return names[label]


def _unknown(label: str | int, names: Mapping[str, int], setting: str) -> StudyRejectedError:
    there = ", ".join(f"{name} ({value})" for name, value in names.items()) or "not said"
    return StudyRejectedError(
        Code.LABEL_UNKNOWN,
        f"{setting} is {label!r}; the model's labels are {there}.",
        hint=f"Say {setting}=NAME or its number.",
    )
