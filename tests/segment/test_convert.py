"""A converted network answers as the original does, or is not kept."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from netseg.domain import Code, EnvironmentFaultError, UsageError
from netseg.segment import convert as module
from netseg.segment.convert import convert

ONNX = all(importlib.util.find_spec(n) for n in ("onnx", "onnxscript", "onnxruntime"))


@pytest.mark.filterwarnings("ignore")  # of torch.export's own making
def test_torch_export_answers_as_the_original_without_netseg(tiny, tmp_path):
    made = convert("lesions", ["ct_portal"], tmp_path / "lesions.pt2", tiny)
    assert made.channels == ("ct_portal", "liver")
    assert made.largest_difference < 1e-5
    network = torch.export.load(made.file).module()
    found = network(torch.zeros((1, 2, *made.patch)))
    assert found.shape[0] == 1
    assert tuple(found.shape[2:]) == made.patch
    assert [f.name for f in tmp_path.iterdir() if f.suffix == ".pt2"] == ["lesions.pt2"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not ONNX, reason="the extra [onnx] is not installed")
def test_onnx_answers_as_the_original(tiny, tmp_path):
    made = convert("liver", ["ct_portal", "ct_arterial"], tmp_path / "liver.onnx", tiny)
    assert made.largest_difference < 1e-3


@pytest.mark.skipif(ONNX, reason="the extra [onnx] is installed")
def test_without_onnx_the_user_is_told_what_to_install(tiny, tmp_path):
    with pytest.raises(EnvironmentFaultError, match="ONNX needs onnx") as refused:
        convert("liver", ["ct_portal"], tmp_path / "liver.onnx", tiny)
    assert refused.value.notice.code is Code.PROGRAM_MISSING
    assert not (tmp_path / "liver.onnx").exists()


@pytest.mark.filterwarnings("ignore")
def test_a_network_that_answers_otherwise_is_not_kept(tiny, tmp_path, monkeypatch):
    read = module._read_pt2
    monkeypatch.setattr(
        module, "_read_pt2", lambda file: lambda x: read(file)(x) + np.float32(0.01)
    )
    with pytest.raises(UsageError, match=r"logits differ by 0\.01"):
        convert("liver", ["ct_portal"], tmp_path / "liver.pt2", tiny)
    assert not [f for f in tmp_path.iterdir() if f.suffix == ".pt2"]


@pytest.mark.parametrize(
    ("role", "channels", "name", "why"),
    [
        ("spleen", ["ct_portal"], "x.pt2", "role is liver or lesions"),
        ("liver", ["ct_portal"], "x.pth", r"x\.pth ends neither in \.pt2"),
        ("liver", ["ct_9"], "x.pt2", "the network reads"),
        ("liver", [], "x.pt2", "got none"),
    ],
)
def test_what_there_is_not_is_refused(tiny, tmp_path, role, channels, name, why):
    with pytest.raises(UsageError, match=why):
        convert(role, channels, tmp_path / name, tiny)
