"""A training of two tiny networks, and what its record holds in the end."""

import pytest

from netseg.cli import registry
from netseg.cli.registry import build
from netseg.segment import load_weights
from netseg.tracking import fetch_model, import_spool, spools_below
from netseg.tracking.store import open_store
from netseg.training.run import config_sha256, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader"),  # MLflow's way with SQLAlchemy
]


def toy_stage(outputs):
    """A task of random patches; stands in the table under the name `toy_stage`."""
    import torch

    from netseg.training.sample import Sample
    from netseg.training.steps import Stage

    def task(number):
        generator = torch.Generator().manual_seed(number)
        image = torch.rand((1, 8, 8, 8), generator=generator)
        truth = (image > 0.5).float().expand(outputs, -1, -1, -1)
        return Sample(image, torch.tensor([0]), truth, torch.ones_like(truth))

    return Stage(from_step=0, task=lambda: task)


def network(inputs, outputs):
    words = {"_target_": "network", "body": "unet", "filters": [2, 4]}
    return {
        "network": {**words, "inputs": inputs, "outputs": outputs},
        "spacing_mm": 3.0,
        "patch": [8, 8, 8],
        "threshold": 0.5,
        "stages": [{"_target_": "toy_stage", "outputs": len(outputs)}],
        "schedule": {
            "_target_": "schedule",
            "steps": 40,
            "checkpoint_every": 20,
            "pictures_every": 2,
        },
    }


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Settings of a run of a few seconds, without its tracking."""
    resolve = registry.resolve
    monkeypatch.setattr(registry, "TARGETS", {**registry.TARGETS, "toy_stage": "toy"})
    monkeypatch.setattr(
        registry, "resolve", lambda name: toy_stage if name == "toy_stage" else resolve(name)
    )
    return {
        "name": "toy",
        "output": str(tmp_path / "run"),
        "resume": False,
        "trainer": {"_target_": "trainer", "accelerator": "cpu", "precision": "32-true"},
        "networks": {
            "liver": network(["ct_portal"], ["liver"]),
            "lesions": network(["ct_portal", "liver"], ["lesion", "liver"]),
        },
    }


@pytest.mark.parametrize("way", ["mlflow", "spool"])
def test_a_training_leaves_settings_curves_hashes_pictures_and_a_model(settings, store, way):
    root = store if way == "mlflow" else store.parent / "spools"
    settings["tracking"] = {"_target_": way, "root": str(root)}
    trained = run(settings, build)
    if way == "spool":
        for spool in spools_below(root):
            import_spool(spool, store)
    client = open_store(store)
    runs = {r.info.run_name: r for r in client.search_runs(["1"])}
    assert sorted(runs) == ["toy-lesions", "toy-liver", "toy-model"]
    assert {r.info.status for r in runs.values()} == {"FINISHED"}
    liver = runs["toy-liver"]
    assert liver.data.params["schedule.steps"] == "40"
    assert liver.data.params["trainer.accelerator"] == "cpu"
    assert liver.data.tags["netseg.config_sha256"] == config_sha256(settings)
    assert any(name.startswith("netseg.dataset.") for name in liver.data.tags)
    assert liver.inputs.dataset_inputs
    curve = client.get_metric_history(liver.info.run_id, "loss")
    assert [figure.step for figure in curve] == [20, 40]
    pictures = client.list_artifacts(liver.info.run_id, "pictures")
    assert [file.path for file in pictures] == ["pictures/seen_last_step0000040.png"]
    card, _ = load_weights(fetch_model("toy", "candidate", store, store.parent / "fetched"))
    assert card.sha256 == load_weights(trained.weights)[0].sha256
