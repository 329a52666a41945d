# pyright: standard
# (the types of matplotlib are partial)
"""Pictures of scores as PNG: the same scores give the same bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from netseg.evaluation.figures import SIZE_BINS_MM
from netseg.evaluation.lesions import Overlap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from netseg.evaluation.calibration import Calibration
    from netseg.evaluation.froc import Froc
    from netseg.evaluation.summary import SizeBin, Summary
    from netseg.evaluation.volume_agreement import VolumeAgreement

# Okabe & Ito: colours that colour-blind readers tell apart
COLOURS = ("#0072B2", "#D55E00", "#009E73")
STYLES = ("solid", "dashed", "dotted")  # lines that fall together stay visible
SHOWN_BINS = ("<5", "5-10", "10-20", ">20")
WORDS = {Overlap.ANY: "any overlap", Overlap.IOU_10: "IoU ≥ 0.1", Overlap.IOU_50: "IoU ≥ 0.5"}


def plots(summary: Summary) -> dict[str, bytes]:
    """All pictures that the scores allow, by file name."""
    made = {
        "recall_by_size.png": recall_by_size(summary.by_diameter_mm),
        "volume_agreement.png": bland_altman(summary.volume),
    }
    if summary.froc:
        made["froc.png"] = froc_plot(summary.froc)
    if summary.calibration:
        made["reliability.png"] = reliability(summary.calibration)
    return made


def recall_by_size(bins: Mapping[str, SizeBin]) -> bytes:
    """Share of lesions found per range of diameters, with intervals over patients."""
    figure, axes = _figure("Lesions found, by diameter", "diameter (mm)", "recall")
    shown = [name for name in SHOWN_BINS if name in SIZE_BINS_MM]
    for n, overlap in enumerate(Overlap):
        for place, name in enumerate(shown):
            one = bins[name].recall[overlap]
            if one.mean is None:
                continue
            low, high = one.ci95 or (one.mean, one.mean)
            axes.bar(
                place + 0.27 * (n - 1),
                one.mean,
                0.25,
                color=COLOURS[n],
                yerr=[[max(0.0, one.mean - low)], [max(0.0, high - one.mean)]],
                capsize=2,
                error_kw={"linewidth": 0.8},
            )
        axes.bar(0, 0, color=COLOURS[n], label=WORDS[overlap])
    axes.set_xticks(range(len(shown)), [f"{name}\nn = {bins[name].lesions}" for name in shown])
    axes.set_ylim(0, 1.05)
    axes.legend(frameon=False, fontsize=8)
    return _png(figure)


def froc_plot(curves: Mapping[Overlap, Froc]) -> bytes:
    """Sensitivity against false positives per case, as the confidence asked for falls."""
    figure, axes = _figure("FROC", "false positives per case", "sensitivity")
    for n, (overlap, curve) in enumerate(curves.items()):
        rates = [0.0, *(p.false_positives_per_case for p in curve.points)]
        found = [0.0, *(p.sensitivity for p in curve.points)]
        label = f"{WORDS[overlap]}: mean {curve.mean_sensitivity:.2f}"
        axes.step(rates, found, where="post", color=COLOURS[n], linestyle=STYLES[n], label=label)
    axes.set_ylim(0, 1.05)
    axes.set_xlim(left=0)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return _png(figure)


def reliability(told: Mapping[str, Calibration]) -> bytes:
    """Observed share of lesion against the probability promised; honest is on the diagonal."""
    figure, axes = _figure("Reliability of the lesion probability", "probability", "observed")
    axes.plot((0, 1), (0, 1), color="0.7", linewidth=0.8)
    for n, (name, one) in enumerate(told.items()):
        used = one.count > 0
        axes.plot(
            one.probability_sum[used] / one.count[used],
            one.truth_sum[used] / one.count[used],
            marker="o",
            markersize=3,
            linestyle=STYLES[n % len(STYLES)],
            color=COLOURS[n % len(COLOURS)],
            label=f"{name}: ECE {0.0 if one.ece is None else one.ece:.4f}",
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, fontsize=8)
    return _png(figure)


def bland_altman(volume: VolumeAgreement) -> bytes:
    """Error of the lesion volume against its size, with bias and limits of agreement."""
    figure, axes = _figure(
        "Lesion volume per case", "mean of both (ml)", "predicted less true (ml)"
    )
    means = [(t + p) / 2 for t, p in volume.pairs_ml]
    errors = [p - t for t, p in volume.pairs_ml]
    axes.scatter(means, errors, s=14, color=COLOURS[0])
    axes.axhline(volume.bias_ml, color="0.2", linewidth=1.0, label=f"bias {volume.bias_ml:.2f} ml")
    for n, limit in enumerate(volume.limits_ml or ()):
        axes.axhline(
            limit,
            color="0.5",
            linewidth=0.8,
            linestyle="dashed",
            label="limits of agreement" if n == 0 else None,
        )
    axes.legend(fontsize=8, framealpha=0.9, edgecolor="none")
    return _png(figure)


def _figure(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    """A white figure that draws into memory; no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()
