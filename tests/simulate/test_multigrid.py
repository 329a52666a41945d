"""The multigrid cycle: the same answer as Jacobi scaling, in a handful of iterations."""

import itertools

import pytest
import torch

from netseg.simulate.conjugate import conjugate_gradients
from netseg.simulate.diffusion import FACES, Diffusion
from netseg.simulate.multigrid import Multigrid


def problem(shape, spacing_mm, *, jumps=0.01, fixed=FACES, dtype=torch.float64, seed=0):
    """Tissue with a dried core and random dried cells; two held cells push current through it."""
    generator = torch.Generator().manual_seed(seed)
    axes = [
        (torch.arange(n, dtype=dtype) - (n - 1) / 2) * h
        for n, h in zip(shape, spacing_mm, strict=True)
    ]
    i, j, k = torch.meshgrid(*axes, indexing="ij")
    sigma = torch.full(shape, 0.2, dtype=dtype)
    size = min(n * h for n, h in zip(shape, spacing_mm, strict=True) if n > 1)
    sigma[(i**2 + j**2 + (k / 2) ** 2) < (0.15 * size) ** 2] *= jumps
    dried = torch.rand(shape, generator=generator, dtype=dtype) < 0.03
    sigma[dried & (i.abs() < 0.3 * size)] *= jumps
    operator = Diffusion.assemble(sigma, spacing_mm, fixed=fixed)
    ties = torch.zeros(shape, dtype=dtype)
    middle = [n // 2 for n in shape]
    for side in (-shape[0] // 4, shape[0] // 4):
        ties[middle[0] + side, middle[1], middle[2]] = float(operator.diagonal().mean())
    source = ties * torch.where(i > 0, 1.0, -0.5).to(dtype)
    return operator, ties, source


def solve(operator, ties, source, *, tolerance, multigrid=True):
    scaled = 1.0 / (operator.diagonal() + ties)
    return conjugate_gradients(
        lambda v: ties * v - operator.apply(v),
        source,
        start=torch.zeros_like(source),
        tolerance=tolerance,
        **(
            {"precondition": Multigrid.of(operator, ties=ties)}
            if multigrid
            else {"inverse_diagonal": scaled}
        ),
    )


@pytest.mark.parametrize(
    ("shape", "spacing_mm"),
    [
        ((32, 32, 32), (1.0, 1.0, 1.0)),
        ((29, 35, 23), (1.0, 1.0, 1.0)),  # odd on every axis
        ((40, 40, 9), (1.0, 1.0, 5.0)),  # slices
        ((24, 30, 40), (0.7, 1.3, 3.1)),
        ((45, 52, 1), (1.0, 1.0, 1.0)),  # a plane
    ],
)
@pytest.mark.parametrize("fixed", [FACES, ("k+", "j-"), ()])
def test_multigrid_finds_what_jacobi_finds_in_far_fewer_iterations(shape, spacing_mm, fixed):
    """Dried tissue conducts a hundredth; grounded on all, on two or on no sides."""
    operator, ties, source = problem(shape, spacing_mm, fixed=fixed)
    slow, many = solve(operator, ties, source, tolerance=1e-9, multigrid=False)
    fast, few = solve(operator, ties, source, tolerance=1e-9)
    assert torch.allclose(fast, slow, atol=1e-6)
    assert few < 30
    assert few < many / 3 or many <= 25  # a plane grounded across itself is easy for both


def test_iterations_hardly_depend_on_the_size_of_the_grid():
    """Jacobi needs twice as many on a grid of twice the cells along an axis."""
    many, few = (
        [
            solve(*problem((n, n, n), (64 / n,) * 3), tolerance=1e-6, multigrid=multigrid)[1]
            for n in (16, 32, 64)
        ]
        for multigrid in (False, True)
    )
    assert many[2] > 1.7 * many[1] > 2.4 * many[0]
    assert max(few) <= 10
    assert max(few) - min(few) <= 3


@pytest.mark.parametrize(("jumps", "most"), [(1.0, 4), (0.1, 4), (1e-2, 4), (1e-4, 10)])
def test_dried_tissue_costs_hardly_an_iteration(jumps, most):
    """To the tolerance of a run; vapour conducts 1e-2 to 1e-4 in the literature."""
    assert solve(*problem((40, 40, 40), (1.0,) * 3, jumps=jumps), tolerance=1e-3)[1] <= most


def test_the_cycle_is_symmetric_and_definite():
    """What conjugate gradients demand: <a, M b> = <b, M a> and <a, M a> > 0."""
    operator, ties, _ = problem((13, 18, 11), (1.0, 1.5, 1.0))
    cycle = Multigrid.of(operator, ties=ties)
    generator = torch.Generator().manual_seed(3)
    tried = torch.randn(4, 13, 18, 11, dtype=torch.float64, generator=generator)
    for a, b in itertools.combinations(tried, 2):
        assert float((a * cycle(b)).sum()) == pytest.approx(float((b * cycle(a)).sum()), rel=1e-10)
    for a in tried:
        assert float((a * cycle(a)).sum()) > 0


def test_a_small_grid_is_solved_at_once():
    operator, ties, source = problem((6, 6, 6), (1.0, 1.0, 1.0))
    assert not Multigrid.of(operator, ties=ties).levels
    assert solve(operator, ties, source, tolerance=1e-6)[1] <= 1


def test_exactly_one_preconditioner_is_taken():
    one = torch.ones(2, 2, 2)
    with pytest.raises(ValueError, match="one of the two"):
        conjugate_gradients(lambda x: x, one, start=one, tolerance=1e-3)
    assert (
        conjugate_gradients(
            lambda x: x, one, start=torch.zeros_like(one), tolerance=1e-3, inverse_diagonal=one
        )[1]
        == 1
    )
