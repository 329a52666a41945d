"""Scanners: what blurs where, and how noise is spread."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from netseg.phantom.acquisition import Scan, Scanners, draw_scan, record, seen
from netseg.phantom.appearance import Palette, draw_patient, palette
from netseg.phantom.chance import Chance
from netseg.phantom.misfit import Misfit, draw_misfit, moved, rotation
from netseg.phantom.separable import cloud, gaussian, slabs
from netseg.phantom.tissue import Tissue

SHAPE = (40, 36, 48)


def chance_of(seed: int) -> Chance:
    return Chance.on(torch.device("cpu"), torch.Generator().manual_seed(seed))


def scan_of(channel: str, scanners: Scanners, seed: int = 1) -> tuple[Scan, Palette]:
    chance = chance_of(seed)
    look = palette(channel, draw_patient(chance), chance)
    return draw_scan(look, SHAPE, 1.5, scanners, chance), look


def step_width(line: torch.Tensor) -> float:
    """Millimetres between a tenth and nine tenths of a step from 0 to 1, to a voxel."""
    return 1.5 * int(((line > 0.1) & (line < 0.9)).sum())


def _line(axis: int) -> tuple[slice | int, ...]:
    """Voxels along one axis."""
    return tuple(slice(None) if a == axis else 9 for a in range(3))


def test_thick_slices_blur_along_the_body_and_nowhere_else() -> None:
    halves = [torch.zeros(SHAPE) for _ in range(3)]
    halves[0][20:] = 1.0
    halves[1][:, 18:] = 1.0
    halves[2][:, :, 24:] = 1.0
    thin, _ = scan_of("ct_portal", Scanners(thickness_mm=(1.0, 1.01)))
    thick, _ = scan_of("ct_portal", Scanners(thickness_mm=(8.0, 8.01)))
    across, down = (
        [step_width(seen(scan, half)[_line(axis)]) for axis, half in enumerate(halves)]
        for scan in (thin, thick)
    )
    assert across[0] == down[0] <= 3.0
    assert across[1] == down[1] <= 3.0
    assert across[2] <= 1.5
    assert 4.5 <= down[2] <= 13.5  # 80 % of an 8 mm slab, plus interpolation between slabs


def test_what_is_constant_stays_constant_and_a_ramp_is_not_shifted() -> None:
    ramp = torch.arange(SHAPE[2], dtype=torch.float32).expand(SHAPE)
    for seed in range(6):
        scan, _ = scan_of("ct_portal", Scanners(), seed)
        assert torch.allclose(seen(scan, torch.ones(SHAPE)), torch.ones(SHAPE), atol=1e-4)
        inner = seen(scan, ramp)[20, 18, 8:-8]
        assert torch.allclose(inner, ramp[0, 0, 8:-8], atol=0.05)


def test_a_pet_blurs_a_point_to_its_stated_width() -> None:
    """A point becomes a bell of FWHM 4-8 mm, widened by samples of at most 4.5 mm."""
    for fwhm in (4.0, 8.0):
        scan, _ = scan_of("pet_sstr", Scanners(psf_mm=(fwhm, fwhm + 1e-3)))
        point = torch.zeros(SHAPE)
        point[20, 18, 24] = 1.0
        line = seen(scan, point).sum(dim=(1, 2))
        at = torch.arange(SHAPE[0], dtype=torch.float32) * 1.5
        middle = float((at * line).sum() / line.sum())
        width = 2.3548 * float((((at - middle) ** 2) * line).sum() / line.sum()) ** 0.5
        assert float(line.sum()) == pytest.approx(1.0, abs=0.15)
        assert middle == pytest.approx(30.0, abs=1.5)
        assert fwhm - 0.3 <= width <= (fwhm**2 + 2 * 4.5**2 * 0.46 + 4.5**2) ** 0.5


@pytest.mark.parametrize("channel", ["ct_portal", "mr_t1", "pet_sstr"])
def test_noise_has_the_stated_size_in_the_liver(channel: str) -> None:
    """Between slices it is smaller: half the variance midway between two."""
    quiet = Scanners(streaks=0.0, ghosts=0.0, bias=0.0, thickness_mm=(1.0, 1.01))
    for seed in range(4):
        scan, look = scan_of(channel, quiet, seed)
        flat = torch.full(SHAPE, look.liver)
        spread = float((record(scan, flat.clone(), quiet, chance_of(seed)) - flat).std())
        assert 0.55 * scan.noise < spread < 1.2 * scan.noise
        assert scan.spread >= scan.noise
        if channel == "pet_sstr":
            assert 0.05 <= scan.noise / look.liver <= 0.20


def test_noise_of_a_pet_grows_with_uptake_and_air_is_nearly_silent() -> None:
    quiet = Scanners()
    scan, look = scan_of("pet_sstr", quiet)
    hot = record(scan, torch.full(SHAPE, 4.0 * look.liver), quiet, chance_of(2)).std()
    warm = record(scan, torch.full(SHAPE, look.liver), quiet, chance_of(2)).std()
    assert float(hot / warm) == pytest.approx(2.0, rel=0.05)


def test_streaks_ghosts_and_bias_change_an_image_only_where_they_are_asked_for() -> None:
    flat = torch.full(SHAPE, 100.0)
    none = Scanners(streaks=0.0, ghosts=0.0, bias=0.0, noise_hu=(1e-3, 1.1e-3))
    scan, _ = scan_of("ct_portal", none)
    assert float((record(scan, flat.clone(), none, chance_of(1)) - flat).abs().max()) < 0.1
    always = replace(none, streaks=1.0)
    struck = [
        float((record(scan, flat.clone(), always, chance_of(s)) - flat).abs().max())
        for s in range(5)
    ]
    assert max(struck) > 3.0
    assert max(struck) < 250.0


def test_slabs_are_means_and_lie_where_they_are_said_to() -> None:
    down, back = slabs(12, 3.0, 3.0, 1.0, torch.device("cpu"))
    assert down.shape == (4, 12)
    ramp = torch.arange(12, dtype=torch.float32)
    assert torch.allclose(down @ ramp, torch.tensor([1.0, 4.0, 7.0, 10.0]), atol=1e-3)
    assert torch.allclose((back @ down @ ramp)[1:11], ramp[1:11], atol=2e-3)


def test_a_blur_narrower_than_a_sixth_of_a_voxel_is_none_at_all() -> None:
    assert gaussian(9, 0.1, torch.device("cpu")) is None
    blur = gaussian(9, 1.0, torch.device("cpu"))
    assert blur is not None
    assert torch.allclose(blur.sum(dim=1), torch.ones(9))


def test_a_cloud_has_unit_variance_and_is_smooth() -> None:
    drawn = torch.stack([cloud((24, 24, 24), 6.0, chance_of(s)) for s in range(20)])
    assert float(drawn.std()) == pytest.approx(1.0, abs=0.1)
    change = (drawn[:, 1:] - drawn[:, :-1]).std()
    assert float(change) < 0.5


def test_a_shift_moves_what_it_says_and_a_quarter_turn_keeps_right_angles() -> None:
    """A voxel shows what lies `shift_mm` further along: a plane at 20 comes to 18 at 3 mm of 1.5 mm."""
    plane = torch.zeros(1, *SHAPE)
    plane[0, 20] = 1.0
    shifted = moved(plane, Misfit(shift_mm=(3.0, 0.0, 0.0), turn_deg=(0.0, 0.0, 0.0)), 1.5)[0]
    assert int(shifted[:, 9, 9].argmax()) == 18
    assert float(shifted[18].min()) == pytest.approx(1.0, abs=1e-4)
    turn = rotation((0.0, 0.0, 90.0))
    assert torch.allclose(turn @ turn.T, torch.eye(3), atol=1e-6)
    assert torch.allclose(
        turn @ torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]), atol=1e-6
    )


def test_a_turned_image_keeps_its_distances_on_a_patch_that_is_no_cube() -> None:
    """Two points 18 mm apart stay 18 mm apart, whatever the patch's proportions."""
    points = torch.zeros(1, 60, 26, 9)
    points[0, 23:26, 12:15, 3:6] = 1.0
    points[0, 35:38, 12:15, 3:6] = 1.0
    turned = moved(points, Misfit(shift_mm=(0.0, 0.0, 0.0), turn_deg=(0.0, 0.0, 30.0)), 1.5)[0]
    from scipy.ndimage import center_of_mass, label

    parts: Any = label((turned > 0.4).numpy())
    assert parts[1] == 2
    a, b = (torch.tensor(c) for c in center_of_mass(turned.numpy(), parts[0], [1, 2]))
    assert float((a - b).norm()) * 1.5 == pytest.approx(18.0, abs=0.7)


def test_misfits_keep_their_bounds() -> None:
    chance = chance_of(4)
    drawn = [draw_misfit(6.0, 5.0, chance) for _ in range(300)]
    shifts = [sum(d * d for d in m.shift_mm) ** 0.5 for m in drawn]
    assert 5.0 < max(shifts) <= 6.0
    assert max(abs(a) for m in drawn for a in m.turn_deg) <= 5.0


def test_liver_is_part_of_every_palette() -> None:
    scan, look = scan_of("mr_hepatobiliary", Scanners())
    assert look.liver == look.of(Tissue.LIVER) > 0
    assert scan.palette is look
