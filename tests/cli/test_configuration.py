"""Every configuration builds, and nothing outside the table can be named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netseg.cli.configuration import check_file, compose, config_folder, config_hash
from netseg.cli.registry import TARGETS, build, check
from netseg.domain import UsageError

if TYPE_CHECKING:
    from pathlib import Path

GROUPS = ("segment", "plan", "simulate", "verify", "allocate")


def choices() -> list[str]:
    return [
        f"{group}={file.stem}"
        for group in GROUPS
        for file in sorted((config_folder() / group).glob("*.yaml"))
    ]


@pytest.mark.parametrize("choice", choices())
def test_every_choice_composes_and_names_only_known_settings(choice: str):
    group = choice.split("=", maxsplit=1)[0]
    chosen = compose("infer", [choice])[group]
    assert chosen == {} or check(chosen) in TARGETS


def test_an_import_path_is_refused():
    """Hydra would have created the file."""
    with pytest.raises(UsageError, match=r"pathlib.Path.touch.*is not one of"):
        build({"_target_": "pathlib.Path.touch"})


def test_a_misspelt_setting_is_named_with_its_neighbour():
    with pytest.raises(UsageError, match="required_mn") as error:
        build({"_target_": "margin_rule", "required_mn": 5.0})
    assert error.value.notice.hint == "Did you mean required_mm?"


def test_a_value_out_of_range_is_named():
    with pytest.raises(UsageError, match="required_mm"):
        build({"_target_": "margin_rule", "required_mm": float("nan")})


def test_an_override_that_names_nothing_is_refused():
    with pytest.raises(UsageError, match="verify/widest"):
        compose("infer", ["verify=widest"])
    with pytest.raises(UsageError, match="marginn"):
        compose("infer", ["verify.marginn_mm=5"])


def test_the_hash_follows_what_decides_and_ignores_where_it_runs():
    base = config_hash(compose("infer"))
    assert base == config_hash(compose("infer", ["output=elsewhere", "device=cpu"]))
    assert base != config_hash(compose("infer", ["verify.required_mm=6"]))
    assert base != config_hash(compose("infer", ["verify=wide"]))


def test_a_users_file_is_checked_without_running_it(tmp_path: Path):
    good = tmp_path / "good.yaml"
    good.write_text("_target_: margin_rule\nrequired_mm: 7.0\n")
    assert check_file(good) == "margin_rule"
    bad = tmp_path / "bad.yaml"
    bad.write_text("_target_: margin_rule\n\trequired_mm: 7.0\n")
    with pytest.raises(UsageError, match="line 2"):
        check_file(bad)
    bomb = tmp_path / "bomb.yaml"
    bomb.write_text("!!python/object/apply:os.system ['true']\n")
    with pytest.raises(UsageError, match="could not determine a constructor"):
        check_file(bomb)


@pytest.mark.parametrize("word", ["maybe", 1, None])
def test_a_switch_is_true_or_false(word: object):
    """A word would pass for true in silence."""
    with pytest.raises(UsageError, match=r"builtin\.mirrored is true or false"):
        check({"_target_": "builtin", "mirrored": word})
    assert check({"_target_": "builtin", "mirrored": True}) == "builtin"
