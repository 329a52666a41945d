"""Somebody else's network: used exactly as described, or refused by name."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from netseg.domain import (
    Code,
    EnvironmentFaultError,
    Grid,
    Modality,
    NetsegError,
    Quantity,
    Series,
    Study,
    StudyRejectedError,
    UsageError,
    Volume,
)
from netseg.domain.study import Phase
from netseg.segment.bundle import BundleBackend
from netseg.segment.monai_networks import NETWORKS, make_network

ARGUMENTS = {
    "spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [4, 8], "strides": [2],
    "norm": "BATCH",
}  # fmt: skip
DOCUMENT = {
    "schema_version": "1",
    "name": "their liver net",
    "network": {"name": "UNet", "arguments": ARGUMENTS},
    "inputs": [{"channel": "ct", "intensity": {"kind": "window", "low": -100, "high": 300}}],
    "orientation": "RAS",
    "spacing_mm": [2.0, 3.0, 4.0],
    "patch": [16, 12, 8],
    "labels": {"liver": 1, "lesion": 2},
}


def written(folder, document=DOCUMENT, state=None, ending=".yaml"):
    """The network's weights, random but fixed, with a description beside them."""
    torch.manual_seed(4)
    network = make_network("UNet", ARGUMENTS)
    for name, values in network.state_dict().items():
        if "weight" in name and values.ndim == 5:
            values.mul_(4.0)  # decided answers
    file = folder / "theirs.safetensors"
    save_file(network.state_dict() if state is None else state, file)
    file.with_suffix(ending).write_text(json.dumps(document))
    return file


def study(values=None, directions=None, modality=Modality.CT):
    """One patch of theirs, 16 x 12 x 8 voxels of 2 x 3 x 4 mm along L, P, S unless turned."""
    if values is None:
        values = np.random.default_rng(5).integers(-200, 400, (16, 12, 8)).astype(np.int16)
    affine = np.eye(4)
    affine[:3, :3] = np.diag([2.0, 3.0, 4.0]) if directions is None else directions
    grid = Grid(values.shape, affine, "1.2")
    quantity = Quantity.HU if modality is Modality.CT else Quantity.ARBITRARY
    series = Series(
        key="ct",
        modality=modality,
        volume=Volume(values, grid, quantity),
        phase=Phase.PORTAL_VENOUS,
    )
    return Study(case_id="case", series=(series,))


def backend(file, **more):
    return BundleBackend(file, "cpu", smallest_liver_ml=0.0, **more)


def changed(path, value):
    """The document with one value changed; None takes the key away."""
    document = copy.deepcopy(DOCUMENT)
    *way, last = path
    inner = document
    for key in way:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return document


def by_hand(file, values):
    """Their network on the scan turned to R, A, S, by MONAI and numpy alone; classes per voxel."""
    from safetensors.torch import load_file

    network = make_network("UNet", ARGUMENTS).eval()
    network.load_state_dict(load_file(file))
    scaled = (np.clip(values[::-1, ::-1].astype(np.float32), -100, 300) + 100) / 400
    with torch.inference_mode():
        likely = torch.softmax(network(torch.from_numpy(scaled.copy())[None, None])[0], 0)
    return likely.numpy()[:, ::-1, ::-1]


@pytest.fixture
def fp32(monkeypatch):
    """Where the processor would compute in bf16, numbers agree to 1 % only."""
    monkeypatch.setattr("netseg.segment.streaming.runs_bf16", lambda _: False)


@pytest.mark.usefixtures("fp32")
def test_the_answer_is_the_network_s_own_turned_back(tmp_path):
    file = written(tmp_path)
    values = study().series[0].volume.values
    likely = by_hand(file, values)
    found = backend(file).segment(study())
    assert set(np.unique(likely.argmax(0))) == {0, 1, 2}
    probability = found.lesion_probability.values
    assert np.abs(probability - likely[2])[likely.argmax(0) != 2].max() < 1e-5
    assert np.array_equal(probability >= 0.5, likely.argmax(0) == 2)
    assert found.provenance.name == "their liver net"
    assert len(found.provenance.weights_sha256["lesions"]) == 64


