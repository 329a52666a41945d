"""Curves and pictures of a training."""

from types import SimpleNamespace
from typing import NamedTuple

import matplotlib.image
import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from netseg.training.callbacks import Curves, PredictionPictures
from netseg.training.pictures import montage, telling_slice


class Sample(NamedTuple):
    """As the trainer is handed it."""

    image: torch.Tensor
    given: torch.Tensor
    truth: torch.Tensor
    weight: torch.Tensor


class Kept:
    """Keeps figures, and the names of files."""

    def __init__(self):
        self.figures, self.files = {}, []

    def metrics(self, values, step):
        """Keep figures."""
        self.figures[step] = values

    def artifact(self, path, folder=""):
        """Keep a name; the file must be there."""
        assert path.is_file()
        self.files.append(f"{folder}/{path.name}")


class Threshold(torch.nn.Module):
    """Logits are a multiple of the first given channel."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(0.1))

    def forward(self, x, given):
        """Logits of one output."""
        assert given.ndim == 1
        return self.scale * x[:, :1]


class Toy(pl.LightningModule):
    """A module of one weight, with what the pictures ask for."""

    def __init__(self):
        super().__init__()
        self.network, self.averaged = Threshold(), Threshold()
        self.spec = SimpleNamespace(inputs=("ct_native", "ct_portal"), outputs=("lesion",))

    def training_step(self, batch, index):
        """Chance is part of the step, so that whoever draws from it in between is found out."""
        del index
        image, given, truth, _ = batch
        noise = 0.1 * torch.randn_like(image)
        return (torch.sigmoid(self.network(image + noise, given[0])) - truth).square().mean()

    def configure_optimizers(self):
        """Plain descent."""
        return torch.optim.SGD(self.parameters(), lr=1.0)


def sample(number):
    generator = torch.Generator().manual_seed(number)
    image = torch.randn((1, 8, 8, 4), generator=generator)
    truth = (image > 0.5).float()
    return Sample(image, torch.tensor([1]), truth, torch.ones_like(truth))


def train(*callbacks, steps=8):
    torch.manual_seed(3)
    module = Toy()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=steps // 4,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader([sample(i) for i in range(4)]))
    return module


pytestmark = pytest.mark.filterwarnings(
    "ignore:The 'train_dataloader' does not have many workers",  # samples are made in this process
    "ignore:.*LeafSpec.*",  # Lightning still asks torch for a class by its old name
    "ignore:The number of training batches",  # of a toy
)


def test_a_curve_has_the_mean_of_its_steps():
    kept, every = Kept(), Kept()
    train(Curves(kept, every=4), Curves(every, every=1))
    assert sorted(kept.figures) == [4, 8]
    losses = [every.figures[step]["loss"] for step in (1, 2, 3, 4)]
    assert kept.figures[4]["loss"] == pytest.approx(sum(losses) / 4, rel=1e-6)
    assert kept.figures[8]["learning_rate"] == 1.0
    assert kept.figures[8]["seconds_per_step"] > 0


def test_every_checkpoint_has_its_picture(tmp_path):
    kept = Kept()
    train(PredictionPictures(kept, tmp_path, samples=lambda: {"a": sample(50), "b": sample(51)}))
    assert kept.files == [
        f"pictures/{name}_step{step:07d}.png" for step in (4, 8) for name in ("a", "b")
    ]


def test_without_samples_the_one_seen_last_is_shown_at_every_second_checkpoint(tmp_path):
    kept = Kept()
    train(PredictionPictures(kept, tmp_path, every=2), steps=16)
    assert kept.files == [
        "pictures/seen_last_step0000008.png",
        "pictures/seen_last_step0000016.png",
    ]


def test_a_run_with_pictures_ends_with_the_weights_of_one_without(tmp_path):
    shown = train(PredictionPictures(Kept(), tmp_path), Curves(Kept(), every=1))
    assert torch.equal(shown.network.scale, train().network.scale)


def test_only_the_first_process_writes(tmp_path):
    kept, other = Kept(), SimpleNamespace(is_global_zero=False)
    for callback in (Curves(kept), PredictionPictures(kept, tmp_path)):
        callback.on_train_batch_end(other, None, None, None, 0)
    PredictionPictures(kept, tmp_path).on_train_epoch_end(other, None)
    assert not kept.figures
    assert not kept.files


def test_the_slice_with_the_most_truth_is_shown():
    mask = np.zeros((6, 6, 5))
    assert telling_slice(mask) == 2
    mask[1, 1, 0] = mask[1:3, 1, 4] = 1.0
    assert telling_slice(mask) == 4


def test_the_patients_left_is_on_the_right_and_the_front_on_top(tmp_path):
    """LPS: i grows towards the left, j towards the back; one bright voxel at the left front."""
    image = np.zeros((1, 9, 9, 3))
    image[0, 7, 1, 1] = 1.0
    nothing = np.zeros((1, 9, 9, 3))
    path = tmp_path / "montage.png"
    names = {"channels": ["ct_portal"], "outputs": ["lesion"]}
    montage(path, image=image, truth=nothing, probability=nothing, **names)
    picture = matplotlib.image.imread(path)[..., :3].min(axis=2)
    panel = picture[30:, : picture.shape[1] // 2]
    black = np.argwhere(panel < 0.1)
    (top, left), (bottom, right) = black.min(0), black.max(0)
    inside = panel[top : bottom + 1, left : right + 1]
    row, column = np.argwhere(inside > 0.9).mean(axis=0) / inside.shape
    assert row < 0.3
    assert column > 0.7


def test_truth_is_green_and_the_answer_red(tmp_path):
    truth, answer = np.zeros((1, 20, 20, 3)), np.zeros((1, 20, 20, 3))
    truth[0, 3:9, 3:9], answer[0, 12:17, 12:17] = 1.0, 1.0
    path = tmp_path / "montage.png"
    names = {"channels": ["ct_portal"], "outputs": ["lesion"]}
    montage(path, image=np.zeros((1, 20, 20, 3)), truth=truth, probability=answer, **names)
    red, green, blue = np.moveaxis(matplotlib.image.imread(path)[..., :3], 2, 0)
    half = red.shape[1] // 2
    assert ((green > red + 0.4) & (green > blue + 0.4))[:, :half].sum() > 50
    assert ((red > green + 0.4) & (red > blue + 0.4))[:, :half].sum() > 50
