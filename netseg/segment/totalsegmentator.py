"""TotalSegmentator as an external program: its liver and its liver lesions, on CT or MR."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from netseg.domain import (
    Code,
    Mask,
    Modality,
    ModelProvenance,
    Segmentation,
    StudyRejectedError,
    UsageError,
)
from netseg.segment.foreign import outlined, read_output, require_labels, write_input
from netseg.segment.nnunet import OWN
from netseg.segment.program import Program
from netseg.segment.wanted import series_for

if TYPE_CHECKING:
    from netseg.domain import Grid, Study

TASKS = {Modality.CT: ("total", "liver_lesions"), Modality.MR: ("total_mr", "liver_lesions_mr")}
"""The tasks of TotalSegmentator 2.13 and later that outline the liver and its lesions."""
NAME = "TotalSegmentator"


class TotalSegmentatorBackend:
    """Liver and lesions by `TotalSegmentator`, installed in an environment of its own.

    The program is called twice, for the organ and for the lesions, with one file per structure, so
    that no number needs to be known.

    Attributes:
        program: Full path of TotalSegmentator; None looks it up in PATH.
        channel: What it looks at: "ct", "mr", or one of netseg's channels.
        fast: The organ at 3 mm instead of 1.5; the lesions are never fast.
        device: "own" leaves it to the program; "cpu" or "cuda[:N]".
        timeout_s: Each call is ended after this long.
    """

    def __init__(
        self,
        *,
        program: Path | None = None,
        channel: str = "ct",
        fast: bool = False,
        device: str = OWN,
        timeout_s: float = 3600.0,
    ) -> None:
        if channel.startswith("pet"):
            raise UsageError(
                Code.CONFIG_RANGE, f"{NAME} reads CT and MR; segment.channel is {channel!r}."
            )
        self.channel = channel
        self.fast = fast
        self.device = device
        self.program = Program(
            name=NAME,
            path=None if program is None else Path(program),
            setting="segment.program",
            timeout_s=timeout_s,
        )

    def segment(self, study: Study) -> Segmentation:
        """Liver and lesions on the study's best CT or MR.

        Args:
            study: Must hold a series of the channel.

        Raises:
            EnvironmentFaultError: PROGRAM_MISSING.
            StudyRejectedError: NO_USABLE_SERIES; PROGRAM_FAILED, LABEL_UNKNOWN or NOT_3D for what
                the program did; NO_LIVER if it found none.
            GridMismatchError: If it answered on another grid.
        """
        self.program.find()
        (series,), notices = series_for(study, (self.channel,), NAME)
        grid = series.volume.grid
        organs, lesions = TASKS[series.modality]
        with tempfile.TemporaryDirectory(prefix="netseg-") as folder:
            scratch = Path(folder)
            write_input(series.volume, scratch / "scan.nii.gz")
            fast = ["-f"] if self.fast else []
            liver = self._mask(scratch, organs, "liver", grid, ["-rs", "liver", *fast])
            lesion = self._mask(scratch, lesions, "liver_lesions", grid, [])
        if liver.is_empty:
            raise StudyRejectedError(
                Code.NO_LIVER,
                f"{series.key}: {NAME} found no liver.",
                hint="Check that the scan covers the liver; give --liver and --lesions otherwise.",
            )
        found, united, more = outlined(lesion, liver, NAME)
        return Segmentation(
            series_key=series.key,
            liver=united,
            lesions=found,
            provenance=ModelProvenance(
                backend="totalsegmentator", name=f"{NAME} {organs}, {lesions}"
            ),
            warnings=(*notices, *more),
        )

    def _mask(self, scratch: Path, task: str, structure: str, grid: Grid, more: list[str]) -> Mask:
        out = scratch / task
        words = ["-i", str(scratch / "scan.nii.gz"), "-o", str(out), "-ta", task, *more]
        if self.device != OWN:
            words += ["-d", self.device.replace("cuda", "gpu")]
        self.program.run(words, scratch)
        labels = read_output(out / f"{structure}.nii.gz", grid, NAME)
        require_labels(labels, (1,), NAME, f"{structure}.nii.gz")
        return Mask(labels == 1, grid)
