"""Two engines, one answer: operation by operation, or one sweep over flat fields."""

import numpy as np
import pytest
import torch

from netseg.domain.errors import EnvironmentFaultError, UsageError
from netseg.simulate import engine as engine_module
from netseg.simulate import fused
from netseg.simulate.diffusion import Diffusion
from netseg.simulate.engine import EagerStep, engine_for
from netseg.simulate.fused import FusedStep, Ripening, worth_compiling
from netseg.simulate.hot import BoxedLaw, HotBox
from netseg.simulate.phase import PhaseLaw
from netseg.simulate.stepping import Conduction

RHO_C = 3.82e6
LAW = PhaseLaw(latent_k=472.0, dry_slope=4.8)


def equation(shape, *, fixed, held=False, dtype=torch.float32):
    """Heterogeneous tissue; some cells hold their temperature."""
    generator = torch.Generator().manual_seed(11)
    k = 0.4 + 0.3 * torch.rand(shape, generator=generator, dtype=dtype)
    inverse = torch.full(shape, 1 / RHO_C, dtype=dtype)
    where = None
    if held:
        inverse[3:5, 2:4, :] = 0.0
        where = (inverse.reshape(-1) == 0).nonzero()[:, 0]
    return Conduction(
        diffusion=Diffusion.assemble(k, (1.0, 1.2, 1.5), fixed=fixed),
        inverse_capacity=inverse,
        law=LAW,
        held=where,
    )


def march(name, shape, *, stages, fixed, held=False, steps=20, dtype=torch.float32):
    """Twenty steps of an engine: fields and what it booked."""
    generator = torch.Generator().manual_seed(3)
    box = HotBox.whole(shape)
    law = BoxedLaw(law=LAW, box=box)
    carrier, tissue = engine_for(
        name, equation(shape, fixed=fixed, held=held, dtype=dtype), law, steps=1
    )
    heat = 40 * torch.rand(shape, generator=generator, dtype=dtype)
    heat[5, 5, 4] = 300.0  # boils
    heat[6, 5, 4] = 560.0  # dry
    source = 2e5 * torch.rand(shape, generator=generator, dtype=dtype)
    factor = -5e-3 * torch.rand(shape, generator=generator, dtype=dtype)
    factor = torch.where(tissue.inverse_capacity > 0, factor, 0.0)
    booked, excess = np.zeros(2), heat
    for _ in range(steps):
        heat, excess, taken, lost = carrier.step(
            heat, factor, tissue, source, step_s=0.2 if stages == 1 else 0.6, stages=stages
        )
        booked += (taken, lost)
    return heat.clone(), excess.clone(), booked


@pytest.fixture
def _uncompiled(monkeypatch):
    """The flat sweep as plain torch code."""
    monkeypatch.setattr(fused, "_compiled", lambda function: function)
    monkeypatch.setattr(engine_module, "has_compiler", lambda: True)


@pytest.mark.usefixtures("_uncompiled")
@pytest.mark.parametrize("stages", [1, 3, 7])
@pytest.mark.parametrize("fixed", [(), ("i-", "j+", "k-"), ("i-", "i+", "j-", "j+", "k-", "k+")])
def test_the_flat_sweep_is_the_step_by_step_answer(stages, fixed):
    """In fp64 to the last digits: fields, blood's share and what crosses borders and vessel walls."""
    given = {"stages": stages, "fixed": fixed, "held": True, "dtype": torch.float64}
    heat, excess, booked = march("eager", (9, 8, 7), **given)
    flat_heat, flat_excess, flat_booked = march("compiled", (9, 8, 7), **given)
    assert torch.allclose(flat_heat, heat, rtol=1e-12, atol=1e-11)
    assert torch.allclose(flat_excess, excess, rtol=1e-12, atol=1e-11)
    assert flat_booked == pytest.approx(booked, rel=1e-10, abs=1.0)


