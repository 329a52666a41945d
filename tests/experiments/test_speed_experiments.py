"""The experiments on speed start, and say what they are asked: small grids, short times."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
pytestmark = pytest.mark.slow


def script(folder, name):
    """A script of an experiment, with its neighbours in reach, under a name of its own."""
    spec = importlib.util.spec_from_file_location(
        f"{folder}_{name}", EXPERIMENTS / folder / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXPERIMENTS / folder))
        patch.delitem(sys.modules, "bandwidth", raising=False)
        spec.loader.exec_module(module)
    return module


def test_a_treatment_is_timed_twice_and_balances(tmp_path):
    out = tmp_path / "rows.json"
    words = [
        "--cells",
        "24",
        "--spacing",
        "3",
        "--seconds",
        "10",
        "--window",
        "off",
        "--repeats",
        "2",
    ]
    script("heat_speed", "treatment").main([*words, "--output", str(out)])
    rows = json.loads(out.read_text("utf-8"))
    assert [r["turn"] for r in rows] == ["with compilation", "compiled before"]
    assert rows[0]["run"]["steps"] == 70  # a minute of cooling after ten seconds
    assert rows[0]["mean_window"] == 1.0
    assert rows[0]["balance_error"] < 1e-4
    row = rows[1]  # 24 B per cell update and processor second, of the better triad of the same run
    triad = max(row["triad_gb_s"]["before"][1], row["triad_gb_s"]["after"][1])
    share = row["run"]["cell_updates"] * 24e-9 / row["cpu_s"] / triad
    assert row["share_of_least_traffic"] == pytest.approx(share, rel=0.1, abs=6e-4)
    assert 0 < row["share_of_least_traffic"] < row["share_of_moved_traffic"] < 1


def test_a_treatment_by_an_unknown_window_is_refused(capsys):
    with pytest.raises(SystemExit):
        script("heat_speed", "treatment").main(["--window", "half"])
    assert "invalid choice" in capsys.readouterr().err


def test_a_step_is_set_against_the_triad_of_its_run(tmp_path):
    out = tmp_path / "rows.json"
    script("heat_speed", "run").main(
        ["--cells", "16", "--threads", "1", "--stages", "1", "--engines", "eager",
         "--repeats", "2", "--output", str(out)]
    )  # fmt: skip
    (row,) = json.loads(out.read_text("utf-8"))
    assert row["engine"] == "eager"
    assert 0 < row["share_of_least_traffic"] < row["share_of_moved_traffic"]


def test_an_ablation_with_three_needles_tells_what_its_fields_cost(tmp_path):
    out = tmp_path / "figures.json"
    script("electric_speed", "measure").main(
        ["--runs", "switching", "--cells", "24", "--mm", "4", "--duration-s", "10",
         "--figures", str(out)]
    )  # fmt: skip
    (row,) = json.loads(out.read_text("utf-8")).values()
    assert row["renewals"] >= 2
    assert row["iterations"] > 0
    assert row["balance_error"] < 1e-4
