"""Configurations name words of a table; every file of the groups builds."""

from pathlib import Path

import pytest
import yaml

from netseg.cli.registry import TARGETS, build, resolve
from netseg.domain import UsageError
from netseg.segment.card import NetworkCard
from netseg.segment.networks import NetworkSpec

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_every_word_of_the_table_leads_to_something(name):
    assert callable(resolve(name))


def test_parts_are_built_before_the_whole():
    warp = build({"_target_": "warp", "patch": [8, 8, 8], "scale": [0.9, 1.1]})
    assert warp.patch == (8, 8, 8)


@pytest.mark.parametrize("target", ["os.system", "netseg.segment.BuiltinBackend", "builtins.eval"])
def test_an_import_path_is_no_word_of_the_table(target):
    with pytest.raises(UsageError, match=r"UNSAFE_CONFIG: _target_ .* is not one of"):
        build({"_target_": target, "command": "true"})


def test_a_misspelt_word_gets_a_suggestion():
    with pytest.raises(UsageError, match="Did you mean anatomies"):
        build({"_target_": "anatomy"})


def test_a_misspelt_setting_gets_a_suggestion():
    with pytest.raises(UsageError, match=r"CONFIG_UNKNOWN_KEY: warp has no .*Did you mean patch"):
        build({"_target_": "warp", "pach": [8, 8, 8]})


def test_a_value_out_of_range_names_its_word():
    with pytest.raises(UsageError, match="CONFIG_RANGE: schedule: steps must be a multiple"):
        build({"_target_": "schedule", "steps": 55, "checkpoint_every": 20})


@pytest.mark.parametrize(
    "path", sorted((CONFIGS / "training").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_training_file_builds(path):
    """Sources are described, not read: no image is needed."""
    document = yaml.safe_load(path.read_text())
    spec = build(document["network"])
    if document["network"]["_target_"] != "network":
        return  # the segments have a network and a card of their own
    assert isinstance(spec, NetworkSpec)
    NetworkCard(
        spec=spec,
        spacing_mm=document["spacing_mm"],
        patch=tuple(document["patch"]),
        threshold=document["threshold"],
    )
    stages = build(document["stages"])
    assert stages[0].from_step == 0
    assert build(document["schedule"]).steps >= stages[-1].from_step


@pytest.mark.parametrize(
    "path", sorted((CONFIGS / "training").glob("*.yaml")), ids=lambda p: p.stem
)
def test_no_check_case_is_ever_trained_on(path):
    """`ct_ircadb17` is measured on: neither it nor its bare liver may shape the weights."""
    text = path.read_text()
    assert "ircad17" not in text
    assert "ircadb17" not in text


@pytest.mark.parametrize(
    "path", sorted((CONFIGS / "experiment").glob("any_scan*.yaml")), ids=lambda p: p.stem
)
def test_every_experiment_composes(path):
    import hydra
    from omegaconf import OmegaConf

    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = hydra.compose("train", [f"experiment={path.stem}", "tracking=spool"])
    plain = OmegaConf.to_container(config)
    assert plain["name"] == "any_scan"
    assert plain["networks"]
