"""Train the network that outlines ablation zones, on one thread of a CPU.

python experiments/zone_segmentation/train_zone.py --work FOLDER             # about 15 minutes of CPU time
python experiments/zone_segmentation/train_zone.py --work FOLDER --export netseg/verify/weights/zone

Stopped and started again it goes on from its last checkpoint.
"""

import argparse
import copy
import hashlib
import json
import logging
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from netseg.phantom import LesionPrior, Tissue, make_phantom
from netseg.phantom.ablated_patches import PatchPrior, Scenery, draw_patch
from netseg.phantom.ct import PHASES, clean_hu, draw_contrast
from netseg.phantom.texture import cloud
from netseg.verify.zone_network import ZoneNetworkSpec, network_input
from netseg.verify.zone_weights import ZoneCard

HERE = Path(__file__).parent
DATA = Path(os.environ.get("NETSEG_DATA") or HERE.parents[2] / "shared" / "data")
LIVERS = ("05", "07", "14")  # without visible lesions; 11 and 20 are kept for measuring
PHANTOMS, FIRST_PHANTOM = 24, 1000
REAL_SHARE = 0.35
SIZES, SIZE_SHARES = (48, 56, 64, 80), (0.35, 0.3, 0.25, 0.1)
RATE, WARM, DECAY, AVERAGE = 1.5e-3, 60, 1e-4, 0.995
KEPT = 96  # patches that are shown again, mirrored
AROUND_MM = 45.0
LEAST_VOXELS = 150  # half a millilitre of zone
logger = logging.getLogger("train_zone")


def sceneries(folder):
    """Phantoms of four phases, and real livers where the data folder has them; kept in a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    real = []
    made = [
        kept(folder / f"phantom{number}.npz", lambda n=number: phantom_scenery(n))
        for number in range(PHANTOMS)
    ]
    for name in LIVERS:
        path = DATA / "ct_liver_roi_train" / f"ircad{name}_ct_liveronly.nii.gz"
        if path.is_file():
            real.append(kept(folder / f"ircad{name}.npz", lambda p=path: liver_scenery(p)))
    logger.info("%d phantoms, %d real livers", len(made), len(real))
    return made, real


def kept(path, make):
    if not path.is_file():
        found = make()
        values = {"hu": found.hu.astype(np.int16), "liver": found.liver, "vessels": found.vessels}
        np.savez_compressed(path, **values)
    with np.load(path) as file:
        return Scenery(
            hu=file["hu"].astype(np.float32), liver=file["liver"], vessels=file["vessels"]
        )


def phantom_scenery(number):
    """A phantom's liver and what lies around it, half of them with lesions that nobody treated."""
    seed = FIRST_PHANTOM + number
    rng = np.random.default_rng(seed)
    phantom = make_phantom(
        seed, spacing_mm=(1.5, 1.5, 1.5), lesions=LesionPrior() if number % 2 else None
    )
    phase = PHASES[2] if rng.random() < 0.6 else PHASES[rng.integers(len(PHASES))]
    hu = clean_hu(phantom, phase, draw_contrast(rng), rng)
    wide = (Tissue.PORTAL_VEIN, Tissue.HEPATIC_VEIN)
    lumens = np.isin(phantom.tissues.labels, wide) & phantom.liver.inside
    return around(hu, phantom.liver.inside, lumens)


def around(hu, liver, vessels):
    """The part of a picture around its liver."""
    places = np.argwhere(liver)
    room = round(AROUND_MM / 1.5)
    low = np.maximum(places.min(axis=0) - room, 0)
    box = tuple(slice(a, b) for a, b in zip(low, places.max(axis=0) + room + 1, strict=True))
    return Scenery(hu=hu[box].astype(np.float32), liver=liver[box], vessels=vessels[box])


def liver_scenery(path):
    """A real liver in surroundings that are made up, its vessels by their brightness."""
    import nibabel

    scan = np.asarray(nibabel.load(path).dataobj, np.float32)
    liver = np.asarray(nibabel.load(str(path).replace("ct_liveronly", "liver")).dataobj) > 0
    room = round(AROUND_MM / 1.5)
    scan, liver = (
        np.pad(a, room, mode="edge") if a is scan else np.pad(a, room) for a in (scan, liver)
    )
    rng = np.random.default_rng(int(path.name[5:7]))
    hu = surroundings(scan.shape, rng)
    hu[liver] = scan[liver]
    calm = ndimage.gaussian_filter(scan, 0.8)
    vessels = liver & (calm > np.median(scan[liver]) + 22.0)
    return Scenery(hu=hu, liver=liver, vessels=ndimage.binary_opening(vessels))


def surroundings(shape, rng):
    """Fat with muscle, organs, bone, fluid and lung in it, by chance."""
    hu = np.full(shape, -98.0, np.float32)
    for tissue, size, above in ((62.0, 40.0, 0.2), (110.0, 30.0, 1.0), (12.0, 25.0, 1.3), (300.0, 18.0, 1.7), (-850.0, 60.0, 0.9)):  # fmt: skip
        hu[cloud(shape, (1.5,) * 3, size, rng) > above] = tissue
    return ndimage.gaussian_filter(hu, 0.5)


def sample(made, real, seed, step, size=None):
    """Input and target of one step; the same numbers give the same patch."""
    rng = np.random.default_rng((seed, step))
    pool = real if real and rng.random() < REAL_SHARE else made
    edge = size or int(rng.choice(SIZES, p=SIZE_SHARES))
    while True:
        patch = draw_patch(pool[rng.integers(len(pool))], edge, rng, PatchPrior())
        sees_liver = np.count_nonzero(patch.liver & ~patch.lesion) > 1000
        if sees_liver and not 0 < patch.share.sum() < LEAST_VOXELS:
            break
    stretch = float(np.exp(rng.normal(0.0, 0.25)))
    x = network_input(
        patch.hu, patch.liver, patch.lesion, patch.planned, is_hu=bool(rng.random() < 0.75)
    )
    x[0] *= stretch
    return x, torch.from_numpy(patch.share)[None]


