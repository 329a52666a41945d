"""The built-in model: two small networks on one CT series."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netseg.domain import (
    Code,
    LabelMap,
    Mask,
    ModelProvenance,
    Notice,
    Quantity,
    Segmentation,
    StudyRejectedError,
    UsageError,
    Volume,
)
from netseg.geometry.components import components
from netseg.segment.choose import choose_ct
from netseg.segment.orient import Orientation
from netseg.segment.weights_file import load_weights

if TYPE_CHECKING:
    import torch

    from netseg.domain import Series, Study
    from netseg.segment.card import ModelCard
    from netseg.segment.cascade import Axes, Found, Network
    from netseg.segment.networks import NetworkSpec

logger = logging.getLogger(__name__)


class BuiltinBackend:
    """Liver and lesions on CT by the networks that are shipped, or others of their kind.

    The weights are read once, when the first study comes.

    Attributes:
        weights: A safetensors file with its card beside it; None means those shipped.
        device: "auto", "cpu" or "cuda[:N]".
        overlap: Share of the patch edge that neighbouring patches have in common.
        margin_mm: How much around the liver the lesion network sees.
        reach_mm: How far outside the liver network's answer a lesion may reach.
        smallest_liver_ml: Less than this is no liver.
        smallest_lesion_ml: Smaller spots are not listed.
        lesion_threshold: Probability from which a voxel is lesion; None takes the card's.
        least_inside: Share of a lesion that must lie in the liver network's answer; less of it is
            muscle, stomach or bowel beside the liver.
        least_confidence: Mean probability that a listed lesion must reach.
    """

    def __init__(
        self,
        weights: Path | None = None,
        device: str = "auto",
        *,
        overlap: float = 0.5,
        margin_mm: float = 18.0,
        reach_mm: float = 6.0,
        smallest_liver_ml: float = 200.0,
        smallest_lesion_ml: float = 0.05,
        lesion_threshold: float | None = None,
        least_inside: float = 0.5,
        least_confidence: float = 0.75,
    ) -> None:
        self.weights = None if weights is None else Path(weights)
        self.device = device
        self.overlap = overlap
        self.margin_mm = margin_mm
        self.reach_mm = reach_mm
        self.smallest_liver_ml = smallest_liver_ml
        self.smallest_lesion_ml = smallest_lesion_ml
        self.lesion_threshold = lesion_threshold
        self.least_inside = least_inside
        self.least_confidence = least_confidence
        self._loaded: tuple[ModelCard, Network, Network] | None = None

    def segment(self, study: Study) -> Segmentation:
        """Liver and lesions on the study's best CT series.

        Args:
            study: Must hold a CT in Hounsfield units.

        Returns:
            Liver, lesion instances, probability of lesion, confidence per lesion (its mean
            probability).

        Raises:
            StudyRejectedError: NO_USABLE_SERIES, NO_LIVER or NON_FINITE_OUTPUT.
            EnvironmentFaultError: If the weights cannot be used.
        """
        series = choose_ct(study)
        card, liver_net, lesion_net = self.networks()
        grid = series.volume.grid
        turn = Orientation.of(grid)
        found = self._find(
            turn.turn(series.volume.values), turn.axes(grid), liver_net, lesion_net, series
        )
        lesions, confidence = self._list(turn, found, series)
        liver = np.ascontiguousarray(turn.turn_back(found.liver)) | (lesions.labels != 0)
        return Segmentation(
            series_key=series.key,
            liver=Mask(liver, grid),
            lesions=lesions,
            lesion_probability=Volume(
                np.ascontiguousarray(turn.turn_back(found.lesion_probability)),
                grid,
                Quantity.PROBABILITY,
            ),
            confidence=confidence,
            provenance=ModelProvenance(
                backend="builtin",
                name=card.name,
                weights_sha256={"liver": card.sha256, "lesions": card.sha256},
            ),
            warnings=_notices(series),
        )

    def _find(
        self, hu: np.ndarray, axes: Axes, liver_net: Network, lesion_net: Network, series: Series
    ) -> Found:
        from netseg.segment.cascade import Found, bring_back, find_lesions, find_liver, liver_box

        coarse = find_liver(hu, axes, liver_net)
        cut = liver_net.card.threshold
        volume_ml = float((coarse.values >= cut).sum()) * liver_net.card.spacing_mm**3 / 1000.0
        if volume_ml < self.smallest_liver_ml:
            raise StudyRejectedError(
                Code.NO_LIVER,
                f"{series.key}: the network found {volume_ml:.0f} ml of liver, less than the "
                f"{self.smallest_liver_ml:.0f} ml of the smallest plausible one.",
                detail={"found_ml": round(volume_ml, 1), "least_ml": self.smallest_liver_ml},
                hint="Check that the scan covers the liver; give --liver and --lesions otherwise.",
            )
        box = liver_box(coarse, cut, axes, self.margin_mm)
        i, j, k = (axis.part(s.start, s.stop - s.start) for axis, s in zip(axes, box, strict=True))
        part = (i, j, k)
        fine = find_lesions(hu[box], part, coarse, lesion_net, self.reach_mm)
        threshold = self.lesion_threshold or lesion_net.card.threshold
        liver = np.zeros(hu.shape, bool)
        lesions = np.zeros(hu.shape, bool)
        probability = np.zeros(hu.shape, np.float32)
        liver[box] = bring_back(coarse, part, cut)
        for place, values in fine.slabs(part):
            probability[box][:, :, place] = values
            lesions[box][:, :, place] = values >= threshold
        return Found(liver=liver, lesions=lesions, lesion_probability=probability)

    def _list(
        self, turn: Orientation, found: Found, series: Series
    ) -> tuple[LabelMap, dict[int, float]]:
        """Number the lesions in descending volume; what is too small or too doubtful is dropped."""
        grid = series.volume.grid
        inside = np.ascontiguousarray(turn.turn_back(found.lesions))
        numbered = components(Mask(inside, grid))
        labels = np.array(numbered.labels)
        sizes = np.bincount(labels.ravel())
        flat = labels.ravel()
        inner = np.ascontiguousarray(turn.turn_back(found.liver)).ravel()
        share = np.bincount(flat, weights=inner, minlength=len(sizes)) / sizes
        probability = turn.turn_back(found.lesion_probability).ravel()
        sure = np.bincount(flat, weights=probability, minlength=len(sizes)) / sizes
        keep = (
            (sizes * grid.voxel_volume_ml >= self.smallest_lesion_ml)
            & (share >= self.least_inside)
            & (sure >= self.least_confidence)
        )
        keep[0] = False
        renumbered = np.where(keep, np.cumsum(keep), 0).astype(labels.dtype)
        confidence = {int(renumbered[n]): float(sure[n]) for n in np.flatnonzero(keep)}
        dropped = len(sizes) - 1 - len(confidence)
        logger.info("%s: %d lesions, %d spots dropped", series.key, len(confidence), dropped)
        return LabelMap(renumbered[labels], grid), confidence

    def networks(self) -> tuple[ModelCard, Network, Network]:
        """The card and both networks, read at the first call."""
        if self._loaded is None:
            from netseg.segment.cascade import Network

            card, tensors = load_weights(self.weights)
            device = pick_device(self.device)
            made = []
            for role in ("liver", "lesions"):
                entry = card.networks[role]
                module = build(entry.spec, role, tensors).to(device).eval()
                made.append(Network(card=entry, module=module, device=device, overlap=self.overlap))
            self._loaded = (card, made[0], made[1])
        return self._loaded


def pick_device(name: str) -> torch.device:
    """The torch device of a name.

    Raises:
        UsageError: If the name is unknown or the device is not there.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"device={name!r} is no device.",
            hint="Use auto, cpu, cuda or cuda:N.",
        ) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            Code.CONFIG_RANGE,
            f"device={name!r} was asked for; this machine has {torch.cuda.device_count()} CUDA "
            "devices.",
            hint="Use device=auto or device=cpu.",
        )
    return device


def build(spec: NetworkSpec, role: str, tensors: dict[str, np.ndarray]) -> torch.nn.Module:
    """The network of a role with its weights."""
    import torch

    from netseg.domain import EnvironmentFaultError

    network = spec.build()
    state = {
        name.removeprefix(f"{role}."): torch.from_numpy(np.array(values, dtype=np.float32))
        for name, values in tensors.items()
        if name.startswith(f"{role}.")
    }
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise EnvironmentFaultError(
            Code.ARCHITECTURE_MISMATCH,
            f"the weights do not fit the {role} network of their card.",
            hint="Use the weights together with the card they were exported with.",
        ) from error
    return network


def _notices(series: Series) -> tuple[Notice, ...]:
    if series.phase is not None:
        return ()
    return (
        Notice(
            code=Code.PHASE_UNKNOWN,
            message=f"{series.key} was segmented although no tag names its contrast phase; the "
            "networks were trained on portal venous scans.",
            hint="State it with --phase.",
        ),
    )
