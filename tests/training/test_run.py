"""The whole of `train.py` on a toy: train, interrupt, resume, pack, and read the weights back."""

import json
import subprocess
import sys

import numpy as np
import pytest

from netseg.cli import registry
from netseg.cli.registry import build
from netseg.domain import UsageError
from netseg.segment import load_weights
from netseg.training.run import config_sha256, run


def toy_stage(outputs):
    """A task of random patches; stands in the table under the name `toy_stage`."""
    from netseg.training.sample import Sample
    from netseg.training.steps import Stage
    from netseg.training.tasks import generator_of

    def task(step):
        import torch

        generator = generator_of(1, step)
        image = torch.rand((1, 8, 8, 8), generator=generator)
        truth = (image > 0.5).float().expand(outputs, -1, -1, -1)
        return Sample(image, torch.tensor([0]), truth, torch.ones_like(truth))

    return Stage(from_step=0, task=lambda: task)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings of a run that takes a second."""
    resolve = registry.resolve
    monkeypatch.setattr(registry, "TARGETS", {**registry.TARGETS, "toy_stage": "toy"})
    monkeypatch.setattr(
        registry, "resolve", lambda name: toy_stage if name == "toy_stage" else resolve(name)
    )

    def network(inputs, outputs):
        return {
            "network": {
                "_target_": "network",
                "body": "unet",
                "inputs": inputs,
                "outputs": outputs,
                "filters": [2, 4],
            },
            "spacing_mm": 3.0,
            "patch": [8, 8, 8],
            "threshold": 0.5,
            "stages": [{"_target_": "toy_stage", "outputs": len(outputs)}],
            "schedule": {
                "_target_": "schedule",
                "steps": 4,
                "checkpoint_every": 2,
            },
        }

    return {
        "name": "toy",
        "output": str(tmp_path / "run"),
        "resume": False,
        "trainer": {"_target_": "trainer", "accelerator": "cpu", "precision": "32-true"},
        "tracking": {"_target_": "spool", "root": str(tmp_path / "spool")},
        "networks": {
            "liver": network(["ct_portal"], ["liver"]),
            "lesions": network(["ct_portal", "liver"], ["lesion", "liver"]),
        },
        "about": {"intended_use": "tests"},
    }


def test_both_networks_are_trained_and_packed(settings):
    trained = run(settings, build)
    card, tensors = load_weights(trained.weights)
    assert card.name == "toy"
    assert card.networks["lesions"].spec.inputs == ("ct_portal", "liver")
    assert all(np.isfinite(a).all() for a in tensors.values())


def test_one_network_alone_is_not_packed(settings):
    trained = run({**settings, "networks": {"liver": settings["networks"]["liver"]}}, build)
    assert trained.weights is None
    assert (trained.folder / "liver" / "last.ckpt").is_file()


def test_a_folder_with_a_run_is_not_overwritten(settings):
    run(settings, build)
    with pytest.raises(UsageError, match=r"run/liver already holds a checkpoint\. .*resume=true"):
        run(settings, build)


def test_resuming_an_ended_run_packs_the_same_bytes(settings):
    first = run(settings, build).weights.read_bytes()
    again = run({**settings, "resume": True}, build).weights.read_bytes()
    assert first == again


def test_an_unknown_network_is_refused(settings):
    with pytest.raises(UsageError, match="networks are liver, lesions; got spleen"):
        run({**settings, "networks": {"spleen": {}}}, build)


def test_the_hash_follows_what_decides_and_not_where_it_is_written(settings):
    same = config_sha256({**settings, "output": "elsewhere", "resume": True})
    assert config_sha256(settings) == same
    assert config_sha256({**settings, "name": "other"}) != same


def test_training_imports_neither_mlflow_nor_simpleitk():
    """A bare GPU machine has neither."""
    code = (
        "import sys; sys.modules['mlflow'] = None; sys.modules['SimpleITK'] = None\n"
        "import netseg.training.run, netseg.training.recipes, netseg.training.sources\n"
        "import netseg.tracking"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_record_holds_settings_hashes_and_the_packed_model(settings, tmp_path):
    run(settings, build)
    events = [
        json.loads(line)
        for file in (tmp_path / "spool").rglob("events.jsonl")
        for line in file.read_text().splitlines()
    ]
    kinds = {event["kind"] for event in events}
    assert {"params", "tags", "dataset", "artifact", "model"} <= kinds
    hashes = {e["values"].get("netseg.config_sha256") for e in events if e["kind"] == "tags"}
    assert config_sha256(settings) in hashes


def test_pictures_of_predictions_are_kept_at_checkpoints(settings, tmp_path):
    liver = settings["networks"]["liver"]
    liver = {**liver, "schedule": {**liver["schedule"], "pictures_every": 1}}
    run({**settings, "networks": {"liver": liver}}, build)
    drawn = sorted(p.name for p in (tmp_path / "run" / "liver" / "pictures").glob("*.png"))
    assert drawn == ["seen_last_step0000002.png", "seen_last_step0000004.png"]
