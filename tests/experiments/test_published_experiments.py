"""The experiments on published zones start, and say what they are asked: small grids, short times."""

import importlib.util
import json
import math
import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
pytestmark = pytest.mark.slow


def script(monkeypatch, folder, name="run"):
    """A script of an experiment, with its neighbours in reach, under a name of its own."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS / folder))
    monkeypatch.delitem(sys.modules, "rows", raising=False)
    spec = importlib.util.spec_from_file_location(
        f"{folder}_{name}", EXPERIMENTS / folder / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_row_of_radiofrequency_is_measured_beside_what_was_published(monkeypatch):
    run = script(monkeypatch, "rfa_published")
    cases = run.cases(run.EX_VIVO, run.IN_VIVO)
    assert {name.split()[0] for name in cases} == {"B1", "B2", "B3", "B4", "B7", "B9", "B10"}
    places, kind, calibrated, _, spacing, _, published = cases["B7 cooled needle in vivo 12 min"]
    short = (places, kind, calibrated, run.rfa(20.0), spacing, 24.0, published)
    row = run.simulate(short, coarser=1.5, step_s=2.0)
    assert row["published"]["short_mm"] == [30.2, 2.0]
    assert row["within_2_sd"]["short_mm"] is False  # 20 s are no 12 min
    assert row["balance_error"] < 1e-4


def test_the_orders_are_read_from_the_figures(monkeypatch):
    """A tie is no order."""
    run = script(monkeypatch, "rfa_published")
    names = ["B3 simultaneous", "B3 switching", "B3 sequential"]
    for values, holds in (((1, 2, 3), True), ((1, 3, 2), False), ((2, 2, 3), False)):
        figures = {n: {"simulated": {"volume_ml": v}} for n, v in zip(names, values, strict=True)}
        assert run.orders(figures)["B3"]["holds"] is holds


def test_duty_covers_the_whole_time(monkeypatch):
    run = script(monkeypatch, "rfa_published")
    phases = run.duty(20.0, 45.0, 10.0, 30.0, 816.0)
    assert math.fsum(p["duration_s"] for p in phases) == pytest.approx(816.0)
    assert math.fsum(p["duration_s"] for p in phases if p["limit_v"] == 30.0) == pytest.approx(
        270.0
    )


def test_the_recorded_figures_hold_the_two_orders_that_must_come_out():
    figures = json.loads((EXPERIMENTS / "rfa_published" / "figures.json").read_text("utf-8"))
    assert figures["orders"]["B3"]["holds"]
    assert figures["orders"]["B9"]["holds"]


def test_a_ball_of_ice_is_measured_by_its_isotherms(monkeypatch):
    run = script(monkeypatch, "cryo_published")
    gel = run.load_tissue("agar_gel")
    row = run.measured(*run.frozen(gel, minutes=2.0, h=3.0, reach_mm=24.0))
    sizes = [row[f"diameter_{c}_mm"] for c in (0, -20, -30, -40)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 0


def test_pulses_are_measured_by_their_threshold(monkeypatch):
    run = script(monkeypatch, "ire_published")
    field, h, done = run.pulsed(15.0, 2250.0, h=2.0, reach_mm=16.0)
    sizes = [run.extents_mm(field, h, v) for v in (386.0, 680.0)]
    assert all(a > b > 0 for a, b in zip(*sizes, strict=True))
    assert done.currents_a[0] > 0
    own = run.calibrated(field, h, run.PUBLISHED["B21"][2])
    assert 250 <= own < 700


def test_a_zone_is_measured_before_and_after_contraction(monkeypatch):
    run = script(monkeypatch, "zone_sizes")
    case = ("B16", "as published", run.MWA, 60, 30, "constant", "liver_in_vivo", 4.0)
    row = run.simulated(case, efficiency=0.5, k_rise_1_k=None)
    assert row["efficiency"] == 0.5
    assert row["contracted"]["volume_ml"][0] <= row["zones"]["arrhenius"]["volume_ml"] + 0.1
    assert row["energy_j"]["delivered"] == pytest.approx(60 * 30 * 0.5, rel=1e-3)


def test_an_ensemble_is_described(monkeypatch):
    measure = script(monkeypatch, "ensemble", "measure")
    row = measure.described("mwa", 20, 4.0, 3, 5.0, 0.1)
    assert row["draws"] == 3
    assert 0 <= row["probability_of_cover"]["10 mm ball"] <= 1
    low, middle, high = row["volume_quantiles_ml"]["arrhenius"].values()
    assert low <= middle <= high


def test_a_gradient_has_a_price(monkeypatch):
    measure = script(monkeypatch, "gradient_speed", "measure")
    row = measure.price("mwa", 20, 4.0, 1, 4.0)
    assert row["over_forward"] > 1
