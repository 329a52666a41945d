"""A group norm with one channel per group is an instance norm that keeps the memory layout."""

import pytest
import torch
from torch import nn

from netseg.segment.networks import NetworkSpec
from netseg.segment.norms import keep_layout
from netseg.segment.streaming import prepared


def image(channels=4):
    return torch.randn(2, channels, 6, 7, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("affine", [True, False])
def test_the_answer_is_that_of_the_instance_norm(affine):
    norm = nn.InstanceNorm3d(4, eps=1e-3, affine=affine)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    expected = norm(image())
    same = keep_layout(nn.Sequential(norm))
    torch.testing.assert_close(same(image()), expected, rtol=1e-5, atol=1e-5)
    other = nn.GroupNorm(2, 4)(image())  # two channels in a group are another function
    assert (other - expected).abs().max() > 0.01


def test_channels_stay_last_where_the_instance_norm_puts_them_first():
    last = image().contiguous(memory_format=torch.channels_last_3d)
    assert keep_layout(nn.Sequential(nn.InstanceNorm3d(4)))(last).is_contiguous(
        memory_format=torch.channels_last_3d
    )
    assert not nn.InstanceNorm3d(4)(last).is_contiguous(memory_format=torch.channels_last_3d)


def test_weights_keep_their_names_and_are_the_same_objects():
    network = nn.Sequential(nn.Conv3d(1, 4, 3), nn.InstanceNorm3d(4, affine=True))
    before = dict(network.named_parameters())
    after = dict(keep_layout(network).named_parameters())
    assert list(before) == list(after)
    assert all(after[name] is value for name, value in before.items())


def test_a_norm_with_kept_statistics_is_left_alone():
    kept = nn.Sequential(nn.InstanceNorm3d(4, track_running_stats=True))
    assert isinstance(keep_layout(kept)[0], nn.InstanceNorm3d)


def test_no_network_of_ours_holds_an_instance_norm():
    network = NetworkSpec(inputs=("ct_portal",), filters=(8, 16, 32)).build()
    assert not [m for m in network.modules() if isinstance(m, nn.InstanceNorm3d)]
    assert [m for m in network.modules() if isinstance(m, nn.GroupNorm)]


def test_rounding_convolutions_once_changes_nothing(monkeypatch):
    monkeypatch.setattr("netseg.segment.streaming.runs_bf16", lambda _: True)
    network = nn.Sequential(nn.Conv3d(4, 4, 3), nn.InstanceNorm3d(4, affine=True)).eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        before = network(image())
        after = prepared(network, torch.device("cpu"))(image())
    assert network[0].weight.dtype == torch.bfloat16
    assert network[1].weight.dtype == torch.float32
    torch.testing.assert_close(after, before, rtol=0.0, atol=0.0)
