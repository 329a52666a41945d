"""What is not known about tissue, device and damage: priors as data, and draws from them.

A parameter is named by what it belongs to: `tissue.perfusion_1_s`, `device.efficiency`,
`oneill.scale_c` (a damage model's name and number). A prior is a quantile function, linear between
its knots; two values and no shares make a uniform range.

Draws are a Latin hypercube: each of n draws has its own n-th of every parameter's range of
probability (McKay, Beckman & Conover, Technometrics 21:239, 1979). Parameters are drawn one by one,
since nobody published how they hang together; one thing is known of all of them, that untreated
liver lives, and draws whose damage model kills it within an hour are drawn anew.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netseg.domain.ablation import AblationModality
from netseg.domain.codes import Code
from netseg.domain.errors import StudyRejectedError
from netseg.simulate.carried import carried_names, read_carried
from netseg.simulate.tissue import Tissue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jaxtyping import Float

    from netseg.simulate.damage import DamageModel
    from netseg.simulate.scene import Scene

PRIOR_KEYS = ("values", "shares", "relative", "source")
RFA_ONLY = ("tissue.sigma_s_m", "tissue.sigma_rise_1_k")
DEVICE = ("efficiency",)
UNTREATED_S, UNTREATED_STEP_S = 3600.0, 60.0
MOST_ROUNDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is known of one number before the ablation.

    Attributes:
        name: The parameter.
        values: Ascending values; equal ones fix the number.
        shares: Their cumulative probabilities, from 0 to 1.
        relative: Whether the value multiplies the plan's own number instead of replacing it.
        source: Where the numbers are from.
    """

    name: str
    values: tuple[float, ...]
    shares: tuple[float, ...] = (0.0, 1.0)
    relative: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        """Keep it a quantile function."""
        fine = len(self.values) == len(self.shares) >= 2
        fine = fine and all(math.isfinite(v) for v in (*self.values, *self.shares))
        if not fine or self.shares[0] != 0 or self.shares[-1] != 1:
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"prior {self.name}: as many values as shares, finite, with shares from 0 to 1; got "
                f"values {self.values} and shares {self.shares}.",
            )
        if any(np.diff(self.values) < 0) or any(np.diff(self.shares) <= 0):
            raise StudyRejectedError(
                Code.CONFIG_RANGE,
                f"prior {self.name} is upside down: values and shares must ascend; got values "
                f"{self.values} and shares {self.shares}.",
                hint="Write the smallest value first.",
            )

    def quantile(self, share: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """The values that lie above these shares of the probability."""
        return np.interp(share, self.shares, self.values)


def load_priors(name: str) -> tuple[Prior, ...]:
    """One of the sets that netseg carries, by the name of its tissue.

    Raises:
        StudyRejectedError: If there is no set of this name.
    """
    document = read_carried(
        "priors", name, called="set of priors", otherwise="Or hand the priors in."
    )
    return parse_priors(document)


def parse_priors(document: Mapping[str, Any]) -> tuple[Prior, ...]:
    """Priors of a mapping from parameter to `values`, `shares`, `relative`, `source`.

    Raises:
        StudyRejectedError: If a key is unknown or a value of the wrong kind.
    """
    priors = []
    for name, numbers in document.items():
        if (
            not isinstance(numbers, dict)
            or set(numbers) - set(PRIOR_KEYS)
            or "values" not in numbers
        ):
            raise StudyRejectedError(
                Code.CONFIG_UNKNOWN_KEY,
                f"prior {name} must be a mapping with values and, where needed, "
                f"{', '.join(PRIOR_KEYS[1:])}; got {numbers!r}.",
            )
        priors.append(
            Prior(
                name=str(name),
                values=tuple(float(v) for v in numbers["values"]),
                shares=tuple(float(v) for v in numbers.get("shares", (0.0, 1.0))),
                relative=bool(numbers.get("relative", False)),
                source=str(numbers.get("source", "")),
            )
        )
    return tuple(priors)


def priors_for(scene: Scene, models: Sequence[DamageModel]) -> tuple[Prior, ...]:
    """The carried set of the scene's tissue, without what has no say in it.

    Electrical numbers speak where electrodes are, the efficiency where antennas are, a damage
    model's numbers where the model is.

    Raises:
        StudyRejectedError: If the tissue has no set of priors.
    """
    if scene.tissue.name not in carried_names("priors"):
        raise StudyRejectedError(
            Code.SIMULATION_REFUSED,
            f"tissue {scene.tissue.name!r} has no priors; there are sets for "
            f"{', '.join(carried_names('priors'))}.",
            hint="Name one of these tissues, or hand the priors in.",
        )
    modality = scene.probes[0].device.modality if scene.probes else None
    kept = []
    for prior in load_priors(scene.tissue.name):
        owner = prior.name.split(".")[0]
        if prior.name in RFA_ONLY and modality is not AblationModality.RFA:
            continue
        if owner == "device" and modality is not AblationModality.MWA:
            continue
        if owner not in ("tissue", "device") and owner not in {m.name for m in models}:
            continue
        kept.append(prior)
    return tuple(kept)


def vary(
    scene: Scene,
    models: Sequence[DamageModel],
    values: Mapping[str, float],
    relative: frozenset[str] = frozenset(),
) -> tuple[Scene, tuple[DamageModel, ...]]:
    """The scene and its damage models with some numbers replaced.

    Tissues given by label keep their numbers; they are the plan's own.

    Args:
        scene: What lies where.
        models: Damage models.
        values: New number by parameter.
        relative: Parameters whose value multiplies the present number.

    Raises:
        StudyRejectedError: If there is no such parameter, or a number is impossible.
    """
    tissue, devices = scene.tissue, [p.device for p in scene.probes]
    varied = {m.name: m for m in models}

    def replaced(thing: Any, field: str, value: float, name: str) -> Any:
        before = getattr(thing, field)
        return dataclasses.replace(thing, **{field: before * value if name in relative else value})

    for name, value in values.items():
        owner, _, field = name.partition(".")
        if owner == "tissue" and field in _numbers(tissue):
            tissue = replaced(tissue, field, value, name)
        elif owner == "device" and field in DEVICE:
            devices = [replaced(d, field, value, name) for d in devices]
        elif owner in varied and field in _numbers(varied[owner]):
            varied[owner] = replaced(varied[owner], field, value, name)
        else:
            raise _unknown(name, varied)
    probes = tuple(
        dataclasses.replace(p, device=d) for p, d in zip(scene.probes, devices, strict=True)
    )
    return dataclasses.replace(scene, tissue=tissue, probes=probes), tuple(varied.values())


def draw(
    priors: Sequence[Prior], draws: int, seed: int, *, models: Sequence[DamageModel] = ()
) -> dict[str, Float[np.ndarray, "n"]]:
    """Draw parameters; the same seed gives the same numbers.

    Args:
        priors: One per parameter.
        draws: How many.
        seed: Of the generator.
        models: Damage models that must let untreated liver live for an hour.

    Raises:
        StudyRejectedError: If draws is not positive, a parameter stands twice, or no draw lets
            untreated liver live.
    """
    if draws < 1:
        raise StudyRejectedError(
            Code.CONFIG_RANGE, f"an ensemble needs at least one draw; got {draws}."
        )
    names = [p.name for p in priors]
    if twice := {n for n in names if names.count(n) > 1}:
        raise StudyRejectedError(
            Code.CONFIG_RANGE, f"each parameter has one prior; given twice: {sorted(twice)}."
        )
    generator = np.random.default_rng(seed)
    kept = np.zeros((0, len(priors)))
    for _ in range(MOST_ROUNDS):
        order = np.argsort(generator.random((draws, len(priors))), axis=0)
        shares = (order + generator.random((draws, len(priors)))) / draws
        values = [p.quantile(shares[:, n]) for n, p in enumerate(priors)]
        table = np.column_stack(values) if values else np.zeros((draws, 0))
        kept = np.concatenate((kept, table[_untreated_lives(priors, table, models)]))[:draws]
        if len(kept) == draws:
            return {name: kept[:, n] for n, name in enumerate(names)}
    raise StudyRejectedError(
        Code.CONFIG_RANGE,
        f"of {MOST_ROUNDS * draws} draws only {len(kept)} let untreated liver live for an hour.",
        hint="Narrow the priors of the damage model.",
    )


def _untreated_lives(
    priors: Sequence[Prior], table: np.ndarray, models: Sequence[DamageModel]
) -> np.ndarray:
    """Which draws leave liver at 37 C alive for an hour under every damage model."""
    lives = np.ones(len(table), dtype=np.bool_)
    body = torch.full((len(table),), 37.0, dtype=torch.float64)
    for model in models:
        drawn = {}
        for column, prior in enumerate(priors):
            owner, _, field = prior.name.partition(".")
            if owner == model.name and field in _numbers(model):
                values = torch.from_numpy(table[:, column].copy())
                drawn[field] = values * getattr(model, field) if prior.relative else values
        if drawn:
            varied: Any = dataclasses.replace(model, **drawn)  # pyright: ignore[reportArgumentType]
            state = varied.start(body)
            for _ in range(round(UNTREATED_S / UNTREATED_STEP_S)):
                state = varied.advance(state, body, body, UNTREATED_STEP_S)
            lives &= (varied.depth(state) < 0).numpy()
    return lives


def _numbers(thing: Any) -> tuple[str, ...]:
    """Names of the numeric fields of a frozen set of numbers."""
    return tuple(
        f.name
        for f in dataclasses.fields(thing)
        if isinstance(getattr(thing, f.name), (int, float))
        and not isinstance(getattr(thing, f.name), bool)
    )


def _unknown(name: str, models: Mapping[str, DamageModel]) -> StudyRejectedError:
    known = [f"tissue.{f}" for f in _numbers(Tissue())] + [f"device.{f}" for f in DEVICE]
    known += [f"{m}.{f}" for m, model in models.items() for f in _numbers(model)]
    close = difflib.get_close_matches(name, known, 1)
    return StudyRejectedError(
        Code.CONFIG_UNKNOWN_KEY,
        f"there is no parameter {name!r} here; there are {', '.join(known)}.",
        hint=f"Did you mean {close[0]!r}?" if close else "",
    )
