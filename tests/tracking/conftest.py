"""A tracker that remembers, a spool, and a small model to register."""

import hashlib
import json
import shutil
import warnings

import numpy as np
import pytest
from safetensors.numpy import save

from netseg.tracking import DatasetRecord, ModelRecord, SpoolTracker, TensorRecord
from netseg.tracking.store import open_store

HASH = hashlib.sha256(b"data").hexdigest()


class Told:
    """Remembers what it was told, in order."""

    def __init__(self):
        self.events = []

    def params(self, values):
        """Keep settings."""
        self.events.append(("params", dict(values)))

    def tags(self, values):
        """Keep the names of tags."""
        self.events.append(("tags", sorted(values)))

    def metrics(self, values, step, *, at_ms=None):
        """Keep figures."""
        assert at_ms is not None
        self.events.append(("metrics", dict(values), step))

    def artifact(self, path, folder=""):
        """Keep a file's text."""
        self.events.append(("artifact", folder, path.name, path.read_text()))

    def dataset(self, record):
        """Keep data."""
        self.events.append(("dataset", record))

    def model(self, record):
        """Keep weights, which must be there."""
        assert record.weights.is_file()
        assert record.card.is_file()
        self.events.append(("model", record))

    def close(self, state="FINISHED", *, at_ms=None):
        """Keep the end."""
        del at_ms
        self.events.append(("close", state))


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def lits():
    """The record of a data set."""
    return DatasetRecord(name="lits", sha256=HASH, facts={"files": 6})


@pytest.fixture
def model(tmp_path):
    """Weights of one tensor with a card, to be registered as "toy"."""
    weights = tmp_path / "made" / "toy.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(save({"w": np.arange(4, dtype=np.float32)}))
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.with_suffix(".json").write_text(json.dumps({"name": "toy", "sha256": sha256}))
    return ModelRecord(
        name="toy",
        weights=weights,
        sha256=sha256,
        inputs=(TensorRecord(name="image", shape=(-1, 3, -1, -1, -1), channels=("a", "b", "c")),),
        outputs=(TensorRecord(name="logits", shape=(-1, 1, -1, -1, -1), channels=("lesion",)),),
        tags={"netseg.config_sha256": HASH},
    )


def tell(tracker, picture, lits, model):
    """A short run, told to any tracker."""
    tracker.params({"network": {"channels": (16, 32)}})
    tracker.dataset(lits)
    tracker.metrics({"loss": 0.5}, 20)
    tracker.metrics({"loss": 0.25}, 40)
    tracker.artifact(picture, "pictures")
    tracker.model(model)


@pytest.fixture
def picture(tmp_path):
    """A file to be kept."""
    path = tmp_path / "picture.png"
    path.write_text("a picture")
    return path


@pytest.fixture
def spool(tmp_path, picture, lits, model):
    """The spool of a short run that ended."""
    tracker = SpoolTracker(tmp_path / "spools", experiment="e", run="r")
    tell(tracker, picture, lits, model)
    tracker.close()
    return tracker.folder


@pytest.fixture(scope="session")
def mlflow():
    """MLflow, whose import warns about its own dependencies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
        import mlflow.models
        import mlflow.pyfunc
    return mlflow


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory, mlflow):
    """A store without runs: its tables take MLflow seconds, so they are made once."""
    assert mlflow.__version__
    folder = tmp_path_factory.mktemp("empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        open_store(folder)
    return folder / "mlflow.db"


@pytest.fixture
def store(tmp_path, empty_store):
    """The folder of a store without runs."""
    folder = tmp_path / "store"
    folder.mkdir()
    shutil.copy(empty_store, folder)
    return folder
