"""The record of a run without MLflow."""

import json

import pytest

from netseg.domain import EnvironmentFaultError, UsageError
from netseg.tracking import (
    DatasetRecord,
    ModelRecord,
    NoTracker,
    SpoolTracker,
    load_spool,
    recording,
    run_key,
    spools_below,
)
from netseg.tracking.records import files_sha256
from netseg.tracking.seen import Seen


def lines(folder):
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_a_spool_tells_everything_in_its_order(spool, told, lits, model):
    load_spool(spool, told)
    kinds = [event for event in told.events if event[0] != "tags"]
    assert kinds[:5] == [
        ("params", {"network.channels": "[16, 32]"}),
        ("dataset", lits),
        ("metrics", {"loss": 0.5}, 20),
        ("metrics", {"loss": 0.25}, 40),
        ("artifact", "pictures", "picture.png", "a picture"),
    ]
    kept = kinds[5][1]
    assert kept.to_document() == model.to_document()
    assert kept.weights.read_bytes() == model.weights.read_bytes()
    assert kinds[6:] == [("close", "FINISHED")]


def test_a_spool_can_be_carried_to_another_machine(spool, told, tmp_path, picture, model):
    """It holds copies: neither the picture nor the weights are needed where they lay."""
    picture.unlink()
    model.weights.unlink()
    load_spool(spool.rename(tmp_path / "carried"), told)
    assert ("artifact", "pictures", "picture.png", "a picture") in told.events


def test_a_last_line_that_was_cut_off_is_left_out(spool):
    events = spool / "events.jsonl"
    whole = load_spool(spool, NoTracker())
    events.write_text(events.read_text() + '{"kind": "met')
    assert load_spool(spool, NoTracker()) == whole


def test_a_resumed_spool_goes_on_after_a_line_that_was_cut_off(tmp_path, told):
    first = SpoolTracker(tmp_path, run="r")
    first.metrics({"loss": 0.5}, 20)
    events = first.folder / "events.jsonl"
    events.write_text(events.read_text() + '{"kind": "met')
    del first  # the process died: nothing was closed
    again = SpoolTracker(tmp_path, run="r")
    again.metrics({"loss": 0.25}, 40)
    again.close()
    load_spool(again.folder, told)
    assert [e[1:] for e in told.events if e[0] == "metrics"] == [
        ({"loss": 0.5}, 20),
        ({"loss": 0.25}, 40),
    ]


def test_steps_done_twice_by_an_exact_resume_are_kept_once(tmp_path):
    first = SpoolTracker(tmp_path, run="r")
    for step, loss in ((20, 0.5), (40, 0.25)):
        first.metrics({"loss": loss}, step)
    first.close("KILLED")
    again = SpoolTracker(tmp_path, run="r")
    for step, loss in ((40, 0.25), (60, 0.125)):
        again.metrics({"loss": loss}, step)
    again.close()
    steps = [event["step"] for event in lines(again.folder) if event["kind"] == "metrics"]
    assert steps == [20, 40, 60]


def test_another_figure_at_the_same_step_is_a_fact_and_is_kept():
    seen = Seen()
    assert seen.fresh({"loss": 0.5}, 20) == {"loss": 0.5}
    assert seen.fresh({"loss": 0.5, "dice": 0.9}, 20) == {"dice": 0.9}
    assert seen.fresh({"loss": 0.4}, 20) == {"loss": 0.4}
    assert seen.fresh({"loss": float("nan")}, 40)
    assert not seen.fresh({"loss": float("nan")}, 40)


def test_a_damaged_line_in_the_middle_is_refused(spool):
    events = spool / "events.jsonl"
    first, *others = events.read_text().splitlines()
    events.write_text("\n".join([first, "{", *others]) + "\n")
    with pytest.raises(UsageError, match=r"CONFIG_SYNTAX: events\.jsonl: line 2 is damaged"):
        load_spool(spool, NoTracker())


