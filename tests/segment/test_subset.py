"""A network on any subset of its channels: what is absent takes part in nothing."""

import itertools

import pytest
import torch

from netseg.segment.bodies import BODIES
from netseg.segment.channels import CHANNELS, channel_of
from netseg.segment.networks import LIVER_GIVEN, NetworkSpec
from netseg.segment.parameters import parameters_of

THREE = ("ct_portal", "mr_t2", "pet_sstr")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(4)
    return NetworkSpec(inputs=THREE, outputs=("lesion", "liver"), filters=(4, 8, 16)).build().eval()


def logits(network, names, image):
    with torch.no_grad():
        return network(image, network.numbers(names))


def test_every_subset_gives_every_output_at_every_voxel(network):
    subsets = [s for n in (1, 2, 3) for s in itertools.combinations(THREE, n)]
    assert len(subsets) == 7  # 2^3 - 1
    for names in subsets:
        found = logits(network, names, torch.randn(1, len(names), 16, 16, 16))
        assert found.shape == (1, 2, 16, 16, 16)
        assert bool(torch.isfinite(found).all())


def test_a_missing_channel_is_not_an_image_of_zeros(network):
    image = torch.randn(1, 1, 16, 16, 16)
    alone = logits(network, ("ct_portal",), image)
    with_zeros = logits(
        network, ("ct_portal", "pet_sstr"), torch.cat((image, torch.zeros_like(image)), 1)
    )
    assert float((alone - with_zeros).abs().max()) > 1e-3


def test_the_order_of_the_given_channels_does_not_matter(network):
    image = torch.randn(1, 2, 16, 16, 16)
    one = logits(network, ("ct_portal", "mr_t2"), image)
    other = logits(network, ("mr_t2", "ct_portal"), image.flip(1))
    assert torch.allclose(one, other, atol=1e-4)


def test_which_channel_an_image_is_matters(network):
    image = torch.randn(1, 1, 16, 16, 16)
    portal, pet = (logits(network, (name,), image) for name in ("ct_portal", "pet_sstr"))
    assert float((portal - pet).abs().max()) > 1e-3


def test_a_fixed_subset_is_the_network_itself(network):
    image = torch.randn(1, 2, 16, 16, 16)
    with torch.no_grad():
        fixed = network.on(("ct_portal", "mr_t2"))(image)
    assert torch.equal(fixed, logits(network, ("ct_portal", "mr_t2"), image))


@pytest.mark.parametrize("names", [("ct_native",), ()])
def test_a_channel_the_network_does_not_know_is_refused(network, names):
    with pytest.raises(ValueError, match="the network reads ct_portal, mr_t2, pet_sstr; got"):
        network.on(names)


@pytest.mark.parametrize("body", sorted(BODIES))
@pytest.mark.parametrize("stride", [1, 2])
def test_every_body_answers_at_every_voxel(body, stride):
    spec = NetworkSpec(inputs=THREE, body=body, filters=(8, 16, 32), stride=stride)
    made = spec.build().eval()
    edge = 4 * spec.multiple
    assert logits(made, THREE, torch.randn(1, 3, *[edge] * 3)).shape == (1, 1, *[edge] * 3)


def test_rare_structures_begin_unlikely():
    """Lesions fill two voxels in a hundred: logit -4 is a probability of 1.8 %."""
    torch.manual_seed(0)
    made = NetworkSpec(outputs=("lesion", "liver"), filters=(4, 8, 16)).build().eval()
    found = logits(made, ("ct_portal",), torch.randn(1, 1, 16, 16, 16))
    assert float(found[0, 0].mean()) == pytest.approx(-4.0, abs=1.5)
    assert float(found[0, 1].mean()) == pytest.approx(0.0, abs=1.0)


def test_weights_are_listed_once_although_the_body_names_them_often():
    made = NetworkSpec(filters=(4, 8, 16)).build()
    assert len(made.state_dict()) > len(parameters_of(made))
    assert sum(v.numel() for v in parameters_of(made).values()) == sum(
        p.numel() for p in made.parameters()
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"inputs": ("ct_late",)}, "inputs are distinct names of ct_native"),
        ({"inputs": ("mr_t2", "mr_t2")}, "inputs are distinct names"),
        ({"body": "resnet"}, "body is one of dynunet, mednext, segresnet_ds, unet; got 'resnet'"),
        ({"stride": 4}, "a stride of 1 or 2"),
        ({"filters": (8,)}, "two levels"),
        ({"outputs": ()}, "needs outputs"),
    ],
)
def test_an_impossible_network_is_refused(changes, told):
    with pytest.raises(ValueError, match=told):
        NetworkSpec(**changes)


def test_a_body_of_too_few_levels_says_so():
    with pytest.raises(ValueError, match=r"three levels or more; got \(8, 16\)"):
        NetworkSpec(filters=(8, 16)).build()


def test_a_body_that_doubles_its_features_says_so():
    with pytest.raises(ValueError, match=r"doubles its features per level: \(8, 16, 32\)"):
        NetworkSpec(body="segresnet_ds", filters=(8, 16, 24)).build()


def test_the_given_liver_is_no_channel_of_a_study():
    assert LIVER_GIVEN not in CHANNELS
    assert callable(channel_of)
