"""The built-in model: two small networks on whatever series a study has."""

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
    Quantity,
    Segmentation,
    StudyRejectedError,
    Volume,
)
from netseg.segment.blocks import returned_when_freed
from netseg.segment.channels import CHANNELS
from netseg.segment.device import pick_device
from netseg.segment.inputs import choose
from netseg.segment.listing import Listing, list_lesions
from netseg.segment.parameters import set_parameters
from netseg.segment.weights_file import load_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from netseg.domain import Study
    from netseg.segment.card import ModelCard
    from netseg.segment.cascade import Network, Probability
    from netseg.segment.inputs import Inputs
    from netseg.segment.networks import NetworkSpec
    from netseg.segment.subset import SubsetNetwork

logger = logging.getLogger(__name__)

USUAL = Listing()


class BuiltinBackend:
    """Liver and lesions by the networks that are shipped, or others of their kind.

    The weights are read once, when the first study comes.

    Attributes:
        weights: A safetensors file with its card beside it; None means those shipped.
        device: "auto", "cpu" or "cuda[:N]".
        channels: Read no others than these; None reads every series the networks know.
        overlap: Share of the patch edge that neighbouring patches have in common.
        passes: How often the lesion network looks; the second time it is given its own liver.
        mirrored: Average the lesion network's answers over mirrored patches: four times the work.
        margin_mm: How much around the liver the lesion network sees.
        reach_mm: How far outside the liver network's answer liver or lesion may reach.
        smallest_liver_ml: Less than this is no liver.
        lesion_threshold: Probability from which a voxel is lesion; None takes the card's.
        compiled: Compile the networks at the first study, a minute or two: for long batches.
        listing: Which spots are listed as lesions.
    """

    def __init__(
        self,
        weights: Path | None = None,
        device: str = "auto",
        *,
        channels: Sequence[str] | None = None,
        overlap: float = 0.5,
        mirrored: bool = False,
        passes: int = 2,
        margin_mm: float = 24.0,
        reach_mm: float = 12.0,
        smallest_liver_ml: float = 200.0,
        lesion_threshold: float | None = None,
        compiled: bool = False,
        listing: Listing = USUAL,
    ) -> None:
        unknown = [name for name in channels or () if name not in CHANNELS]
        if unknown:
            raise ValueError(
                f"channels are some of {', '.join(CHANNELS)}; got {', '.join(unknown)}."
            )
        self.weights = None if weights is None else Path(weights)
        self.device = device
        self.channels = channels
        self.overlap = overlap
        self.mirrored = mirrored
        self.passes = passes
        self.margin_mm = margin_mm
        self.reach_mm = reach_mm
        self.smallest_liver_ml = smallest_liver_ml
        self.lesion_threshold = lesion_threshold
        self.compiled = compiled
        self.listing = listing
        self._loaded: tuple[ModelCard, Network, Network] | None = None

    def segment(self, study: Study) -> Segmentation:
        """Liver and lesions on the study's best series.

        Args:
            study: Must hold a series that fills one of the networks' channels.

        Returns:
            Liver, lesion instances, calibrated probability of lesion, confidence and uncertainty of
            the boundary per lesion.

        Raises:
            StudyRejectedError: NO_USABLE_SERIES, NO_LIVER or NON_FINITE_OUTPUT.
            EnvironmentFaultError: If the weights cannot be used.
        """
        inputs = choose(study, self.channels)
        card, _, _ = self.networks()
        with returned_when_freed():
            liver, probability = self.find(inputs)
        listed = list_lesions(probability, liver, inputs.grid, self.threshold(), self.listing)
        key = inputs.series[inputs.reference].key
        logger.info("%s: %d lesions, %d dropped", key, len(listed.confidence), listed.dropped)
        return Segmentation(
            series_key=key,
            liver=Mask(liver | (listed.labels != 0), inputs.grid),
            lesions=LabelMap(listed.labels, inputs.grid),
            lesion_probability=Volume(probability, inputs.grid, Quantity.PROBABILITY),
            confidence=listed.confidence,
            boundary_sd_mm=listed.boundary_sd_mm,
            provenance=ModelProvenance(
                backend="builtin",
                name=card.name,
                weights_sha256={"liver": card.sha256, "lesions": card.sha256},
            ),
            warnings=inputs.notices,
        )

    def threshold(self) -> float:
        """Probability from which a voxel is lesion."""
        return self.lesion_threshold or self.networks()[2].card.threshold

    def find(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        """Liver and calibrated probability of lesion on the reference's own voxels.

        Raises:
            StudyRejectedError: NO_LIVER or NON_FINITE_OUTPUT.
        """
        from netseg.segment.cascade import find_lesions, find_liver, liver_box

        _, liver_net, lesion_net = self.networks()
        coarse = find_liver(inputs, liver_net)
        cut = liver_net.card.threshold
        self._require_liver(inputs, coarse, cut)
        axes = inputs.axes
        box = liver_box(coarse, cut, axes, self.margin_mm)
        i, j, k = (axis.part(s.start, s.stop - s.start) for axis, s in zip(axes, box, strict=True))
        lesion, again = find_lesions(inputs, (i, j, k), coarse, lesion_net, self.reach_mm)
        shape = tuple(axis.count for axis in axes)
        liver, probability = np.zeros(shape, bool), np.zeros(shape, np.float32)
        liver[box] = again.region((i, j, k), 0.5)
        for place, values in lesion.slabs((i, j, k)):
            probability[box][:, :, place] = values
        turn = inputs.turn
        return (
            np.ascontiguousarray(turn.turn_back(liver)),
            np.ascontiguousarray(turn.turn_back(probability)),
        )

    def _require_liver(self, inputs: Inputs, found: Probability, cut: float) -> None:
        voxel_mm3 = found.axes[0].spacing_mm ** 3
        volume_ml = float((found.values >= cut).sum()) * voxel_mm3 / 1000.0
        if volume_ml < self.smallest_liver_ml:
            raise StudyRejectedError(
                Code.NO_LIVER,
                f"{inputs.series[inputs.reference].key}: the network found {volume_ml:.0f} ml of "
                f"liver, less than the {self.smallest_liver_ml:.0f} ml of the smallest plausible "
                "one.",
                detail={"found_ml": round(volume_ml, 1), "least_ml": self.smallest_liver_ml},
                hint="Check that the scan covers the liver; give --liver and --lesions otherwise.",
            )

    def networks(self) -> tuple[ModelCard, Network, Network]:
        """The card and both networks, read at the first call."""
        if self._loaded is None:
            from netseg.segment.cascade import Network

            card, tensors = load_weights(self.weights)
            device = pick_device(self.device)
            made = [
                Network(
                    card=card.networks[role],
                    module=self._made(build(card.networks[role].spec, role, tensors), device),
                    device=device,
                    overlap=self.overlap,
                    mirrored=self.mirrored and role == "lesions",
                    passes=self.passes if role == "lesions" else 1,
                )
                for role in ("liver", "lesions")
            ]
            self._loaded = (card, made[0], made[1])
        return self._loaded

    def _made(self, network: SubsetNetwork, device: torch.device) -> SubsetNetwork:
        """On its device; of the body alone a compiled form is made: the stem's channels vary."""
        from netseg.segment.streaming import prepared
        from netseg.tensor.compiler import compiled

        prepared(network, device)
        if self.compiled:
            compiled(network.body)
        return network


def build(spec: NetworkSpec, role: str, tensors: dict[str, np.ndarray]) -> SubsetNetwork:
    """The network of a role with its weights, ready to predict."""
    import torch

    network = spec.build()
    own = {n.removeprefix(f"{role}."): v for n, v in tensors.items() if n.startswith(f"{role}.")}
    set_parameters(network, own, role)
    network.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]
    return network.eval()