@pytest.mark.usefixtures("fp32")
def test_a_scan_stored_in_another_order_gets_the_same_answer(tmp_path):
    """The same voxels with the axes S, R, A: nothing is interpolated, so nothing may change."""
    file = written(tmp_path)
    values = study().series[0].volume.values
    turned = values.transpose(2, 0, 1)[:, ::-1, ::-1]
    directions = np.array([[0, -2.0, 0], [0, 0, -3.0], [4.0, 0, 0]])
    one = backend(file).segment(study())
    other = backend(file).segment(study(np.ascontiguousarray(turned), directions))
    back = other.lesion_probability.values[:, ::-1, ::-1].transpose(1, 2, 0)
    assert np.abs(back - one.lesion_probability.values).max() < 1e-6


@pytest.mark.usefixtures("fp32")
def test_sigmoid_channels_stand_by_themselves(tmp_path):
    document = {**DOCUMENT, "output": "sigmoid", "threshold": 0.7}
    found = backend(written(tmp_path, document)).segment(study())
    united = found.liver.inside
    assert np.all(united[found.lesions.labels != 0])
    assert found.lesion_probability.values.max() <= 1.0


def test_a_network_without_a_liver_leaves_it_unknown(tmp_path):
    document = changed(("labels", "liver"), None)
    assert backend(written(tmp_path, document, ending=".json")).segment(study()).liver is None


def test_too_little_liver_is_no_liver(tmp_path):
    with pytest.raises(StudyRejectedError, match=r"found \d+ ml of liver, less than the 200 ml"):
        BundleBackend(written(tmp_path), "cpu").segment(study())


