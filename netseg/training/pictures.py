"""Pictures of predictions: input, truth and answer side by side in one axial slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from jaxtyping import Float
    from matplotlib.axes import Axes

MOST_CHANNELS = 4
TRUTH, ANSWER = "#20c020", "#ff3030"


def montage(
    path: Path,
    *,
    image: Float[np.ndarray, "p i j k"],
    truth: Float[np.ndarray, "o i j k"],
    probability: Float[np.ndarray, "o i j k"],
    channels: Sequence[str],
    outputs: Sequence[str],
) -> None:
    """Write a PNG: one row per structure; the channels, the truth, the probability.

    Truth is outlined in green, the answer (probability of one half) in red. The slice is the axial
    one with the most truth, or the middle one where there is none. The patient's left is on the
    right, the front on top, as on a light box.

    Args:
        path: The picture; its folder is made.
        image: What the network was fed; the first four channels are shown.
        truth: Masks, by structure.
        probability: The answer, by structure.
        channels: Names of the images.
        outputs: Names of the structures.
    """
    from matplotlib.figure import Figure

    shown = list(channels)[:MOST_CHANNELS]
    figure = Figure(figsize=(2.4 * (len(shown) + 1), 2.6 * len(outputs)), layout="constrained")
    table = figure.subplots(len(outputs), len(shown) + 1, squeeze=False)
    for row, (name, mask, answer) in enumerate(zip(outputs, truth, probability, strict=True)):
        k = telling_slice(mask)
        for column, channel in enumerate(shown):
            axes = table[row, column]
            axes.imshow(image[column, :, :, k].T, cmap="gray", interpolation="nearest")
            _outline(axes, mask[:, :, k], TRUTH)
            _outline(axes, answer[:, :, k], ANSWER)
            axes.set_title(f"{channel}, k = {k}", fontsize=7)
        last = table[row, -1]
        last.imshow(answer[:, :, k].T, cmap="magma", vmin=0, vmax=1, interpolation="nearest")
        _outline(last, mask[:, :, k], TRUTH)
        last.set_title(f"{name}: probability", fontsize=7)
    for axes in table.flat:
        axes.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80, metadata={"Software": None})


def telling_slice(mask: Float[np.ndarray, "i j k"]) -> int:
    """The axial slice with the most of a structure; the middle one where there is none."""
    areas = (mask > 0.5).sum(axis=(0, 1))
    return int(areas.argmax()) if areas.any() else mask.shape[2] // 2


def _outline(axes: Axes, plane: Float[np.ndarray, "i j"], colour: str) -> None:
    if plane.min() < 0.5 <= plane.max():  # else there is no line, and matplotlib warns
        axes.contour(plane.T, levels=[0.5], colors=[colour], linewidths=0.8)
