"""The record of a run in one MLflow store."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from netseg.domain import EnvironmentFaultError, UsageError
from netseg.tracking import MlflowTracker, import_spool
from netseg.tracking import mlflow_store as writing
from netseg.tracking.store import open_store, store_root
from tests.tracking.conftest import tell

pytestmark = [
    pytest.mark.slow,  # MLflow makes the tables of a new store in two seconds
    pytest.mark.filterwarnings("ignore:The ``noload`` loader"),  # MLflow's way with SQLAlchemy
]


def rows(store, table="metrics"):
    with sqlite3.connect(store / "mlflow.db") as database:
        return database.execute(f"select count(*) from {table}").fetchone()[0]


def run_of(tracker):
    return tracker._client.get_run(tracker.run_id)


def counted(tracker, monkeypatch):
    """Writes of figures, as numbers of figures."""
    sizes = []
    write = tracker._client.log_batch

    def log_batch(run_id, metrics=(), **others):
        sizes.extend([len(metrics)] if metrics else [])
        return write(run_id, metrics=metrics, **others)

    monkeypatch.setattr(tracker._client, "log_batch", log_batch)
    return sizes


def test_the_store_is_one_absolute_file_and_telemetry_is_off(store, monkeypatch):
    monkeypatch.chdir(store.parent)
    tracker = MlflowTracker("store")
    tracker.close()
    assert tracker.uri == f"sqlite:///{store}/mlflow.db"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_figures_are_written_in_batches(store, monkeypatch):
    """1000 figures in five writes of 200, and 50 more when the run is closed."""
    tracker = MlflowTracker(store)
    sizes = counted(tracker, monkeypatch)
    for step in range(525):
        tracker.metrics({"loss": 1.0 / (step + 1), "rate": 0.1}, step)
    assert sizes == [200] * 5
    tracker.close()
    assert sizes == [200] * 5 + [50]
    assert rows(store) == 1050


def test_few_figures_are_written_when_somebody_may_wait_for_them(store, monkeypatch):
    tracker = MlflowTracker(store)
    sizes = counted(tracker, monkeypatch)
    tracker.metrics({"loss": 0.5}, 1)
    assert sizes == []
    monkeypatch.setattr(writing, "PATIENCE_S", 0.0)
    tracker.metrics({"loss": 0.4}, 2)
    assert sizes == [2]
    tracker.close()


def test_a_resumed_run_goes_on_in_the_same_run(store):
    first = MlflowTracker(store, run="a", key="k1")
    first.metrics({"loss": 0.5}, 20)
    first.metrics({"loss": 0.25}, 40)
    first.close("KILLED")
    assert run_of(first).info.status == "KILLED"
    again = MlflowTracker(store, run="a", key="k1")
    assert again.run_id == first.run_id
    assert run_of(again).info.status == "RUNNING"
    again.metrics({"loss": 0.25}, 40)  # done twice since the last checkpoint
    again.metrics({"loss": 0.125}, 60)
    again.close()
    assert [m.step for m in again._client.get_metric_history(again.run_id, "loss")] == [20, 40, 60]
    assert run_of(again).info.status == "FINISHED"


def test_a_new_run_of_the_same_name_is_another_run(store):
    first = MlflowTracker(store, run="a", key="k1")
    second = MlflowTracker(store, run="a", key="k2")
    assert first.run_id != second.run_id
    for tracker in (first, second):
        tracker.close()


def test_settings_that_changed_are_told_and_the_first_are_kept(store, caplog):
    first = MlflowTracker(store)
    first.params({"schedule": {"steps": 100}})
    first.close()
    again = MlflowTracker(store)
    again.params({"schedule": {"steps": 200, "batch": 2}})
    again.close()
    assert run_of(again).data.params == {"schedule.steps": "100", "schedule.batch": "2"}
    assert "other settings than it began with: schedule.steps" in caplog.text


def test_a_data_set_is_an_input_of_the_run(store, lits):
    tracker = MlflowTracker(store)
    tracker.dataset(lits)
    tracker.dataset(lits)
    tracker.close()
    (given,) = run_of(tracker).inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("lits", lits.sha256[:36])
    assert given.tags[0].value == "training"
    assert run_of(tracker).data.tags["netseg.dataset.lits"] == lits.sha256


def test_the_run_knows_its_version_and_commit(store):
    tracker = MlflowTracker(store)
    tracker.close()
    tags = run_of(tracker).data.tags
    assert tags["netseg.version"]
    commit = tags.get("mlflow.source.git.commit")
    assert commit is None or len(commit) == 40


def everything(tracker):
    """All that a store knows of a run but its number, in an order of its own."""
    run, client = run_of(tracker), tracker._client
    versions = client.search_model_versions(f"run_id = '{tracker.run_id}'")
    return {
        "params": run.data.params,
        "tags": run.data.tags,
        "figures": [(m.step, m.value) for m in client.get_metric_history(tracker.run_id, "loss")],
        "data": [(d.dataset.to_dictionary(), d.tags[0].value) for d in run.inputs.dataset_inputs],
        "pictures": [f.path for f in client.list_artifacts(tracker.run_id, "pictures")],
        "models": [(v.name, v.tags, v.source.rpartition("/models/")[2]) for v in versions],
        "alias": client.get_model_version_by_alias("toy", "candidate").tags,
        "state": run.info.status,
    }


def test_a_spool_ends_as_the_same_record(store, spool, picture, lits, model):
    """Told directly, and by way of a spool: everything is equal."""
    other = shutil.copytree(store, store.with_name("other"))
    direct = MlflowTracker(store, experiment="e", run="r")
    tell(direct, picture, lits, model)
    direct.close()
    done = import_spool(spool, other)
    assert done.state == "FINISHED"
    loaded = MlflowTracker(other, experiment="e", run="r", started_ms=1)
    assert loaded.run_id == done.run_id
    loaded.close()
    assert everything(loaded) == everything(direct)


def test_a_spool_loaded_twice_adds_nothing(store, spool):
    tables = ("runs", "metrics", "params", "tags", "inputs", "datasets", "model_versions")
    first = import_spool(spool, store)
    counts = [rows(store, table) for table in tables]
    second = import_spool(spool, store)
    assert second == first
    assert [rows(store, table) for table in tables] == counts
    assert counts[:2] == [1, 2]


def test_a_spool_that_has_grown_adds_what_is_new(store, tmp_path):
    from netseg.tracking import SpoolTracker

    for steps in ((1, 2), (2, 3, 4)):
        spool = SpoolTracker(tmp_path / "s", run="r")
        for step in steps:
            spool.metrics({"loss": 1.0 / step}, step)
        spool.close()
        import_spool(spool.folder, store)
    assert rows(store) == 4


def test_a_spool_of_the_first_version_is_named_by_its_folders(store, tmp_path):
    folder = tmp_path / "spool" / "livers" / "first"
    folder.mkdir(parents=True)
    event = '{"kind": "metrics", "values": {"loss": 0.5}, "step": 20, "time_ms": 1700000000000}'
    (folder / "events.jsonl").write_text(event + "\n")
    done = import_spool(folder, store)
    assert (done.run, done.state) == ("first", "KILLED")
    run = open_store(store).get_run(done.run_id)
    assert run.info.start_time == run.info.end_time == 1_700_000_000_000


def test_a_spool_keeps_its_times(store, spool, monkeypatch):
    """A run of last night does not become one of this morning."""
    late = time.time() + 36_000
    monkeypatch.setattr(time, "time", lambda: late)
    client = open_store(store)
    info = client.get_run(import_spool(spool, store).run_id).info
    assert info.start_time < info.end_time < 1000 * (late - 30_000)


TRAIN = """
import sys, time
from netseg.tracking import MlflowTracker
tracker = MlflowTracker(sys.argv[1], run=sys.argv[2])
for step in range(int(sys.argv[3])):
    tracker.metrics({"loss": 1.0 / (step + 1)}, step)
