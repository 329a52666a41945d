"""Several electrodes by superposition (row A23, ii and iii)."""

import numpy as np
import pytest
import torch

from netseg.domain.errors import StudyRejectedError
from netseg.simulate.circuit import Connection, Wired, solve_circuit
from netseg.simulate.diffusion import FACES, Diffusion
from netseg.simulate.electric import unit_field
from netseg.simulate.needle import LineKernel, Needle

N, H = 34, 2.0
CELL_M3 = (H * 1e-3) ** 3
IDS = ("A", "B", "C")


def tissue():
    """Warm around one needle, dried around another."""
    generator = torch.Generator().manual_seed(4)
    sigma = 0.2 * (1 + 0.3 * torch.rand(N, N, N, generator=generator))
    sigma[14:17, 18:21, 14:20] *= 0.05
    return sigma


def needle(sigma, x, y):
    middle = (N - 1) / 2 * H
    placed = Needle(
        tip_mm=(middle + x, middle + y, middle - 10),
        direction=(0, 0, 1),
        active_length_mm=20,
        diameter_mm=1.5,
    )
    kernel = LineKernel.embed(placed, (N, N, N), (H,) * 3, like=sigma)
    return kernel, kernel.link(sigma)


def three(sigma, *, fixed=FACES, tolerance=1e-3):
    """A triangle; C is a cluster of two needles."""
    electrodes = (
        (needle(sigma, -8, 0),),
        (needle(sigma, 8, 0),),
        (needle(sigma, -2.5, 12), needle(sigma, 2.5, 12)),
    )
    operator = Diffusion.assemble(sigma, (H,) * 3, fixed=fixed)
    tissue = Wired(conduction=operator, electrodes=electrodes, cell_m3=CELL_M3)
    return solve_circuit(tissue, IDS, tolerance=tolerance)


VOLTS = [(1.0, 0.0, 0.0), (1.0, 1.0, 1.0), (40.0, -25.0, 7.0), (0.5, -0.5, 0.0)]


@pytest.mark.parametrize("volts", VOLTS)
@pytest.mark.parametrize("fixed", [FACES, ()])
def test_power_is_v_g_v_and_the_sum_of_the_heat(volts, fixed):
    """A23 (ii) to 1e-5, at a loose tolerance already."""
    circuit = three(tissue(), fixed=fixed, tolerance=1e-2)
    heat = float(circuit.joule_w_m3(volts).sum(dtype=torch.float64)) * CELL_M3
    assert heat == pytest.approx(circuit.power_w(volts), rel=1e-5, abs=1e-8)  # W: round-off


def test_conductances_are_symmetric_and_a_common_potential_drives_no_current_when_insulated():
    """A23 (iii)."""
    circuit = three(tissue(), fixed=(), tolerance=1e-6)
    g = circuit.conductance_s
    assert np.array_equal(g, g.T)
    assert np.abs(g.sum(1)).max() < 1e-4 * g[0, 0]
    assert (g - np.diag(np.diag(g)) < 0).sum() == 6
    grounded = three(tissue(), tolerance=1e-6).conductance_s
    assert (grounded.sum(1) > 0.01 * grounded[0, 0]).all()


def test_superposition_is_the_field_that_a_solve_at_these_voltages_finds():
    sigma = tissue()
    needles = [needle(sigma, -8, 0), needle(sigma, 8, 0)]
    operator = Diffusion.assemble(sigma, (H,) * 3)
    tissue_with_both = Wired(
        conduction=operator, electrodes=tuple((n,) for n in needles), cell_m3=CELL_M3
    )
    circuit = solve_circuit(tissue_with_both, ("A", "B"), tolerance=1e-6)
    for volts in ((1.0, 1.0), (0.5, -0.5), (1.0, 0.2)):
        field = unit_field(
            operator, needles, cell_m3=CELL_M3, start=torch.zeros_like(sigma), volts=volts,
            tolerance=1e-6,
        )  # fmt: skip
        heat = circuit.joule_w_m3(volts)
        assert torch.allclose(heat, field.joule_w_m3, rtol=1e-3, atol=1e-4 * float(heat.max()))


def test_a_floating_electrode_carries_no_net_current_but_takes_a_potential():
    circuit = three(tissue(), tolerance=1e-5)
    volts = circuit.volts(Connection(plus=("A",)))
    current = circuit.conductance_s @ volts
    assert volts[0] == pytest.approx(1.0)
    assert np.abs(current[1:]).max() < 1e-9
    assert (volts[1:] > 0.02).all()
    assert circuit.load_ohm(Connection(plus=("A",))) > circuit.load_ohm(Connection(plus=IDS))


@pytest.mark.parametrize("fixed", [FACES, ()])
def test_what_leaves_one_needle_of_a_pair_returns_to_the_other(fixed):
    """Also beside a grounded border: a bipolar generator is isolated from the pad."""
    circuit = three(tissue(), fixed=fixed, tolerance=1e-5)
    volts = circuit.volts(Connection(plus=("A",), minus=("B", "C")))
    current = circuit.conductance_s @ volts
    assert volts[0] - volts[1] == pytest.approx(1.0, rel=1e-6)
    assert volts[1] == pytest.approx(volts[2])
    assert abs(current.sum()) < 2e-4 * current[0]


def test_three_at_one_potential_leave_the_middle_cold():
    """The screening that makes simultaneous monopolar needles weak: no field between them."""
    sigma = torch.full((N, N, N), 0.2)
    circuit = three(sigma)
    middle = (slice(15, 19), slice(18, 21), slice(15, 19))
    together, alone = (
        circuit.joule_w_m3(circuit.volts(Connection(plus=plus))) for plus in (IDS, ("A",))
    )
    per_watt = [float(heat[middle].mean()) / float(heat.sum()) for heat in (together, alone)]
    assert per_watt[0] < 0.5 * per_watt[1]


def test_an_electrode_at_both_poles_is_refused():
    with pytest.raises(StudyRejectedError, match="none at both poles; got A, B against B"):
        Connection(plus=("A", "B"), minus=("B",))
    with pytest.raises(StudyRejectedError, match="got none against the pad"):
        Connection(plus=())
