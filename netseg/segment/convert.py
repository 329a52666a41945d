"""netseg's networks as files that need neither netseg nor MONAI: torch.export and ONNX.

What is written is read again and held against the original on random patches before it is kept.
"""

from __future__ import annotations

import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netseg.domain import Code, EnvironmentFaultError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

logger = logging.getLogger(__name__)

ENDINGS = (".pt2", ".onnx")
MOST_DIFFERENCE = {".pt2": 1e-4, ".onnx": 1e-3}
"""Of logits in fp32: the same arithmetic, and another implementation of it."""
SEED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A network that was written and answered as the original does.

    Attributes:
        file: What was written.
        channels: What it is fed, in this order.
        patch: Voxels of a patch.
        largest_difference: Of the logits, over the trial patches.
    """

    file: Path
    channels: tuple[str, ...]
    patch: tuple[int, int, int]
    largest_difference: float


def convert(
    role: str, channels: Sequence[str], file: str | Path, weights: Path | None = None
) -> Converted:
    """Write one network for one settled subset of channels.

    Args:
        role: "liver" or "lesions".
        channels: Any of its channels; the lesion network also reads "liver", which is added.
        file: Its ending says the format: .pt2 (torch.export) or .onnx.
        weights: A safetensors file with its card; None means those shipped.

    Returns:
        What was written. Its input is "image" (1, channels, i, j, k) of the card's patch, its
        output "logits" (1, structures, i, j, k).

    Raises:
        UsageError: If role, channel or ending is unknown, or the written network answers
            differently.
        EnvironmentFaultError: If the weights cannot be used, or ONNX is asked for and not
            installed.
    """
    import torch

    from netseg.segment.builtin import build
    from netseg.segment.networks import LIVER_GIVEN
    from netseg.segment.weights_file import load_weights

    file = Path(file)
    if file.suffix not in ENDINGS:
        raise UsageError(
            Code.CONFIG_RANGE, f"{file.name} ends neither in {' nor in '.join(ENDINGS)}."
        )
    card, tensors = load_weights(weights)
    if role not in card.networks:
        raise UsageError(Code.CONFIG_RANGE, f"role is {' or '.join(card.networks)}; got {role!r}.")
    entry = card.networks[role]
    extra = (LIVER_GIVEN,) if LIVER_GIVEN in entry.spec.inputs else ()
    names = (*(c for c in channels if c != LIVER_GIVEN), *extra)
    try:
        network = build(entry.spec, role, tensors).on(names).eval()
    except ValueError as error:
        raise UsageError(Code.CONFIG_RANGE, str(error)) from error
    generator = torch.Generator().manual_seed(SEED)
    shape = (1, len(names), *entry.patch)
    trials = [torch.randn(shape, generator=generator) for _ in range(2)]
    write, read = (_write_onnx, _read_onnx) if file.suffix == ".onnx" else (_write_pt2, _read_pt2)
    part = file.with_name(f".{file.stem}.part{file.suffix}")
    try:
        write(network, trials[0], part)
        difference = _difference(network, read(part), trials)
        if not difference <= MOST_DIFFERENCE[file.suffix]:
            raise UsageError(
                Code.CONFIG_RANGE,
                f"the written network's logits differ by {difference:.2g} from the original's; at "
                f"most {MOST_DIFFERENCE[file.suffix]:g} is expected.",
                hint="Use another version of torch, or the other format.",
            )
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    logger.info("%s: logits differ by at most %.2g", file.name, difference)
    return Converted(file=file, channels=names, patch=entry.patch, largest_difference=difference)


def _difference(
    network: torch.nn.Module,
    written: Callable[[torch.Tensor], np.ndarray],
    trials: Sequence[torch.Tensor],
) -> float:
    import torch

    with torch.inference_mode():
        return max(float(np.abs(network(t).numpy() - written(t)).max()) for t in trials)


def _write_pt2(network: torch.nn.Module, example: torch.Tensor, file: Path) -> None:
    import torch

    with torch.no_grad():
        torch.export.save(torch.export.export(network, (example,)), file)


def _read_pt2(file: Path) -> Callable[[torch.Tensor], np.ndarray]:
    import torch

    module = torch.export.load(file).module()
    return lambda image: module(image).detach().numpy()


def _write_onnx(network: torch.nn.Module, example: torch.Tensor, file: Path) -> None:
    import torch

    _require_onnx()
    with torch.no_grad():
        torch.onnx.export(
            network,
            (example,),
            file,
            input_names=["image"],
            output_names=["logits"],
            dynamo=True,
            external_data=False,
        )


def _read_onnx(file: Path) -> Callable[[torch.Tensor], np.ndarray]:
    import onnxruntime  # pyright: ignore[reportMissingImports]

    session: Any = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image.numpy()})[0]


def _require_onnx() -> None:
    missing = [
        name for name in ("onnx", "onnxscript", "onnxruntime") if not importlib.util.find_spec(name)
    ]
    if missing:
        raise EnvironmentFaultError(
            Code.PROGRAM_MISSING,
            f"ONNX needs {', '.join(missing)}, which netseg does not bring by itself.",
            hint='Install the extra: pip install "netseg-liver[onnx]". A .pt2 needs nothing more.',
        )