def test_a_line_that_is_no_event_is_refused(spool):
    (spool / "events.jsonl").write_text("[1, 2]\n")
    with pytest.raises(UsageError, match=r"CONFIG_TYPE: events\.jsonl: line 1 is no event"):
        load_spool(spool, NoTracker())


def test_an_event_of_a_newer_version_is_refused(spool):
    (spool / "events.jsonl").write_text('{"kind": "dream", "time_ms": 1}\n')
    with pytest.raises(UsageError, match=r"kind 'dream' is not known\. A newer netseg wrote it"):
        load_spool(spool, NoTracker())


def test_a_folder_without_spool_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"NO_INPUT: no events\.jsonl"):
        load_spool(tmp_path, NoTracker())
    with pytest.raises(UsageError, match=r"NO_INPUT: no events\.jsonl in .* or below it"):
        spools_below(tmp_path)


def test_all_spools_below_a_folder_are_found(tmp_path):
    for run in ("a", "b"):
        SpoolTracker(tmp_path, run=run).close()
    assert [folder.name for folder in spools_below(tmp_path)] == ["a", "b"]


def test_two_processes_do_not_write_to_one_run(tmp_path):
    first = SpoolTracker(tmp_path, run="r")
    with pytest.raises(EnvironmentFaultError, match="LOCKED: another process writes to the record"):
        SpoolTracker(tmp_path, run="r")
    first.close()
    SpoolTracker(tmp_path, run="r").close()


def test_a_run_that_is_not_over_is_not_told_as_ended(tmp_path, told):
    running = SpoolTracker(tmp_path, run="r")
    load_spool(running.folder, told)
    assert told.events[-1] == ("close", "RUNNING")


def test_a_run_whose_process_died_is_told_as_killed(tmp_path, told):
    died = SpoolTracker(tmp_path, run="r")
    folder = died.folder
    del died
    load_spool(folder, told)
    assert told.events[-1] == ("close", "KILLED")


@pytest.mark.parametrize(
    ("error", "state"), [(KeyboardInterrupt, "KILLED"), (SystemExit, "KILLED"), (OSError, "FAILED")]
)
def test_a_run_that_ends_in_an_error_says_so(told, error, state):
    with pytest.raises(error), recording(told):
        raise error
    assert told.events == [("close", state)]


def test_a_run_that_ends_well_is_finished(told):
    with recording(told):
        pass
    assert told.events == [("close", "FINISHED")]


def test_a_run_has_one_key_as_long_as_it_goes_on(tmp_path):
    key = run_key(tmp_path / "run", resume=False)
    assert run_key(tmp_path / "run", resume=True) == key
    assert run_key(tmp_path / "run", resume=False) != key
    assert len(run_key(tmp_path / "other", resume=True)) == 32


@pytest.mark.parametrize("name", ["../elsewhere", ".hidden", "", "a b", "a'b"])
def test_a_name_that_leaves_its_folder_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="must be letters, digits"):
        SpoolTracker(tmp_path, run=name)


def test_a_data_set_is_known_by_names_and_contents(tmp_path):
    for name, text in (("b.nii", "2"), ("a.nii", "1")):
        (tmp_path / name).write_text(text)
    files = list(tmp_path.iterdir())
    before = files_sha256(files, tmp_path)
    assert files_sha256(reversed(files), tmp_path) == before
    (tmp_path / "a.nii").write_text("3")
    assert files_sha256(files, tmp_path) != before


def test_a_hash_that_is_none_is_refused():
    with pytest.raises(ValueError, match="64 hexadecimal digits; got 'abc'"):
        DatasetRecord(name="lits", sha256="abc")


def test_a_pickle_is_no_model(model, tmp_path):
    document = {**model.to_document(), "weights": "toy.pt"}
    with pytest.raises(ValueError, match=r"safetensors file; got toy\.pt"):
        ModelRecord.from_document(document, tmp_path)


def test_a_model_without_signature_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="has no signature"):
        ModelRecord.from_document({**model.to_document(), "inputs": []}, tmp_path)
