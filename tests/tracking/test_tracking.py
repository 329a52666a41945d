"""The record of a run, with MLflow and without."""

import json
import subprocess
import sys

import pytest

from netseg.domain import UsageError
from netseg.tracking import NoTracker, SpoolTracker, load_spool


class Told:
    """Remembers what it was told."""

    def __init__(self):
        self.events = []

    def params(self, values):
        """Keep settings."""
        self.events.append(("params", dict(values)))

    def metrics(self, values, step):
        """Keep figures."""
        self.events.append(("metrics", dict(values), step))

    def artifact(self, path):
        """Keep a path."""
        self.events.append(("artifact", path.name))

    def close(self):
        """Keep the end."""
        self.events.append(("close",))


@pytest.fixture
def spool(tmp_path):
    """A spool with a setting, two figures and a file."""
    tracker = SpoolTracker(tmp_path, experiment="e", run="r")
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    tracker.params({"network": {"channels": (16, 32)}})
    tracker.metrics({"loss": 0.5}, 20)
    tracker.metrics({"loss": 0.25}, 40)
    tracker.artifact(picture)
    tracker.close()
    return tracker.folder


def test_a_spool_tells_everything_in_its_order(spool):
    told = Told()
    assert load_spool(spool, told) == 4
    assert told.events == [
        ("params", {"network.channels": "[16, 32]"}),
        ("metrics", {"loss": 0.5}, 20),
        ("metrics", {"loss": 0.25}, 40),
        ("artifact", "picture.png"),
        ("close",),
    ]


def test_a_last_line_that_was_cut_off_is_left_out(spool):
    events = spool / "events.jsonl"
    events.write_text(events.read_text() + '{"kind": "met')
    assert load_spool(spool, NoTracker()) == 4


def test_a_damaged_line_in_the_middle_is_refused(spool):
    events = spool / "events.jsonl"
    lines = events.read_text().splitlines()
    events.write_text("\n".join([lines[0], "{", *lines[1:]]))
    with pytest.raises(UsageError, match=r"CONFIG_SYNTAX: events\.jsonl: line 2 is damaged"):
        load_spool(spool, NoTracker())


def test_a_folder_without_spool_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"NO_INPUT: no events\.jsonl"):
        load_spool(tmp_path, NoTracker())


STORE = """
import json, sys
from netseg.tracking import MlflowTracker, load_spool
root, spool = sys.argv[1:]
from pathlib import Path
load_spool(Path(spool), MlflowTracker(root, experiment="e", run="r"))
tracker = MlflowTracker(root, experiment="e", run="r")
run = tracker._client.get_run(tracker.run_id)
history = tracker._client.get_metric_history(tracker.run_id, "loss")
files = [f.path for f in tracker._client.list_artifacts(tracker.run_id)]
import os
print(json.dumps([run.data.params, [[m.step, m.value] for m in history], files, tracker.uri,
                  os.environ["MLFLOW_DISABLE_TELEMETRY"]]))
"""


@pytest.mark.slow
def test_a_spool_is_loaded_into_one_absolute_sqlite_store(spool, tmp_path):
    """In a process of its own: MLflow's imports warn, and telemetry must be off before them."""
    store = tmp_path / "store"
    answer = subprocess.run(
        [sys.executable, "-c", STORE, str(store), str(spool)],
        capture_output=True,
        text=True,
        check=True,
    )
    params, history, files, uri, telemetry = json.loads(answer.stdout.strip().splitlines()[-1])
    assert params == {"network.channels": "[16, 32]"}
    assert history == [[20, 0.5], [40, 0.25]]
    assert files == ["picture.png"]
    assert uri == f"sqlite:///{store}/mlflow.db"
    assert telemetry == "true"
