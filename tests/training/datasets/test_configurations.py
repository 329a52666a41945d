"""A data set is chosen by a word: every file of `configs/data` composes and builds."""

import pytest

from netseg.cli.configuration import compose, config_folder
from netseg.cli.registry import build
from netseg.domain import UsageError
from netseg.training.datasets.liver_ct import IRCADB_IN_LITS

SETS = sorted(file.stem for file in (config_folder() / "data").glob("*.yaml"))


@pytest.mark.parametrize("chosen", SETS)
def test_every_set_builds_and_reaches_both_networks(chosen):
    """Sets are described, not read: no folder is needed."""
    settings = compose("train", ["experiment=own_data", f"data={chosen}", "tracking=spool"])
    layout = build(settings["data"]["layout"])
    for role, spacing_mm in (("liver", 3.0), ("lesions", 1.5)):
        stages = settings["networks"][role]["stages"]
        source = build(stages[0]["task"]["mixture"]["sources"][0])
        assert source.layout == layout
        assert source.spacing_mm == spacing_mm
        assert build(stages)[0].from_step == 0


@pytest.mark.parametrize("chosen", ["lits", "msd_task03"])
def test_no_configuration_trains_on_the_patients_that_netseg_is_measured_on(chosen):
    """Patient 17 of 3D-IRCADb is volume 44 of LiTS."""
    layout = build(compose("train", ["experiment=own_data", f"data={chosen}"])["data"]["layout"])
    assert not layout.with_ircadb
    assert 44 in IRCADB_IN_LITS


def test_the_folder_of_a_set_is_given_on_the_command_line():
    words = ["experiment=own_data", "data=lits", "data.layout.root=/sets/LiTS", "tracking=spool"]
    settings = compose("train", words)
    stage = settings["networks"]["lesions"]["stages"][0]
    assert stage["task"]["mixture"]["sources"][0]["layout"]["root"] == "/sets/LiTS"


def test_a_set_that_nobody_knows_is_refused():
    with pytest.raises(UsageError, match="data/brats"):
        compose("train", ["experiment=own_data", "data=brats"])


def test_a_channel_that_nobody_knows_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match=r"CONFIG_RANGE: amos: channels are ct_native.*got mr_pre"):
        build({"_target_": "amos", "root": "x", "mr": "mr_pre"})


def test_a_source_that_needs_what_no_set_has_is_refused():
    layout = {"_target_": "lits", "root": "x"}
    with pytest.raises(UsageError, match="needs names liver, lesions or both; got"):
        build({"_target_": "dataset", "layout": layout, "spacing_mm": 3.0, "needs": ["spleen"]})
    with pytest.raises(UsageError, match=r"spacing_mm must lie in \[0.2, 20\]; got 0"):
        build({"_target_": "dataset", "layout": layout, "spacing_mm": 0})
