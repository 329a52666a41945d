"""A tiny pair of networks with its card, as files."""

import pytest
import torch

from netseg.segment.card import NetworkCard
from netseg.segment.networks import NetworkSpec
from netseg.training.export import export

LIVER = NetworkSpec(in_channels=1, channels=(4, 8), res_units=0)
LESIONS = NetworkSpec(in_channels=3, channels=(4, 8), res_units=0)


def entry(spec, spacing_mm):
    return NetworkCard(spec=spec, spacing_mm=spacing_mm, patch=(16, 16, 16), threshold=0.5)


@pytest.fixture
def tiny(tmp_path):
    """Random weights with their card; `first_ct`'s shape in small."""
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    networks = {
        "liver": (LIVER.build(), entry(LIVER, 4.0)),
        "lesions": (LESIONS.build(), entry(LESIONS, 2.0)),
    }
    export(networks, path, name="tiny", about={"intended_use": "tests"})
    return path
