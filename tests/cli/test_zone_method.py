"""Who outlines the zone is chosen on the command line, by its word."""

from __future__ import annotations

from argparse import ArgumentParser

import pytest

from netseg.cli.control_words import add_control_words, say_zone_method
from netseg.cli.main import main
from netseg.cli.registry import build
from netseg.verify.zone import ClassicZone
from netseg.verify.zone_learned import LearnedZone


def chosen(*said: str):
    """The finder that the words build, over the configuration's own."""
    parser = ArgumentParser()
    add_control_words(parser)
    settings = {"zone": {"_target_": "classic_zone", "reach_mm": 25.0}}
    say_zone_method(settings, parser.parse_args(said))
    return build(settings["zone"])


def test_the_word_wins_over_the_configuration() -> None:
    assert chosen("--zone-method", "learned") == LearnedZone()
    assert chosen("--zone-method", "classic") == ClassicZone()


def test_without_the_word_the_configuration_stands() -> None:
    assert chosen() == ClassicZone(reach_mm=25.0)


def test_a_method_that_nobody_knows_is_refused(capsys) -> None:
    with pytest.raises(SystemExit):
        chosen("--zone-method", "guess")
    assert "invalid choice: 'guess'" in capsys.readouterr().err


def test_a_method_without_a_control_scan_is_refused(capsys) -> None:
    code = main(["verify", "--lesion", "a.nii", "--zone", "b.nii", "--zone-method", "learned"])
    assert code == 2
    assert "--zone-method belongs to a control scan" in capsys.readouterr().err