if sys.argv[4] == "die":
    tracker._flush()
    print(tracker.run_id, flush=True)
    time.sleep(60)
tracker.close()
"""


def start(store, run, steps, end):
    command = [sys.executable, "-W", "ignore", "-c", TRAIN, str(store), run, str(steps), end]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_runs_write_to_one_new_store_at_a_time(tmp_path):
    """Both make the store, its tables and the experiment; 1500 figures each, none is lost."""
    store = tmp_path / "new"
    both = [start(store, name, 1500, "close") for name in ("a", "b")]
    assert [process.wait(600) for process in both] == [0, 0]
    for process in both:
        process.stdout.close()
    assert rows(store) == 3000
    assert rows(store, "experiments") == 2  # MLflow's own "Default" is the other
    client = open_store(store)
    runs = client.search_runs(["1"])
    assert sorted((r.info.run_name, r.info.status) for r in runs) == [
        ("a", "FINISHED"),
        ("b", "FINISHED"),
    ]


def test_a_killed_run_is_marked_and_a_living_one_is_not(store):
    """SIGKILL leaves no time to say anything: the next one who opens the store says it."""
    process = start(store, "r", 7, "die")
    run_id = process.stdout.readline().strip()
    assert open_store(store).get_run(run_id).info.status == "RUNNING"
    with pytest.raises(EnvironmentFaultError, match=r"LOCKED: another process writes .*netseg\.r"):
        MlflowTracker(store, run="r")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    client = open_store(store)
    info = client.get_run(run_id).info
    assert info.status == "KILLED"
    assert info.end_time == client.get_metric_history(run_id, "loss")[-1].timestamp
    again = MlflowTracker(store, run="r")
    assert again.run_id == run_id
    again.close()
    assert open_store(store).get_run(run_id).info.status == "FINISHED"


def test_a_store_that_fails_stops_no_training(store, caplog, monkeypatch):
    """Somebody locks the database: the record goes on in a spool, and is whole after its import."""
    tracker = MlflowTracker(store, run="r", key="k" * 32)
    tracker.metrics({"loss": 0.5}, 1)
    tracker._flush()

    from sqlalchemy.exc import OperationalError

    def locked(*_, **__):
        raise OperationalError("insert", {}, sqlite3.OperationalError("database is locked"))

    monkeypatch.setattr(tracker._client, "log_batch", locked)
    monkeypatch.setattr(tracker._client, "set_terminated", locked)
    tracker.metrics({"loss": 0.25}, 2)
    tracker.params({"late": 1})
    tracker.close()
    spare = store / "spool" / "netseg" / "r-kkkkkkkk"
    assert f"part of the record lies in {spare}; `netseg ui --import` adds it" in caplog.text
    done = import_spool(spare, store)
    assert done.run_id == tracker.run_id
    assert rows(store) == 2
    run = open_store(store).get_run(done.run_id)
    assert (run.data.params, run.info.status) == ({"late": "1"}, "FINISHED")


def test_a_database_that_is_none_is_refused(store):
    (store / "mlflow.db").write_text("this is a letter to my aunt, long enough to be looked at")
    with pytest.raises(
        EnvironmentFaultError, match=r"cannot be opened: .*Train with tracking=spool"
    ):
        MlflowTracker(store)


def test_the_default_store_is_the_users_wherever_a_command_is_started(monkeypatch, tmp_path):
    monkeypatch.delenv("NETSEG_TRACKING", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store_root() == tmp_path / ".local" / "share" / "netseg" / "tracking"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "x"))
    assert store_root() == tmp_path / "x" / "netseg" / "tracking"
    monkeypatch.setenv("NETSEG_TRACKING", str(tmp_path / "y"))
    assert store_root() == tmp_path / "y"
    assert store_root(tmp_path / "z") == tmp_path / "z"


def test_a_name_that_could_break_a_query_is_refused(store):
    with pytest.raises(UsageError, match=r"run \"a' or 'b\" must be letters"):
        MlflowTracker(store, run="a' or 'b")


def test_a_machine_without_mlflow_is_told_what_to_do(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(EnvironmentFaultError, match=r"mlflow is not installed\. .*tracking=spool"):
        MlflowTracker(store)
