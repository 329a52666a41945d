"""A compiled network answers as the uncompiled one, and is called for where it pays only."""

import logging

import pytest
import torch

from netseg.segment import BuiltinBackend
from netseg.tensor.compiler import compiled, compiler_found


def bodies(**settings):
    _, liver, lesions = BuiltinBackend(device="cpu", **settings).networks()
    return [network.module.body for network in (liver, lesions)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_networks_are_compiled_where_asked_and_only_their_bodies(monkeypatch, caplog):
    monkeypatch.setattr("netseg.tensor.compiler.compiler_found", lambda: "g++")
    with caplog.at_level(logging.INFO, logger="netseg.tensor.compiler"):
        assert all(body._compiled_call_impl is not None for body in bodies(compiled=True))
    assert "compiled with g++" in caplog.text
    assert all(body._compiled_call_impl is None for body in bodies())


def test_without_a_compiler_they_run_uncompiled_and_say_so(monkeypatch, caplog):
    monkeypatch.setattr("netseg.tensor.compiler.compiler_found", lambda: None)
    assert all(body._compiled_call_impl is None for body in bodies(compiled=True))
    assert "runs uncompiled" in caplog.text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_shipped_network_answers_the_same():
    if compiler_found() is None:
        pytest.skip("no C++ compiler: nothing to compare")
    body = bodies()[0].float()
    x = torch.randn(1, 32, 32, 32, 32, generator=torch.manual_seed(1))
    with torch.inference_mode():
        before = body(x)
        after = compiled(body)(x)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)
    with torch.inference_mode():
        assert not torch.allclose(body(x + 1.0), before, rtol=1e-3, atol=1e-3)
