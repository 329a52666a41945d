"""Segments inside a given liver: what the network is fed, how its answer returns, what is refused."""

import json

import numpy as np
import pytest
import torch

from netseg.domain import (
    Code,
    EnvironmentFaultError,
    Grid,
    LabelMap,
    Mask,
    Modality,
    ModelProvenance,
    MrSequence,
    Phase,
    Quantity,
    Segmentation,
    Series,
    Study,
    Volume,
)
from netseg.segment.couinaud import (
    SegmentsModel,
    built,
    choose_image,
    lesion_confidence,
    load_segments,
)
from netseg.segment.couinaud_card import SegmentsCard
from netseg.segment.couinaud_network import SEGMENTS, SegmentsSpec, network_input
from netseg.segment.couinaud_places import (
    SegmentProbability,
    name_voxels,
    patch_axes,
    shares_of,
)
from netseg.segment.sampling import Axis
from netseg.training.segments_export import export_segments

TINY = SegmentsSpec(filters=(4, 6, 8), patch=(24, 24, 24), spacing_mm=4.0)
SHAPE, SPACING_MM = (30, 26, 20), (3.0, 3.0, 4.0)


def grid(frame="1.2.3"):
    affine = np.diag((*SPACING_MM, 1.0))
    affine[:3, 3] = (-40.0, -35.0, 10.0)
    return Grid(shape=SHAPE, affine_lps=affine, frame_uid=frame)


def ball():
    """A liver: a ball of 32 mm radius in the middle of the grid."""
    at = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"), axis=-1)
    away = (at - 0.5 * (np.array(SHAPE) - 1)) * SPACING_MM
    return np.linalg.norm(away, axis=-1) < 32.0


def scan(on=None, modality=Modality.CT, **facts):
    on = on or grid()
    values = np.random.default_rng(3).normal(100.0, 20.0, on.shape).astype(np.float32)
    quantity = Quantity.HU if modality is Modality.CT else Quantity.ARBITRARY
    key = facts.pop("key", f"{modality}".lower())
    return Series(key=key, modality=modality, volume=Volume(values, on, quantity), **facts)


def segmented(liver=None, lesions=None, **more):
    liver = ball() if liver is None else liver
    lesions = np.zeros(SHAPE, np.uint8) if lesions is None else lesions
    return Segmentation(
        series_key="ct",
        liver=Mask(liver, grid()),
        lesions=LabelMap(lesions, grid()),
        provenance=ModelProvenance(backend="masks", name="given"),
        **more,
    )


@pytest.fixture
def weights(tmp_path):
    """Random weights of a tiny network, with their card."""
    torch.manual_seed(1)
    path = tmp_path / "segments.safetensors"
    export_segments(TINY.build(), TINY, path, name="tiny", powers=(2.0, 2.0), about={})
    return path


@pytest.fixture
def model(weights):
    return SegmentsModel(weights, "cpu", least_confidence=0.0)


