"""A group norm with one channel per group is an instance norm that keeps the memory layout."""

import copy

import pytest
import torch
from torch import nn

from netseg.segment import norms
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


@pytest.mark.parametrize("layout", [torch.channels_last_3d, torch.contiguous_format])
def test_the_gradient_is_that_of_differences(layout, monkeypatch):
    monkeypatch.setattr(norms, "PIECE", 20)  # pieces of ten voxels, the last one of seven
    norm = norms.ChannelNorm(2, 2).double()
    x = torch.randn(2, 2, 3, 3, 3, dtype=torch.float64, generator=torch.manual_seed(1))
    x = x.contiguous(memory_format=layout).requires_grad_()
    weight = torch.tensor([1.5, -0.7], dtype=torch.float64, requires_grad=True)
    bias = torch.tensor([0.1, 0.2], dtype=torch.float64, requires_grad=True)

    def normed(x, weight, bias):
        return torch.func.functional_call(norm, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(normed, (x, weight, bias))


def test_a_trained_network_gets_the_gradient_of_instance_norms():
    torch.manual_seed(2)
    usual = nn.Sequential(nn.Conv3d(1, 8, 3), nn.InstanceNorm3d(8, affine=True), nn.Conv3d(8, 1, 3))
    kept = keep_layout(copy.deepcopy(usual)).to(memory_format=torch.channels_last_3d)
    x = torch.randn(1, 1, 12, 12, 12)
    for network in (usual, kept):
        network(x.contiguous(memory_format=torch.channels_last_3d)).square().sum().backward()
    for a, b in zip(usual.parameters(), kept.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-4)


def test_no_gradient_goes_through_a_gradient():
    x = torch.randn(1, 2, 3, 3, 3, requires_grad=True)
    (slope,) = torch.autograd.grad(norms.ChannelNorm(2, 2)(x).pow(3).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()
