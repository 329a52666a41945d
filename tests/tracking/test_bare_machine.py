"""A machine with torch and Lightning alone trains: no MLflow, no SimpleITK, no sockets."""

import subprocess
import sys

import pytest

BARE = """
import sys

class Absent:
    names = ("mlflow", "SimpleITK", "mlflow_skinny")
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""

WAY = """
import train
import netseg.training.run, netseg.training.recipes, netseg.training.sources
import netseg.training.trainers, netseg.training.callbacks, netseg.training.record
from netseg.cli.registry import TARGETS, resolve
for word, place in TARGETS.items():
    if place.startswith(("netseg.training", "netseg.tracking")):
        resolve(word)
"""

SPOOL = """
from netseg.cli.configuration import compose
from netseg.cli.registry import build
tracker = build(compose("train", ["tracking=spool"])["tracking"], root=sys.argv[1], run="bare")
tracker.metrics({"loss": 0.5}, 20)
tracker.close()
print(tracker.folder)
"""

TELEMETRY = """
import warnings
warnings.simplefilter("ignore")
import netseg
import mlflow
from mlflow.telemetry.client import get_telemetry_client
print(get_telemetry_client())
"""


def python(code, *words):
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=900).stdout


@pytest.mark.slow
def test_the_whole_way_of_train_py_imports_on_a_bare_machine():
    python(BARE + WAY)


@pytest.mark.slow
def test_a_bare_machine_keeps_its_record_as_a_spool(tmp_path):
    folder = python(BARE + SPOOL, str(tmp_path)).strip().splitlines()[-1]
    assert folder == str(tmp_path / "netseg" / "bare")


@pytest.mark.slow
def test_the_blocker_blocks():
    with pytest.raises(subprocess.CalledProcessError) as refused:
        python(BARE + "import mlflow")
    assert "No module named 'mlflow'" in refused.value.stderr


@pytest.mark.slow
def test_importing_netseg_first_leaves_mlflow_without_telemetry():
    """MONAI imports MLflow when a network is built, in a clinic's segmentation too."""
    assert python(TELEMETRY).strip() == "None"
