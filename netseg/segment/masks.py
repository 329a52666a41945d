"""Masks of any tool as a segmentation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netseg.domain import (
    Code,
    LabelMap,
    Mask,
    ModelProvenance,
    Notice,
    Segmentation,
    Study,
    StudyRejectedError,
    require_same_grid,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MasksBackend:
    """Liver and lesions as they came with the study.

    A lesion that was cut out of the liver (most of its surroundings is liver) lies inside it.

    Attributes:
        name: Who made the masks, for the provenance.
        most_outside: Share of a lesion that may lie outside the given liver before it is refused;
            up to there it is a warning, and the liver takes the lesion in.
    """

    name: str = "given masks"
    most_outside: float = 0.5

    def segment(self, study: Study) -> Segmentation:
        """The study's masks, lesions numbered in descending volume.

        The liver is united with its lesions. Without lesions in the mask the answer is "looked,
        none found"; without a lesion mask there is no answer.

        Args:
            study: Must hold a lesion mask on the grid of one of its series.

        Returns:
            The masks as a segmentation, on the lesions' grid.

        Raises:
            StudyRejectedError: MASK_EMPTY without a lesion mask or with an empty liver mask,
                GRID_MISMATCH when they lie on no series' grid, MASK_OUTSIDE_LIVER.
        """
        lesions, liver = study.lesions, study.liver
        if lesions is None:
            raise StudyRejectedError(
                Code.MASK_EMPTY,
                "no lesion mask came with the study.",
                hint="Give one with --lesions MASK or use --backend builtin.",
            )
        if liver is not None and liver.is_empty:
            raise StudyRejectedError(
                Code.MASK_EMPTY, "the liver mask holds no voxel.", hint="Check its label."
            )
        lesions = _descending(lesions)
        warnings: tuple[Notice, ...] = ()
        if liver is not None:
            require_same_grid("liver and lesion masks", liver.grid, lesions.grid)
            warnings = self._outside(lesions, liver)
            liver = Mask(liver.inside | (lesions.labels > 0), liver.grid)
        return Segmentation(
            series_key=_series_of(study, lesions),
            liver=liver,
            lesions=lesions,
            provenance=ModelProvenance(backend="masks", name=self.name),
            warnings=warnings,
        )

    def _outside(self, lesions: LabelMap, liver: Mask) -> tuple[Notice, ...]:
        count = len(lesions.values) + 1
        sizes = np.bincount(lesions.labels.ravel(), minlength=count)
        outside = np.bincount(lesions.labels[~liver.inside].ravel(), minlength=count)
        shares = {
            n: float(outside[n] / sizes[n])
            for n in lesions.values
            if outside[n] and not _is_cut_out(lesions.labels == n, liver.inside)
        }
        if not shares:
            return ()
        detail = {str(n): round(share, 3) for n, share in shares.items()}
        worst = max(shares, key=lambda n: shares[n])
        told = f"lesion {worst} lies {100 * shares[worst]:.0f} % outside the given liver"
        if shares[worst] > self.most_outside:
            raise StudyRejectedError(
                Code.MASK_OUTSIDE_LIVER,
                f"{told}; at most {100 * self.most_outside:.0f} % is expected.",
                detail={"share_outside": detail},
                hint="Check that both masks belong to this scan and that labels are right.",
            )
        return (
            Notice(
                code=Code.MASK_OUTSIDE_LIVER,
                message=f"{told}; the liver was united with its lesions.",
                detail={"share_outside": detail},
                hint="Let the liver mask include its lesions.",
            ),
        )


def _is_cut_out(lesion: np.ndarray, liver: np.ndarray) -> bool:
    """Whether more than half of a lesion's surroundings is liver: some tools leave a hole there."""
    import scipy.ndimage as ndi

    box = tuple(
        slice(max(0, s.start - 1), s.stop + 1) for s in ndi.find_objects(lesion.astype(np.uint8))[0]
    )
    ring = ndi.binary_dilation(lesion[box]) & ~lesion[box]
    return bool(np.count_nonzero(ring & liver[box]) > 0.5 * np.count_nonzero(ring))


def _descending(lesions: LabelMap) -> LabelMap:
    """The same instances, numbered 1 … n in descending volume."""
    numbers = lesions.values
    sizes = np.bincount(lesions.labels.ravel())
    order = sorted(numbers, key=lambda n: (-int(sizes[n]), n))
    kind = np.uint8 if len(order) < 256 else np.uint16
    table = np.zeros(len(sizes), kind)
    table[order] = np.arange(1, len(order) + 1)
    return LabelMap(table[lesions.labels], lesions.grid)


def _series_of(study: Study, lesions: LabelMap) -> str:
    for series in study.series:
        if series.volume.grid.is_same_as(lesions.grid):
            return series.key
    require_same_grid("scan and lesion mask", study.series[0].volume.grid, lesions.grid)
    return study.series[0].key
