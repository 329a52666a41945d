"""What the documentation shows, runs."""

import contextlib
import io
import re
import runpy
from pathlib import Path

import pytest
import yaml

from netseg.simulate import device_names, parse_plan
from netseg.simulate.damage.isotherm import ISOTHERMS
from netseg.simulate.plan_file import PLAN_KEYS
from netseg.simulate.survival import THRESHOLDS

DOCS = Path(__file__).parents[2] / "docs"
HOW_TO = (DOCS / "how-to" / "simulate-an-ablation.md").read_text("utf-8")
REFERENCE = (DOCS / "reference" / "simulation-plan.md").read_text("utf-8")


def blocks(text, kind):
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def test_the_python_example_runs(tmp_path):
    (example,) = blocks(HOW_TO, "python")
    (tmp_path / "example.py").write_text(example, "utf-8")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        runpy.run_path(str(tmp_path / "example.py"))
    delivered, hottest_k = (float(n) for n in said.getvalue().split())
    assert delivered == pytest.approx(
        20 * 60, rel=0.02
    )  # 20 W for a minute, none turned into light
    assert 10 < hottest_k < 70


def test_the_plan_example_is_a_plan():
    (example,) = blocks(HOW_TO, "yaml")
    assert parse_plan(yaml.safe_load(example)).protocol.duration_s == 300


def test_the_reference_names_every_key_model_and_number():
    for word in (*PLAN_KEYS, *ISOTHERMS, *THRESHOLDS):
        assert f"`{word}`" in REFERENCE
    assert device_names()
