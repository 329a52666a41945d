"""The words of the command line, its exit codes, and what it must not import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from netseg.cli.main import main
from netseg.cli.parser import make_parser, parse_words

HEAVY = ("torch", "monai", "mlflow", "numpy", "hydra", "SimpleITK", "matplotlib", "pandas")


@pytest.mark.parametrize("words", [["--help"], ["info", "--json"], ["run", "--help"]])
def test_quick_answers_import_nothing_heavy(words: list[str]):
    """0.3 s is the promise; not importing these is how it is kept on any machine."""
    program = (
        "import sys\nfrom netseg.cli.main import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_info_is_json_with_verbs_rules_and_devices(capsys: pytest.CaptureFixture[str]):
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["intended_use"].startswith("research use only")
    assert "seed-2020" in facts["rule_sets"]
    assert facts["devices"]
    assert facts["weights"]


def test_info_names_every_verb_of_the_parser(capsys: pytest.CaptureFixture[str]):
    main(["info", "--json"])
    verbs = json.loads(capsys.readouterr().out)["verbs"]
    actions = [a for a in make_parser()._actions if a.dest == "verb"]
    assert actions[0].choices is not None
    assert set(verbs) == set(actions[0].choices)


@pytest.mark.parametrize(
    ("words", "met"),
    [
        ([], "a verb is missing"),
        (["fly"], "invalid choice"),
        (["run", "-i", "x"], "-o"),
        (["run", "-i", "x", "-o", "y", "--lesion", "m"], "unrecognized"),
        (["run", "-i", "x", "-o", "y", "stray"], "unrecognized"),
        (["info", "verify=wide"], "unrecognized"),
        (["run", "-i", "x", "-o", "y", "--one", "--many"], "not allowed"),
    ],
)
def test_words_that_make_no_sense_leave_with_two(
    words: list[str], met: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert met in capsys.readouterr().err


def test_overrides_may_stand_anywhere_among_the_options():
    words = parse_words(["run", "-i", "x", "verify=wide", "-o", "y", "plan=none", "-q"])
    assert words.overrides == ["verify=wide", "plan=none"]
    assert words.quiet


@pytest.mark.parametrize(
    ("words", "met"),
    [
        (["verify", "--lesion", "m", "--pre", "a"], "--pre needs --post"),
        (["verify", "--lesion", "m", "--post", "a"], "--post needs --pre"),
        (["verify", "--lesion", "m"], "--zone is missing"),
        (["verify", "--lesion", "m", "--zone", "z", "--liver-post", "l"], "belongs to a control"),
        (["verify", "--lesion", "m", "--zone", "z", "--same-patient"], "belongs to a control"),
    ],
)
def test_half_a_control_scan_is_refused(
    words: list[str], met: str, capsys: pytest.CaptureFixture[str]
):
    assert main(words) == 2
    assert met in capsys.readouterr().err