def halves(count=20, spacing_mm=4.0):
    """A cube whose left half (larger i) is segment II for certain, the other half VI."""
    values = np.zeros((8, count, count, count), np.float32)
    values[5, : count // 2] = 1.0
    values[1, count // 2 :] = 1.0
    axis = Axis(count=count, spacing_mm=spacing_mm)
    return SegmentProbability(
        values=values, liver=np.ones((count,) * 3, bool), axes=(axis, axis, axis)
    )


# what the network is fed


def test_neither_unit_nor_offset_of_the_image_matters():
    image, liver = torch.randn(16, 16, 16), torch.zeros(16, 16, 16, dtype=torch.bool)
    liver[4:12, 4:12, 4:12] = True
    assert torch.allclose(
        network_input(image, liver), network_input(3.0 * image + 50.0, liver), atol=1e-4
    )


def test_positions_count_from_the_livers_centre_of_mass():
    liver = torch.zeros(16, 16, 16, dtype=torch.bool)
    liver[3:10, 5:12, 2:9] = True
    told = network_input(torch.randn(16, 16, 16), liver)
    assert told.shape == (5, 16, 16, 16)
    assert torch.allclose(told[2:, 6, 8, 5], torch.zeros(3), atol=1e-5)


def test_what_lies_more_than_four_voxels_from_the_liver_is_not_seen():
    image, liver = torch.randn(24, 24, 24), torch.zeros(24, 24, 24, dtype=torch.bool)
    liver[10:14, 10:14, 10:14] = True
    told = network_input(image, liver)[0]
    assert not told[:6].any()
    assert not told[18:].any()
    assert told[6].any()
    assert told[17].any()


def test_an_empty_liver_has_no_segments():
    with pytest.raises(ValueError, match="an empty liver has no segments"):
        network_input(torch.randn(8, 8, 8), torch.zeros(8, 8, 8, dtype=torch.bool))


# there and back


def test_a_liver_that_fits_is_looked_at_in_the_spacing_of_training():
    axes = tuple(Axis(count=n, spacing_mm=s) for n, s in zip(SHAPE, SPACING_MM, strict=True))
    patch = patch_axes(ball(), axes, TINY)
    assert {axis.spacing_mm for axis in patch} == {4.0}
    assert all(axis.count % TINY.multiple == 0 for axis in patch)
    middles = [axis.centres_mm.mean() for axis in patch]
    assert np.allclose(middles, [0.5 * (n - 1) * s for n, s in zip(SHAPE, SPACING_MM, strict=True)])


def test_a_liver_larger_than_the_patch_gets_larger_voxels():
    """57 voxels of 3 mm end to end: 168 mm, over 24 - 4 voxels 8.4 mm each."""
    axes = tuple(Axis(count=57, spacing_mm=3.0) for _ in range(3))
    patch = patch_axes(np.ones((57, 57, 57), bool), axes, TINY)
    assert {axis.count for axis in patch} == {24}
    assert patch[0].spacing_mm == pytest.approx(168 / 20)


def test_a_plane_between_two_segments_comes_back_where_it_was():
    """The plane lies at 38 mm, half-way between the coarse centres at 36 and 40 mm."""
    fine = tuple(Axis(count=76, spacing_mm=1.0) for _ in range(3))
    labels = name_voxels(halves(), np.ones((76, 76, 76), bool), fine)
    assert set(np.unique(labels[:38])) == {6}
    assert set(np.unique(labels[39:])) == {2}


def test_outside_the_liver_nothing_is_named():
    liver = np.zeros((76, 76, 76), bool)
    liver[20:50, 20:50, 20:50] = True
    fine = tuple(Axis(count=76, spacing_mm=1.0) for _ in range(3))
    labels = name_voxels(halves(), liver, fine)
    assert np.array_equal(labels > 0, liver)


def test_a_stray_part_joins_its_neighbours():
    found = halves()
    found.values[:, 3:5, 3:5, 3:5] = 0.0
    found.values[1, 3:5, 3:5, 3:5] = 1.0  # a bit of II deep inside VI
    coarse = found.axes
    labels = name_voxels(found, np.ones((20, 20, 20), bool), coarse)
    assert set(np.unique(labels[:10])) == {6}


def test_an_island_of_the_liver_itself_keeps_its_segment():
    """Nothing that it could join touches it."""
    found, liver = halves(), np.ones((20, 20, 20), bool)
    liver[12:16] = False
    labels = name_voxels(found, liver, found.axes)
    assert set(np.unique(labels[16:])) == {2}


def test_a_lesion_astride_a_plane_belongs_half_to_either_side():
    found, lesion = halves(), np.zeros((20, 20, 20), bool)
    lesion[8:12, 5:9, 5:9] = True
    shares = shares_of(found, lesion, found.axes)
    assert shares[[1, 5]] == pytest.approx((0.5, 0.5))


def test_a_lesion_smaller_than_a_voxel_of_the_patch_is_not_lost():
    lesion = np.zeros((76, 76, 76), bool)
    lesion[60, 30, 30] = True
    fine = tuple(Axis(count=76, spacing_mm=1.0) for _ in range(3))
    shares = shares_of(halves(), lesion, fine)
    assert shares[1] == pytest.approx(1.0)


def test_a_lesion_far_from_the_patch_is_refused():
    lesion = np.zeros((200, 8, 8), bool)
    lesion[190:] = True
    axes = (Axis(count=200, spacing_mm=1.0), *[Axis(count=8, spacing_mm=1.0)] * 2)
    with pytest.raises(ValueError, match="outside the patch"):
        shares_of(halves(), lesion, axes)


def test_confidence_is_a_power_of_the_mean_probability():
    """0.8 and 0.2 squared: 0.64 of 0.68; both lie in the left lobe, whose probability is 1."""
    card = SegmentsCard(
        name="t", sha256="", tensors={}, spec=TINY, segment_power=2.0, lobe_power=1.0
    )
    shares = np.zeros(8)
    shares[[2, 3]] = 0.8, 0.2
    segment, lobe = lesion_confidence(shares, 2, card)
    assert segment == pytest.approx(0.64 / 0.68, abs=1e-4)
    assert lobe == pytest.approx(1.0, abs=1e-4)


def test_a_lesion_between_iv_and_v_has_a_doubtful_lobe():
    card = SegmentsCard(name="t", sha256="", tensors={}, spec=TINY)
    shares = np.zeros(8)
    shares[[3, 4]] = 0.55, 0.45
    assert lesion_confidence(shares, 3, card) == pytest.approx((0.55, 0.55), abs=1e-3)


# added to a segmentation


def test_every_voxel_of_the_liver_and_no_other_gets_a_segment(model):
    lesions = np.zeros(SHAPE, np.uint8)
    lesions[14:17, 12:15, 9:11] = 1
    study = Study(case_id="a", series=(scan(),))
    found = model.add(study, segmented(lesions=lesions))
    assert np.array_equal(found.segments.labels > 0, ball())
    assert found.segments.names[4] == "IV"
    assert 0 < found.segment_confidence[1] <= 1
    assert 0 < found.lobe_confidence[1] <= 1
    assert found.warnings[0].code is Code.SEGMENTS_BY_NETWORK
    assert len(found.provenance.weights_sha256["segments"]) == 64


def test_a_point_of_the_patient_has_one_segment_however_the_scan_is_stored(model):
    """The same scan with its axes swapped and two of them turned round."""
    order, flipped = (2, 0, 1), (True, False, True)
    steps = tuple(slice(None, None, -1 if f else 1) for f in flipped)
    first = scan()
    straight = model.add(Study(case_id="a", series=(first,)), segmented())
    affine = np.eye(4)
    for new, old in enumerate(order):
        column = grid().affine_lps[:3, old]
        affine[:3, new] = -column if flipped[new] else column
    corner = [0, 0, 0]
    for new, old in enumerate(order):
        corner[old] = SHAPE[old] - 1 if flipped[new] else 0
    affine[:3, 3] = grid().to_mm(np.array(corner, float))
    on = Grid(shape=tuple(SHAPE[n] for n in order), affine_lps=affine, frame_uid="1.2.3")
    turned = Series(
        key="ct",
        modality=Modality.CT,
        volume=Volume(
            np.ascontiguousarray(first.volume.values.transpose(order)[steps]), on, Quantity.HU
        ),
    )
    other = model.add(
        Study(case_id="a", series=(turned,)),
        Segmentation(
            series_key="ct",
            liver=Mask(np.ascontiguousarray(ball().transpose(order)[steps]), on),
            lesions=LabelMap.empty(on),
            provenance=ModelProvenance(backend="masks", name="given"),
        ),
    )
    assert np.array_equal(straight.segments.labels.transpose(order)[steps], other.segments.labels)


def test_a_segment_map_that_came_along_wins(model):
    given = LabelMap(ball().astype(np.uint8), grid(), {1: "I"})
    found = segmented(segments=given)
    assert model.add(Study(case_id="a", series=(scan(),)), found) is found


@pytest.mark.parametrize(
    "series",
    [
        scan(modality=Modality.PT, tracer="ga68_dotatate"),
        scan(modality=Modality.MR, sequence=MrSequence.ADC),
        scan(modality=Modality.MR),
        scan(on=grid("9.9")),
    ],
    ids=["pet", "adc", "mr of unknown weighting", "another frame"],
)
def test_without_an_image_of_the_anatomy_the_segmentation_stays_as_it_was(model, series):
    found = segmented()
    assert model.add(Study(case_id="a", series=(series,)), found) is found


def test_a_network_that_is_not_sure_is_not_believed(weights):
    model = SegmentsModel(weights, "cpu", least_confidence=0.999)
    found = model.add(Study(case_id="a", series=(scan(),)), segmented())
    assert found.segments is None
    assert [w.code for w in found.warnings] == [Code.SEGMENTS_UNCERTAIN]


def test_a_doubtful_lobe_is_named(weights):
    lesions = np.zeros(SHAPE, np.uint8)
    lesions[14:17, 12:15, 9:11] = 1
    model = SegmentsModel(weights, "cpu", least_confidence=0.0, doubtful=1.1)
    found = model.add(Study(case_id="a", series=(scan(),)), segmented(lesions=lesions))
    assert found.warnings[-1].code is Code.SEGMENTS_UNCERTAIN
    assert "the lobe of lesion 1 is doubtful" in found.warnings[-1].message


def test_the_phase_with_the_clearest_veins_is_looked_at():
    liver = Mask(ball(), grid())
    phases = (Phase.NATIVE, Phase.LATE_ARTERIAL, Phase.PORTAL_VENOUS, Phase.DELAYED)
    series = tuple(scan(key=str(p), phase=p) for p in phases)
    assert choose_image(Study(case_id="a", series=series), liver).phase is Phase.PORTAL_VENOUS
    assert choose_image(Study(case_id="a", series=series[:2]), liver).phase is Phase.LATE_ARTERIAL


def test_an_image_that_shows_half_of_the_liver_is_not_looked_at():
    half = grid().crop((0, 0, 0), (15, 26, 20))
    liver = Mask(ball(), grid())
    assert choose_image(Study(case_id="a", series=(scan(on=half),)), liver) is None


# weights


def test_the_card_says_what_the_network_is(weights):
    card, tensors = load_segments(weights)
    assert card.spec == TINY
    assert (card.segment_power, card.lobe_power) == (2.0, 2.0)
    assert set(tensors) == set(card.tensors)


def test_each_tensor_is_stored_once_and_comes_back(weights):
    torch.manual_seed(1)
    network = TINY.build()
    card, tensors = load_segments(weights)
    stored = sum(a.size for a in tensors.values())
    assert stored == sum(p.numel() for p in network.parameters())
    for name, value in built(card, tensors).state_dict().items():
        assert torch.allclose(value, network.state_dict()[name], atol=1e-3), name


def test_one_changed_bit_is_noticed(weights):
    data = bytearray(weights.read_bytes())
    data[-3] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(EnvironmentFaultError, match=r"CORRUPT_CHECKPOINT: .*checksum"):
        load_segments(weights)


def test_weights_without_a_card_are_refused(weights):
    weights.with_suffix(".json").unlink()
    with pytest.raises(EnvironmentFaultError, match=r"WEIGHTS_MISSING: .*card .* not beside"):
        load_segments(weights)


def test_a_card_without_a_network_is_refused(weights):
    weights.with_suffix(".json").write_text('{"name": "x"}')
    with pytest.raises(EnvironmentFaultError, match="the model card cannot be read: KeyError"):
        load_segments(weights)


def test_weights_of_another_body_are_refused(weights, model):
    path = weights.with_suffix(".json")
    card = json.loads(path.read_text())
    card["network"]["filters"] = [4, 8, 12]
    path.write_text(json.dumps(card))
    with pytest.raises(EnvironmentFaultError, match="ARCHITECTURE_MISMATCH"):
        model.network()


def test_a_patch_that_the_levels_do_not_divide_is_refused():
    with pytest.raises(ValueError, match=r"multiples of 8; got 3\.0 and"):
        SegmentsSpec(patch=(90, 72, 72))
    with pytest.raises(ValueError, match="body is one of"):
        SegmentsSpec(body="transformer")


def test_a_power_of_zero_is_refused():
    with pytest.raises(ValueError, match="powers must be positive"):
        SegmentsCard(name="t", sha256="", tensors={}, spec=TINY, lobe_power=0.0)


def test_there_are_eight_segments():
    assert len(SEGMENTS) == 8


def test_the_shipped_weights_fit_their_card_and_stay_small():
    card, tensors = load_segments()
    assert card.spec.spacing_mm == 3.0
    assert sum(a.nbytes for a in tensors.values()) < 1_500_000
    assert {"training_data", "intended_use", "measured", "not_measured"} <= set(card.about)