def mirrored(pair, rng):
    """The same patch, mirrored and turned about its slices' axis."""
    axes = [a for a in (1, 2, 3) if rng.random() < 0.5]
    swap = rng.random() < 0.5
    return tuple(torch.flip(t.transpose(1, 2) if swap else t, axes).contiguous() for t in pair)


def loss_of(logits, share):
    """Cross entropy with the share of dead tissue, and one minus the Dice of shares."""
    entropy = functional.binary_cross_entropy_with_logits(logits, share)
    p = torch.sigmoid(logits)
    dice = (2 * (p * share).sum() + 50.0) / (p.sum() + share.sum() + 50.0)
    return 4.0 * entropy + 0.5 * (1.0 - dice), float(dice.detach())


def train(words):
    torch.manual_seed(words.seed)
    made, real = sceneries(words.work / "sceneries")
    network = ZoneNetworkSpec().build()
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    checkpoint, step, cpu = words.work / "last.pt", 0, 0.0
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, cpu = state["step"], state["cpu_s"]
        logger.info("goes on at step %d", step)
    shown, recent, began = [], [], time.process_time() - cpu
    while step < words.steps:
        rng = np.random.default_rng((words.seed, 1, step))
        if step % 2 and shown:
            pair = mirrored(shown[rng.integers(len(shown))], rng)
        else:
            pair = sample(made, real, words.seed, step)
            shown = [*shown[-KEPT:], pair]
        done = step / words.steps
        rate = RATE * min(1.0, (step + 1) / WARM) * 0.5 * (1.0 + math.cos(math.pi * done))
        for group in optimiser.param_groups:
            group["lr"] = max(rate, 1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(pair[0][None])
        loss, dice = loss_of(logits.float(), pair[1][None])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            keep = min(AVERAGE, step / (step + 20))
            for mean, own in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(own, 1.0 - keep)
        recent = [*recent[-49:], (float(loss.detach()), dice)]
        if step % 50 == 0:
            spent = time.process_time() - began
            logger.info(
                "step %d loss %.4f dice %.3f cpu %.0f s", step, *np.mean(recent, axis=0), spent
            )
        if step % 100 == 0 or step == words.steps:
            state = {"network": network.state_dict(), "average": average.state_dict(),
                     "optimiser": optimiser.state_dict(), "step": step, "cpu_s": time.process_time() - began}  # fmt: skip
            torch.save(state, words.work / "new.pt")
            (words.work / "new.pt").replace(checkpoint)
    return average


def temperature_of(network, made, real, number=48):
    """The divisor of the logits that makes probabilities right on patches never trained on."""
    pairs = []
    for step in range(number):
        x, share = sample(made, real, 77, step, 64)
        with torch.inference_mode():
            pairs.append((network(x[None])[0].flatten()[::7], share.flatten()[::7]))
    logits, shares = (torch.cat(part) for part in zip(*pairs, strict=True))
    tried = [0.7 + 0.05 * n for n in range(47)]
    entropy = [
        float(functional.binary_cross_entropy_with_logits(logits / t, shares)) for t in tried
    ]
    return round(tried[int(np.argmin(entropy))], 2), round(min(entropy), 5)


def export(network, words):
    """Weights of two bytes each, and their card."""
    from safetensors.torch import save

    small = {name: tensor.to(torch.bfloat16) for name, tensor in network.state_dict().items()}
    network.load_state_dict({name: tensor.float() for name, tensor in small.items()})
    made, real = sceneries(words.work / "sceneries")
    temperature, entropy = temperature_of(network.eval(), made, real)
    data = save(small)
    card = ZoneCard(
        name="zone_unet",
        sha256=hashlib.sha256(data).hexdigest(),
        spec=ZoneNetworkSpec(),
        temperature=temperature,
        sd_gain=words.sd[0],
        sd_floor_mm=words.sd[1],
        about=about(words, len(real), entropy),
    )
    words.export.parent.mkdir(parents=True, exist_ok=True)
    words.export.with_suffix(".safetensors").write_bytes(data)
    text = json.dumps(card.to_document(), indent=1, ensure_ascii=False) + "\n"
    words.export.with_suffix(".json").write_text(text, encoding="utf-8")
    logger.info("temperature %.2f, %d bytes", temperature, len(data))


def about(words, real, entropy):
    return {
        "training_data": f"{PHANTOMS} procedural abdomens of netseg.phantom and {real} livers of "
        f"3D-IRCADb-01 (cases {', '.join(LIVERS)}), into which zones, lesions, rims, gas and needles were painted; "
        "no scan of an ablated patient",
        "intended_use": "outline of an ablation zone in a control scan, as a proposal that a physician checks; research only",
        "limits": "never trained nor scored on a real ablation zone; lesion as dark as the zone is taken for zone",
        "licence": "research only; non-commercial where livers of 3D-IRCADb-01 (CC BY-NC-ND) took part",
        "steps": words.steps,
        "calibration": {"patches": 48, "cross_entropy": entropy},
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--work", type=Path, required=True, help="folder of sceneries and checkpoint"
    )
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--export", type=Path, metavar="NAME", help="write NAME.safetensors and NAME.json"
    )
    parser.add_argument(
        "--sd",
        type=float,
        nargs=2,
        default=(1.0, 0.4),
        metavar=("GAIN", "FLOOR"),
        help="as measure.py --calibrate says",
    )
    words = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    network = train(words)
    if words.export:
        export(network, words)


if __name__ == "__main__":
    main()
