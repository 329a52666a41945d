"""Models in the registry: plain files, a signature, aliases, and a checksum that is checked."""

import json

import pytest
import yaml

from netseg.domain import EnvironmentFaultError, UsageError
from netseg.segment import check_weights
from netseg.segment.weights_file import SHIPPED
from netseg.tracking import MlflowTracker, fetch_model, promote
from netseg.tracking.records import ModelRecord, TensorRecord
from netseg.tracking.store import open_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader"),  # MLflow's way with SQLAlchemy
]


@pytest.fixture
def registered(store, model):
    """A store with a run that registered the model."""
    tracker = MlflowTracker(store)
    tracker.model(model)
    tracker.close()
    return store


def kept(store, name):
    """The one file of a name below the store's artifacts."""
    (path,) = (store / "artifacts").rglob(name)
    return path


def test_a_new_model_is_the_candidate_with_its_hashes(registered, model):
    version = open_store(registered).get_model_version_by_alias("toy", "candidate")
    assert version.version == 1
    assert version.tags["netseg.sha256"] == model.sha256
    assert version.tags["netseg.config_sha256"] == model.tags["netseg.config_sha256"]


def test_the_registry_knows_what_the_model_reads_and_gives(registered, mlflow):
    """The signature is MLflow's own; the flavour is one that no loader of MLflow opens."""
    described = mlflow.models.Model.load(str(kept(registered, "MLmodel")))
    (reads,) = described.signature.inputs.inputs
    (gives,) = described.signature.outputs.inputs
    assert (reads.name, reads.shape) == ("image", (-1, 3, -1, -1, -1))
    assert (gives.name, gives.shape) == ("logits", (-1, 1, -1, -1, -1))
    assert list(described.flavors) == ["netseg"]
    document = yaml.safe_load(kept(registered, "MLmodel").read_text())
    assert document["flavors"]["netseg"]["inputs"][0]["channels"] == ["a", "b", "c"]


def test_mlflow_itself_opens_no_model_of_ours(registered, mlflow):
    """There is nothing to unpickle."""
    folder = kept(registered, "MLmodel").parent
    assert sorted(path.name for path in folder.iterdir()) == [
        "MLmodel",
        "toy.json",
        "toy.safetensors",
    ]
    with pytest.raises(mlflow.MlflowException, match="python_function"):
        mlflow.pyfunc.load_model(str(folder))


def test_the_same_weights_are_registered_once(registered, model):
    tracker = MlflowTracker(registered)
    tracker.model(model)
    tracker.close()
    assert len(open_store(registered).search_model_versions("name = 'toy'")) == 1


def test_the_candidate_becomes_the_champion(registered, model):
    assert promote("toy", registered) == 1
    assert fetch_model("toy", root=registered).read_bytes() == model.weights.read_bytes()
    with pytest.raises(UsageError, match=r"no version of the model 'toy' is called 'candidate'"):
        promote("toy", registered)


def test_a_model_comes_back_with_its_card(registered, model, tmp_path):
    path = fetch_model("toy", "candidate", registered, into=tmp_path / "here")
    assert path == tmp_path / "here" / "toy.safetensors"
    assert path.read_bytes() == model.weights.read_bytes()
    assert json.loads(path.with_suffix(".json").read_text())["sha256"] == model.sha256
    assert len(list(path.parent.iterdir())) == 2


def test_weights_that_were_changed_in_the_store_are_refused(registered, tmp_path):
    path = kept(registered, "toy.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(EnvironmentFaultError, match=r"CORRUPT_CHECKPOINT: toy\.safetensors: check"):
        fetch_model("toy", "candidate", registered, into=tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []


def test_a_card_of_other_weights_is_refused(registered, tmp_path):
    kept(registered, "toy.json").write_text(json.dumps({"sha256": "0" * 64}))
    with pytest.raises(EnvironmentFaultError, match=r"toy\.json: the model card in the store is n"):
        fetch_model("toy", "candidate", registered, into=tmp_path / "here")


def test_weights_that_are_gone_from_the_store_are_missed(registered, tmp_path):
    kept(registered, "toy.safetensors").unlink()
    with pytest.raises(
        EnvironmentFaultError, match=r"WEIGHTS_MISSING: toy\.safetensors: .* not in"
    ):
        fetch_model("toy", "candidate", registered, into=tmp_path / "here")


def test_a_version_that_names_a_file_elsewhere_is_refused(registered):
    client = open_store(registered)
    client.set_model_version_tag("toy", "1", "netseg.weights", "../../secret.safetensors")
    with pytest.raises(EnvironmentFaultError, match=r"UNSAFE_CHECKPOINT: .* no usable tag"):
        fetch_model("toy", "candidate", registered)


def test_weights_other_than_the_record_says_are_not_registered(store, model):
    model.weights.write_bytes(b"other")
    tracker = MlflowTracker(store)
    with pytest.raises(EnvironmentFaultError, match=r"is not the .* of the record"):
        tracker.model(model)
    tracker.close("FAILED")


def test_an_unknown_model_is_answered_with_those_there_are(registered):
    with pytest.raises(UsageError, match=r"'any' is called 'champion'; registered models: toy"):
        fetch_model("any", root=registered)


def test_a_store_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(EnvironmentFaultError, match=r"NO_INPUT: there is no training record in"):
        fetch_model("toy", root=tmp_path / "typo")
    assert not (tmp_path / "typo").exists()


def test_the_shipped_weights_come_back_ready_for_segmentation(store, tmp_path):
    """What `netseg segment --weights` checks is satisfied with what the registry gives."""
    sha256 = check_weights().sha256
    anything = (TensorRecord(name="image", shape=(-1,) * 5),)
    tracker = MlflowTracker(store)
    tracker.model(
        ModelRecord(
            name="shipped", weights=SHIPPED, sha256=sha256, inputs=anything, outputs=anything
        )
    )
    tracker.close()
    promote("shipped", store)
    assert check_weights(fetch_model("shipped", root=store, into=tmp_path / "w")).sha256 == sha256