DOCUMENTS = {
    "network": (changed(("network", "name"), "SegResnet"), Code.NETWORK_UNKNOWN,
                "no network 'SegResnet'.*Did you mean SegResNet"),
    "argument": (changed(("network", "arguments"), {**ARGUMENTS, "chanels": [4]}),
                 Code.CONFIG_UNKNOWN_KEY, "no argument 'chanels'.*Did you mean channels"),
    "value": (changed(("network", "arguments"), {**ARGUMENTS, "channels": [4]}),
              Code.CONFIG_RANGE, "UNet cannot be built"),
    "target": ({**DOCUMENT, "_target_": "os.system"}, Code.UNSAFE_CONFIG, "never evaluated"),
    "inner target": (changed(("network", "arguments"), {**ARGUMENTS, "act": {"_target_": "x"}}),
                     Code.CONFIG_RANGE, "object of a MONAI bundle"),
    "expression": (changed(("network", "arguments"), {**ARGUMENTS, "act": "$__import__('os')"}),
                   Code.CONFIG_RANGE, "an expression of a MONAI bundle"),
    "key": ({**DOCUMENT, "spacings": [1]}, Code.CONFIG_UNKNOWN_KEY, "unknown key 'spacings'"),
    "missing": (changed(("labels", "lesion"), None), Code.CONFIG_RANGE, "labels lacks lesion"),
    "label": (changed(("labels", "lesion"), 3), Code.LABEL_UNKNOWN,
              "answers with 3 channels .* labels name channel 3"),
    "same label": (changed(("labels", "lesion"), 1), Code.CONFIG_RANGE, "lesion and liver apart"),
    "patch": (changed(("patch",), [15, 12, 8]), Code.LABEL_UNKNOWN, "the patch is 15x12x8"),
    "orientation": (changed(("orientation",), "RAL"), Code.CONFIG_RANGE, "three letters"),
    "spacing": (changed(("spacing_mm",), [1, 1, 0]), Code.CONFIG_RANGE, "three positive numbers"),
    "channels": ({**DOCUMENT, "inputs": DOCUMENT["inputs"] * 2}, Code.CONFIG_RANGE,
                 "cannot take 2 channels"),
    "window": (changed(("inputs",), [{"channel": "ct", "intensity": {"kind": "window"}}]),
               Code.CONFIG_RANGE, "needs low and high"),
    "scale": (changed(("inputs",), [{"channel": "ct", "intensity": {"kind": "log"}}]),
              Code.CONFIG_RANGE, "window, normalise or per_image"),
    "channel": (changed(("inputs",), [{"channel": "xray", "intensity": {"kind": "per_image"}}]),
                Code.CONFIG_RANGE, "'xray' is no channel"),
    "no mapping": ([1, 2], Code.CONFIG_TYPE, "must be a mapping"),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_description_that_cannot_be_used_is_refused_by_name(tmp_path, name):
    document, code, why = DOCUMENTS[name]
    with pytest.raises(UsageError, match=f"(?s){why}") as refused:
        backend(written(tmp_path, document)).segment(study())
    assert refused.value.notice.code is code


@pytest.mark.parametrize(
    "text", ["a: &x [1]\nb: *x\n", "name: !!python/object:os.x {}", "{{", "\xff"]
)
def test_text_that_is_no_plain_yaml_is_refused(tmp_path, text):
    file = written(tmp_path)
    file.with_suffix(".yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=r"aliases|plain values"):
        backend(file).segment(study())


def other_state():
    return make_network("UNet", {**ARGUMENTS, "channels": [4, 16]}).state_dict()


def nan_state():
    state = {k: v.clone() for k, v in make_network("UNet", ARGUMENTS).state_dict().items()}
    next(iter(state.values())).view(-1)[0] = float("nan")
    return state


@pytest.mark.parametrize(
    ("state", "code"),
    [(other_state, Code.ARCHITECTURE_MISMATCH), (nan_state, Code.NON_FINITE_WEIGHTS)],
)
def test_weights_that_do_not_fit_or_hold_nan_are_refused(tmp_path, state, code):
    with pytest.raises(EnvironmentFaultError) as refused:
        backend(written(tmp_path, state=state())).segment(study())
    assert refused.value.notice.code is code


def test_weights_of_another_checksum_are_refused(tmp_path):
    with pytest.raises(EnvironmentFaultError, match="checksum"):
        backend(written(tmp_path, {**DOCUMENT, "sha256": "0" * 64})).segment(study())


def test_a_pickled_checkpoint_is_refused_unopened(tmp_path):
    file = written(tmp_path)
    pickled = file.with_suffix(".pt")
    torch.save({"x": torch.zeros(1)}, pickled)
    with pytest.raises(EnvironmentFaultError) as refused:
        backend(pickled).segment(study())
    assert refused.value.notice.code is Code.UNSAFE_CHECKPOINT
    file.write_bytes(pickled.read_bytes())  # under the right name it is no better
    with pytest.raises(EnvironmentFaultError) as refused:
        backend(file).segment(study())
    assert refused.value.notice.code is Code.UNSAFE_CHECKPOINT


def test_without_weights_or_description_the_user_is_told(tmp_path):
    with pytest.raises(UsageError, match="--weights"):
        BundleBackend()
    (tmp_path / "alone.safetensors").write_bytes(b"x")
    with pytest.raises(EnvironmentFaultError, match=r"no alone\.yaml or alone\.yml or alone\.json"):
        backend(tmp_path / "alone.safetensors").segment(study())


def test_a_study_without_the_network_s_channel_is_refused(tmp_path):
    with pytest.raises(NetsegError, match="NO_USABLE_SERIES"):
        backend(written(tmp_path)).segment(study(modality=Modality.MR))


SMALL = {
    "AttentionUnet": {"channels": [4, 8], "strides": [2], "spatial_dims": 3},
    "BasicUNet": {"features": [4, 4, 8, 8, 8, 4]},
    "DynUNet": {"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2],
                "spatial_dims": 3},
    "MedNeXt": {"init_filters": 4, "blocks_down": [1], "blocks_up": [1],
                "encoder_expansion_ratio": [2], "decoder_expansion_ratio": [2], "kernel_size": 3},
    "SegResNet": {"init_filters": 8},
    "SegResNetDS": {"init_filters": 8, "dsdepth": 2},
    "UNet": {"channels": [4, 8], "strides": [2], "spatial_dims": 3},
    "VNet": {},
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_the_table_is_built_and_answers_for_its_patch(name):
    with torch.device("meta"):
        network = make_network(name, {"in_channels": 1, "out_channels": 2, **SMALL[name]}).eval()
        found = network(torch.zeros((1, 1, 32, 32, 32)))
    found = found[0] if isinstance(found, (list, tuple)) else found
    assert tuple(found.shape) == (1, 2, 32, 32, 32)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_network_is_compiled_where_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("netseg.tensor.compiler.compiler_found", lambda: "g++")
    file = written(tmp_path)
    assert backend(file, compiled=True).network().module._compiled_call_impl is not None
    assert backend(file).network().module._compiled_call_impl is None
