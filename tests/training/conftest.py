"""A toy problem that a tiny network learns in seconds: a bright sphere in noise."""

import pytest
import torch

from netseg.segment.networks import NetworkSpec
from netseg.training.sample import Sample
from netseg.training.tasks import generator_of

TINY = NetworkSpec(inputs=("ct_portal", "pet_sstr"), body="unet", filters=(8, 16), stride=1)


def sphere(step):
    """Input and truth: a sphere of chance place and size, 1.5 above noise of 0.5."""
    generator = generator_of(7, step)
    centre = 6.0 + 4.0 * torch.rand(3, generator=generator)
    radius = 3.0 + 2.0 * float(torch.rand((), generator=generator))
    at = torch.stack(torch.meshgrid(*[torch.arange(16.0)] * 3, indexing="ij"), dim=-1)
    truth = ((at - centre).norm(dim=-1) < radius).float()
    image = 1.5 * truth + 0.5 * torch.randn((16, 16, 16), generator=generator)
    everywhere = torch.ones((1, 16, 16, 16))
    return Sample(image[None], torch.tensor([0]), truth[None], everywhere)


class Recorded:
    """Keeps every figure it is told."""

    def __init__(self):
        self.losses = {}

    def params(self, values):
        """Not asked here."""

    def metrics(self, values, step):
        """Keep the loss of a step."""
        self.losses[step] = values["loss"]

    def artifact(self, path, folder=""):
        """Not asked here."""

    def close(self):
        """Nothing is held back."""


@pytest.fixture
def recorded():
    return Recorded()


@pytest.fixture
def toy():
    """The tiny network and the toy problem."""
    return TINY, sphere
