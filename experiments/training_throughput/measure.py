"""Steps per second of netseg's training against a plain MONAI loop: same network, patch and data.

    python experiments/training_throughput/measure.py [--steps 30] [--output FILE]

Both train the lesion network of `configs/training/lesions_1p5mm.yaml` on LiTS-like crops (random
volumes of the same size stand in where the real ones are absent: time does not depend on values).
The plain loop is what MONAI's spleen tutorial does: CacheDataset, RandCropByPosNegLabel, RandAffine,
intensity shifts and noise, fp32, AdamW. Warm-up steps are not counted. Rows alternate so that a busy
neighbour hits both.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from monai.data import CacheDataset, DataLoader
from monai.losses import DiceCELoss
from monai.transforms import (
    Compose,
    RandAffined,
    RandCropByPosNegLabeld,
    RandGaussianNoised,
    RandScaleIntensityd,
    RandShiftIntensityd,
)

from netseg.segment.channels import CHANNELS
from netseg.segment.networks import LIVER_GIVEN, NetworkSpec
from netseg.segment.windows import runs_bf16
from netseg.training.module import VoxelClassifier
from netseg.training.patches import RealPatches
from netseg.training.scenes import LESION, LIVER, PORTAL, Scene
from netseg.training.tasks import LesionTask, Mixture
from netseg.training.warp import Warp

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPE, PATCH = (170, 150, 120), (80, 80, 80)
INPUTS = (*CHANNELS, LIVER_GIVEN)
SPEC = NetworkSpec(inputs=INPUTS, outputs=("lesion", "liver"), filters=(32, 64, 96, 128))


def scene() -> Scene:
    generator = torch.Generator().manual_seed(1)
    hu = 100.0 + 20.0 * torch.randn(SHAPE, generator=generator)
    labels = torch.zeros(SHAPE, dtype=torch.uint8)
    labels[30:140, 30:120, 20:100] = LIVER
    labels[70:90, 60:80, 50:70] = LESION
    return Scene(name="block", images={PORTAL: hu}, labels=labels, spacing_mm=1.5, clean=True)


def netseg_steps(*, bf16: bool) -> Callable[[int], None]:
    """One optimizer step of netseg's module on netseg's patches."""
    real = RealPatches(scenes=[scene()], weights=[1.0], warp=Warp(patch=PATCH, mirror=True))
    task = LesionTask(inputs=INPUTS, patches=Mixture(real=real), seed=1, patch=PATCH)
    module = VoxelClassifier(
        SPEC,
        learning_rate=1e-3,
        warmup_steps=10,
        total_steps=1000,
        cosine_steps=1000,
        cooldown_steps=0,
        raised=(0, 1.0),
        cycle_ends=(),
        average_decay=0.998,
    )
    optimizer = torch.optim.AdamW(module.network.parameters(), lr=1e-3)
    module.log = lambda *_, **__: None  # type: ignore[method-assign]

    def step(number: int) -> None:
        batch = type(task(0))(*(part[None] for part in task(number)))
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = module.training_step(batch, number)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.network.parameters(), 12.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def plain_steps() -> Callable[[int], None]:
    """One optimizer step of the tutorial's loop, fp32, on MONAI's transforms."""
    one = scene()
    data = [{"image": one.hu[None], "label": (one.labels == LESION)[None].float()}]
    keys = ["image", "label"]
    transform = Compose(
        [
            RandCropByPosNegLabeld(keys, "label", PATCH, pos=1, neg=1, num_samples=1),
            RandAffined(
                keys,
                prob=1.0,
                rotate_range=(0.2, 0.2, 0.2),
                scale_range=(0.2, 0.2, 0.2),
                mode=("bilinear", "nearest"),
                padding_mode="border",
            ),
            RandScaleIntensityd("image", 0.15, prob=1.0),
            RandShiftIntensityd("image", 15.0, prob=1.0),
            RandGaussianNoised("image", prob=0.7, std=8.0),
        ]
    )
    loader = DataLoader(CacheDataset(data, transform, progress=False), batch_size=1)
    network = SPEC.build()
    given = network.numbers((PORTAL,))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    loss_of = DiceCELoss(sigmoid=True)

    def step(number: int) -> None:
        del number
        for batch in loader:
            logits = network(batch["image"].as_tensor(), given)[:, :1]
            loss_of(logits, batch["label"].as_tensor()).backward()
            optimizer.step()
            optimizer.zero_grad()

    return step


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--output", type=Path)
    words = parser.parse_args()
    rows = {"plain MONAI loop, fp32": plain_steps(), "netseg, fp32": netseg_steps(bf16=False)}
    if runs_bf16(torch.device("cpu")):
        rows["netseg, bf16"] = netseg_steps(bf16=True)
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    for number in range(words.steps + 3):
        for name, step in rows.items():
            start = time.perf_counter()
            step(number)
            if number >= 3:
                seconds[name].append(time.perf_counter() - start)
    median = {name: sorted(values)[len(values) // 2] for name, values in seconds.items()}
    base = median["plain MONAI loop, fp32"]
    answer = {
        "threads": torch.get_num_threads(),
        "cpu": platform.processor() or platform.machine(),
        "isa": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "steps": words.steps,
        "median_seconds_per_step": {name: round(value, 3) for name, value in median.items()},
        "times_as_fast_as_plain": {name: round(base / value, 2) for name, value in median.items()},
    }
    print(json.dumps(answer, indent=1))
    if words.output:
        words.output.write_text(json.dumps(answer, indent=1) + "\n")


if __name__ == "__main__":
    main()