@pytest.mark.slow
@pytest.mark.parametrize(("stages", "agreement"), [(1, 2.4e-7), (5, 3e-6)])
def test_compiled_steps_agree_to_the_round_off_of_single_precision(stages, agreement):
    """Twenty steps in fp32; a stage chain in dried tissue, five times as stiff, gathers more."""
    if not fused.has_compiler():
        pytest.skip("no C++ compiler here")
    fixed = ("i-", "i+", "j-", "j+", "k-", "k+")
    heat, excess, _ = march("eager", (40, 36, 32), stages=stages, fixed=fixed)
    compiled_heat, compiled_excess, _ = march("compiled", (40, 36, 32), stages=stages, fixed=fixed)
    for one, other in ((heat, compiled_heat), (excess, compiled_excess)):
        assert float((one - other).abs().max() / one.abs().max()) < agreement


def test_compilation_must_pay():
    """10 min at 128^3 is worth it, a minute or a small grid is not, and a GPU is left alone."""
    cpu = torch.device("cpu")
    if fused.has_compiler():
        assert worth_compiling(128**3, 660, cpu)
    assert not worth_compiling(128**3, 120, cpu)
    assert not worth_compiling(48**3, 780, cpu)
    assert not worth_compiling(128**3, 660, torch.device("cuda"))


def test_small_runs_are_eager_and_say_so():
    law = BoxedLaw(law=LAW, box=HotBox(shape=(4, 4, 4)))
    carrier, _ = engine_for("auto", equation((8, 8, 8), fixed=()), law, steps=10)
    assert isinstance(carrier, EagerStep)
    assert carrier.name == "torch eager"


def test_an_engine_nobody_knows_is_refused():
    law = BoxedLaw(law=LAW, box=HotBox(shape=(4, 4, 4)))
    with pytest.raises(UsageError, match="no engine is called 'steam'"):
        engine_for("steam", equation((8, 8, 8), fixed=()), law, steps=10)


def test_compiling_without_a_compiler_is_refused_not_replaced(monkeypatch):
    monkeypatch.setattr(engine_module, "has_compiler", lambda: False)
    law = BoxedLaw(law=LAW, box=HotBox(shape=(4, 4, 4)))
    with pytest.raises(EnvironmentFaultError, match="no C\\+\\+ compiler"):
        engine_for("compiled", equation((8, 8, 8), fixed=()), law, steps=10)


def test_a_function_ripens_with_the_cells_it_has_worked(monkeypatch):
    monkeypatch.setattr(fused, "AFTER_UPDATES", 25)
    monkeypatch.setattr(fused, "has_compiler", lambda: True)
    monkeypatch.setattr(fused, "_compiled", lambda _: lambda x: x + 2)
    worker, ten = Ripening(function=lambda x: x + 1), torch.zeros(10)
    assert [float(worker(ten)[0]) for _ in range(4)] == [1.0, 1.0, 2.0, 2.0]


def test_faces_written_on_the_grid_are_those_of_the_sweep():
    """Conductivity is made anew in place: the flat faces must see it."""
    given = equation((5, 6, 7), fixed=("i-",))
    laid = FusedStep.of(given, LAW, HotBox(shape=(5, 6, 7)))
    for axis in range(3):
        laid.diffusion.inner[axis][1, 2, 3] = 42.0 + axis
    cell = (1 * 6 + 2) * 7 + 3
    first, second, third, _ = laid.faces
    assert float(first[cell + 42]) == 42.0
    assert float(second[cell + 7]) == 43.0
    assert float(third[cell + 1]) == 44.0


def test_the_box_holds_what_left_baseline_and_never_shrinks():
    box = HotBox(shape=(40, 40, 40))
    excess = torch.zeros(40, 40, 40)
    assert not box.cover(excess)
    assert box.is_empty
    excess[19:22, 18:21, 20:23] = 5.0
    assert box.cover(excess)
    assert box.of(excess).sum() == excess.sum()
    assert box.of(excess).numel() < 20**3
    before = box.slices
    assert not box.cover(torch.zeros(40, 40, 40))
    assert box.slices == before
