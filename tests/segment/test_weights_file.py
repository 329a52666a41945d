"""Which weights files are refused, and that each refusal says which."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load, save

from netseg.domain import EnvironmentFaultError
from netseg.segment import check_weights, load_weights


def rewrite(path, tensors):
    """Other tensors under a card that knows their checksum."""
    data = save(tensors)
    path.write_bytes(data)
    card = path.with_suffix(".json")
    document = json.loads(card.read_text()) | {"sha256": hashlib.sha256(data).hexdigest()}
    card.write_text(json.dumps(document))


def test_weights_that_fit_their_card_are_read_as_stored(tiny):
    card, tensors = load_weights(tiny)
    assert card.name == "tiny"
    assert set(tensors) == set(card.tensors)
    assert card.networks["lesions"].spacing_mm == 2.0


def test_a_file_that_is_not_there_is_missing(tmp_path):
    with pytest.raises(EnvironmentFaultError, match=r"WEIGHTS_MISSING: .*no weights file"):
        check_weights(tmp_path / "none.safetensors")


def test_weights_without_their_card_are_refused(tiny):
    tiny.with_suffix(".json").unlink()
    with pytest.raises(EnvironmentFaultError, match=r"WEIGHTS_MISSING: .*card .* not beside"):
        check_weights(tiny)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "CORRUPT_CHECKPOINT: .*the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        (b"<!DOCTYPE html><html>404</html>", "a web page, not a weights file"),
        (b"PK\x03\x04archive/data.pkl", "UNSAFE_CHECKPOINT: .*only safetensors"),
        (b"\x80\x02pickle", "UNSAFE_CHECKPOINT"),
    ],
)
def test_what_is_no_weights_file_is_refused_by_name(tiny, content, told):
    tiny.write_bytes(content)
    with pytest.raises(EnvironmentFaultError, match=told):
        check_weights(tiny)


def test_a_pytorch_checkpoint_is_not_even_opened(tiny):
    path = tiny.rename(tiny.with_suffix(".pt"))
    with pytest.raises(EnvironmentFaultError, match="UNSAFE_CHECKPOINT"):
        check_weights(path)


def test_a_file_that_was_cut_off_is_refused(tiny):
    tiny.write_bytes(tiny.read_bytes()[:-100])
    with pytest.raises(EnvironmentFaultError, match=r"CORRUPT_CHECKPOINT: .*safetensors"):
        check_weights(tiny)


def test_one_changed_bit_breaks_the_checksum(tiny):
    data = bytearray(tiny.read_bytes())
    data[-3] ^= 1
    tiny.write_bytes(bytes(data))
    with pytest.raises(EnvironmentFaultError, match=r"CORRUPT_CHECKPOINT: .*checksum"):
        check_weights(tiny)


def test_weights_that_hold_nan_are_refused(tiny):
    tensors = {name: np.array(a) for name, a in load(tiny.read_bytes()).items()}
    first = next(iter(tensors))
    tensors[first].ravel()[0] = np.nan
    rewrite(tiny, tensors)
    with pytest.raises(EnvironmentFaultError, match=r"NON_FINITE_WEIGHTS: .*1 tensors hold NaN"):
        check_weights(tiny)


def test_weights_of_another_network_are_refused(tiny):
    tensors = dict(load(tiny.read_bytes()))
    name = next(n for n in tensors if n.endswith("weight"))
    tensors[name] = np.zeros((1, *tensors[name].shape), np.float16)
    rewrite(tiny, tensors)
    with pytest.raises(EnvironmentFaultError, match=r"ARCHITECTURE_MISMATCH: .*1 of another shape"):
        check_weights(tiny)


def test_a_card_that_is_no_card_is_refused(tiny):
    tiny.with_suffix(".json").write_text('{"name": "x"}')
    with pytest.raises(EnvironmentFaultError, match="the model card cannot be read: KeyError"):
        check_weights(tiny)


def test_the_shipped_weights_fit_their_card():
    card = check_weights()
    assert card.networks["liver"].spacing_mm == 3.0
    assert card.networks["lesions"].spacing_mm == 1.5
    assert {"training_data", "intended_use", "measured", "not_measured"} <= set(card.about)


def test_weights_are_checked_without_torch(tiny):
    """`netseg validate --weights` must answer on a machine that has no torch."""
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['monai'] = None\n"
        "from pathlib import Path; from netseg.segment import check_weights\n"
        f"print(check_weights(Path({str(tiny)!r})).name)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "tiny"
