"""Which way of driving three electrodes makes the larger zone (rows B3 and B9).

Three clusters 4 cm apart in excised liver, 12 min each way, one generator of 200 W and 2 A: volumes
and temperatures in the middle of Radiology 2005 (2342031122): 22.3 ml and 41 C all at once, 116.4 ml
and 97 C switched, 137.5 ml and 80 C one after another. Coarse cells and long steps here; the figures
are those of experiments/rfa_published.
"""

import itertools
import math

import numpy as np
import pytest
import torch

from netseg.domain import AblationModality, AblationProtocol, Grid, PointMm
from netseg.simulate import load_tissue
from netseg.simulate.damage import damage_model
from netseg.simulate.devices import parse_device
from netseg.simulate.scene import PlacedProbe, Scene
from netseg.simulate.scene_run import simulate_scene

COOLED = parse_device(
    {
        "modality": "rfa",
        "diameter_mm": 1.5,
        "active_length_mm": 25,
        "max_power_w": 200,
        "coolant_c": 15,
        "coolant_w_m2k": 3366,
    },
    "cooled",
)


def corners(side_mm):
    """Of an equilateral triangle around the origin."""
    turns = (math.pi / 2 + n * 2 * math.pi / 3 for n in range(3))
    return [side_mm / math.sqrt(3) * np.array((math.cos(a), math.sin(a))) for a in turns]


def excised_liver(places, *, h, kind=COOLED):
    """A box around parallel probes."""
    reach = np.abs(np.array(list(places.values()))).max(0)
    tip = -0.5 * kind.active_length_mm
    half = np.append(reach, -tip) + 30.0
    shape = tuple(math.ceil(2 * x / h) for x in half)
    affine = np.diag([h, h, h, 1.0])
    affine[:3, 3] = -0.5 * (np.array(shape) - 1) * h
    return Scene(
        grid=Grid(shape=shape, affine_lps=affine, frame_uid="dish"),
        probes=tuple(
            PlacedProbe(
                id=name,
                device=kind,
                tip_mm=PointMm(float(x), float(y), tip),
                direction=(0.0, 0.0, 1.0),
                active_length_mm=kind.active_length_mm,
            )
            for name, (x, y) in places.items()
        ),
        tissue=load_tissue("liver_ex_vivo"),
    )


def ablated(scene, duration_s, controller, schedule=(), settings=None):
    """Volume in ml, and the highest temperature in the middle in C."""
    protocol = AblationProtocol(
        modality=AblationModality.RFA, duration_s=duration_s, power_w=200.0,
        controller=controller, schedule=schedule, settings=settings or {},
    )  # fmt: skip
    models = [damage_model("oneill"), damage_model("arrhenius")]
    done = simulate_scene(scene, protocol, models, like=torch.zeros(()), step_s=3.0)
    middle = tuple(n // 2 for n in scene.grid.shape)
    assert done.energy.balance_error < 1e-4
    return done.volumes_ml, float(done.fields["hottest_c"][middle])


@pytest.mark.slow
def test_three_clusters_all_at_once_ablate_less_than_switched_and_these_less_than_in_turn():
    """B3; current that is shared among three leaves the middle between them cold."""
    places = {
        f"{name}.{n}": centre + offset
        for name, centre in zip("ABC", corners(40.0), strict=True)
        for n, offset in enumerate(corners(5.0), start=1)
    }
    dish = excised_liver(places, h=4.0)
    in_turn = tuple({"duration_s": 720.0, "probes": [name]} for name in "ABC")
    runs = [
        ablated(dish, 720.0, "impedance"),
        ablated(dish, 720.0, "switching"),
        ablated(dish, 2160.0, "impedance", in_turn),
    ]
    volumes = [volume["oneill"] for volume, _ in runs]
    assert volumes == sorted(volumes)
    assert all(b > 1.1 * a for a, b in itertools.pairwise(volumes))
    middle_c = [middle for _, middle in runs]
    assert middle_c[0] < 50 < middle_c[2] < middle_c[1]


CRYO_COOLED = parse_device(
    {
        "modality": "rfa",
        "diameter_mm": 1.5,
        "active_length_mm": 30,
        "max_power_w": 200,
        "coolant_c": 0,
        "coolant_w_m2k": 3366,
    },
    "cryo-cooled",
)


@pytest.mark.slow
def test_constant_voltage_ablates_less_than_pulses_and_these_less_than_the_impedance_controller():
    """B9, short axes of 44.4, 46.1 and 51.1 mm after 715, 816 and 1,062 s; the order alone."""
    dish = excised_liver({"A": np.zeros(2)}, h=2.5, kind=CRYO_COOLED)
    limits = {"limit_v": 60.0, "limit_a": 2.0}
    on, off = {"duration_s": 20.0}, {"duration_s": 10.0, "off": True}
    pulses = (*(27 * (on, off)), {"duration_s": 6.0})
    runs = [
        ablated(dish, 715.0, "constant", settings=limits),
        ablated(dish, 816.0, "constant", pulses, settings=limits),
        ablated(dish, 1062.0, "impedance"),
    ]
    for model in ("oneill", "arrhenius"):
        volumes = [volume[model] for volume, _ in runs]
        assert all(b > 1.05 * a for a, b in itertools.pairwise(volumes))
