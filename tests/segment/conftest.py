"""A tiny pair of networks with its card, as files."""

import pytest
import torch

from netseg.segment.card import NetworkCard
from netseg.segment.channels import CHANNELS
from netseg.segment.networks import LIVER_GIVEN, NetworkSpec
from netseg.training.export import export

LIVER = NetworkSpec(outputs=("liver",), body="unet", filters=(4, 8))
LESIONS = NetworkSpec(
    inputs=(*CHANNELS, LIVER_GIVEN), outputs=("lesion", "liver"), body="unet", filters=(4, 8)
)


def entry(spec, spacing_mm):
    return NetworkCard(spec=spec, spacing_mm=spacing_mm, patch=(16, 16, 16), threshold=0.5)


@pytest.fixture
def tiny(tmp_path):
    """Random weights with their card; the shipped model's shape in small."""
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    networks = {
        "liver": (LIVER.build(), entry(LIVER, 4.0)),
        "lesions": (LESIONS.build(), entry(LESIONS, 2.0)),
    }
    export(networks, path, name="tiny", about={"intended_use": "tests"})
    return path
