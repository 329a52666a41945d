"""Training images on the fly: from a lesion-free label map to images of any channels and their truth.

Everything runs in torch on the device of the label map. One call plants lesions and look-alikes,
draws how each channel shows them, passes every channel through a scanner of its own and keeps in
the truth only what at least one of the channels shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from netseg.phantom.acquisition import Scan, Scanners, draw_scan, record
from netseg.phantom.anatomy import Anatomy, draw_anatomy
from netseg.phantom.appearance import CHANNELS, draw_patient, free_palette, paint, palette
from netseg.phantom.chance import Chance
from netseg.phantom.looks import allowed_mimics, change, draw_temper, look
from netseg.phantom.misfit import Misfit, draw_misfit, moved
from netseg.phantom.separable import apply, cloud
from netseg.phantom.tumours import (
    Growth,
    Pattern,
    TumourPrior,
    draw_mimics,
    draw_orders,
    grow_all,
    survey,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.phantom.appearance import Family, Palette, Patient
    from netseg.phantom.lesions import LesionKind
    from netseg.phantom.tumours import Mimic

__all__ = ["Anatomy", "Body", "Synthesis", "Synthetic", "draw_anatomy"]

GRAIN_MM = (4.0, 16.0)  # fine and coarse texture of tissues


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One planted lesion or look-alike, as the images show it.

    Attributes:
        number: Its number in `Synthetic.instances`; look-alikes count from -1 down.
        kind: Its look.
        hyper: Whether its living part enhances in the arterial phase.
        diameter_mm: Longest diameter of the shape, before patch or capsule cut it.
        volume_ml: Volume of its voxels in the patch.
        cnr: Contrast over the liver's standard deviation per channel: root mean square of what the
            body changes in the recorded mean image, over its voxels. Empty for look-alikes.
        needed: Smallest contrast-to-noise at which it counts as visible.
        raised: Whether its contrast had to be raised to be visible.
    """

    number: int
    kind: LesionKind | Mimic
    hyper: bool
    diameter_mm: float
    volume_ml: float
    cnr: Mapping[str, float] = field(default_factory=dict)
    needed: float = 0.0
    raised: bool = False

    @property
    def visible(self) -> bool:
        """Whether at least one channel shows it."""
        return any(value >= self.needed for value in self.cnr.values())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Synthetic:
    """Images and truth of one sample, all on the device of the label map.

    Attributes:
        images: Channel to image in native units: HU, MR signal, SUVbw; float32 (i, j, k).
        lesions: The lesions that are visible, in the frame of the first channel's scanner.
        instances: Their numbers, int16; look-alikes are negative.
        bodies: Lesions in the truth.
        mimics: Look-alikes.
        dropped: Lesions that no channel showed; they are in neither images nor truth.
        pattern: How the lesions are spread.
        free: Whether contrasts were drawn freely instead of from the tables.
        scans: The scanner of each channel.
        misfits: How a family of channels lies against the first channel's; absent where it fits.
    """

    images: dict[str, torch.Tensor]
    lesions: torch.Tensor
    instances: torch.Tensor
    bodies: tuple[Body, ...]
    mimics: tuple[Body, ...]
    dropped: tuple[Body, ...]
    pattern: Pattern
    free: bool
    scans: dict[str, Scan]
    misfits: dict[Family, Misfit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """How training images are made; call it with a label map.

    Attributes:
        prior: Lesions and look-alikes.
        scanners: Scanners.
        free: Share of samples whose contrasts are drawn freely.
        misfit: Share of samples of several scanners in which these do not lie on each other.
        shift_mm: Largest shift between scanners.
        turn_deg: Largest turn between scanners about each axis.
        cnr: Contrast-to-noise below which no lesion counts as visible, however large.
        detail: Contrast-to-noise times the root of the lesion's voxels that a small one needs (Rose).
        raise_at_most: Factor by which an invisible lesion's contrast may be raised; beyond, it is
            dropped.
        gap_mm: Liver between lesions that do not touch.
    """

    prior: TumourPrior = field(default_factory=TumourPrior)
    scanners: Scanners = field(default_factory=Scanners)
    free: float = 0.5
    misfit: float = 0.6
    shift_mm: float = 6.0
    turn_deg: float = 5.0
    cnr: float = 0.7
    detail: float = 3.0
    raise_at_most: float = 2.5
    gap_mm: float = 3.0

    def __post_init__(self) -> None:
        """Keep the shares shares."""
        for name in ("free", "misfit"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1]; got {getattr(self, name)}.")
        if self.raise_at_most < 1.0:
            raise ValueError(f"raise_at_most must be 1 or more; got {self.raise_at_most}.")

    @torch.no_grad()
    def __call__(
        self,
        tissues: torch.Tensor,
        liver: torch.Tensor,
        spacing_mm: float,
        channels: tuple[str, ...],
        generator: torch.Generator,
    ) -> Synthetic:
        """Make one sample.

        Args:
            tissues: `Tissue` numbers of a patch, uint8 (i, j, k), cubic voxels, k to the head.
            liver: The liver with its vessels, bool (i, j, k).
            spacing_mm: Voxel edge.
            channels: Wanted images; the first one's scanner is the frame of the truth.
            generator: Source of chance on any device; the same state gives the same bytes.

        Raises:
            ValueError: If no channel or an unknown one is asked for, or the shapes differ.
        """
        _check(tissues, liver, channels)
        chance = Chance.on(tissues.device, generator)
        studio = _Studio.draw(self, tissues, spacing_mm, channels, chance)
        ground = survey(liver, spacing_mm)
        orders, pattern = draw_orders(self.prior, ground.liver_ml, chance)
        allowed = allowed_mimics(channels, free=studio.free)
        orders = orders + draw_mimics(self.prior, allowed, ground.liver_ml, chance)
        grown, numbers = grow_all(ground, orders, self.prior, chance, gap_mm=self.gap_mm)
        return studio.sample(grown, numbers, pattern, chance)


def _check(tissues: torch.Tensor, liver: torch.Tensor, channels: tuple[str, ...]) -> None:
    unknown = [name for name in channels if name not in CHANNELS]
    if unknown or not channels:
        raise ValueError(f"channels must be some of {list(CHANNELS)}; got {list(channels)}.")
    if tissues.shape != liver.shape or tissues.ndim != 3:
        raise ValueError(
            f"tissues {tuple(tissues.shape)} and liver {tuple(liver.shape)} must be one volume."
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Studio:
    """All channels of one sample, set up and ready for lesions."""

    settings: Synthesis
    spacing_mm: float
    free: bool
    patient: Patient
    palettes: dict[str, Palette]
    scans: dict[str, Scan]
    misfits: dict[Family, Misfit]
    clean: dict[str, torch.Tensor]

    @classmethod
    def draw(
        cls,
        settings: Synthesis,
        tissues: torch.Tensor,
        spacing_mm: float,
        channels: tuple[str, ...],
        chance: Chance,
    ) -> _Studio:
        """Draw palettes and scanners and paint the lesion-free channels."""
        free, patient = chance.coin(settings.free), draw_patient(chance)
        palettes = {
            name: free_palette(name, chance) if free else palette(name, patient, chance)
            for name in dict.fromkeys(channels)
        }
        shape = tuple(tissues.shape)
        scans = {
            name: draw_scan(p, shape, spacing_mm, settings.scanners, chance)
            for name, p in palettes.items()
        }
        fine, coarse = (cloud(shape, size / spacing_mm, chance) for size in GRAIN_MM)
        share = chance.uniform(0.3, 0.9)
        texture = share * fine + (1.0 - share**2) ** 0.5 * coarse
        return cls(
            settings=settings,
            spacing_mm=spacing_mm,
            free=free,
            patient=patient,
            palettes=palettes,
            scans=scans,
            misfits=_misfits(settings, channels, chance),
            clean={name: paint(p, tissues, texture) for name, p in palettes.items()},
        )

    def sample(
        self,
        grown: list[Growth],
        numbers: torch.Tensor,
        pattern: Pattern,
        chance: Chance,
    ) -> Synthetic:
        """Plant, record, keep what is visible."""
        changes = {name: self._changes(name, grown, chance) for name in self.palettes}
        weights = {name: [1.0] * len(grown) for name in self.palettes}
        seen = {name: self._seen(name, grown, changes[name], weights[name]) for name in changes}
        bodies = self._measure(grown, numbers, seen)
        raised, lost = self._settle(grown, bodies, weights, chance)
        if raised or lost:
            for name in self.palettes:
                if any(weight != 1.0 for weight in weights[name]):
                    seen[name] = self._seen(name, grown, changes[name], weights[name])
            bodies = self._measure(grown, numbers, seen)
        kept = [n for n, b in bodies.items() if n < 0 or (n not in lost and b.visible)]
        gone = [n for n in bodies if n not in kept]
        truth = numbers.clone()
        if gone:
            truth[
                torch.isin(numbers, torch.tensor(gone, dtype=numbers.dtype, device=numbers.device))
            ] = 0
        images = {}
        for name, scan in self.scans.items():
            mean = self._mean(name) + seen[name] if grown else self._mean(name)
            images[name] = record(scan, mean, self.settings.scanners, chance)
        final = {n: replace(b, raised=n in raised) for n, b in bodies.items()}
        return Synthetic(
            images=images,
            lesions=truth > 0,
            instances=truth,
            bodies=tuple(final[n] for n in kept if n > 0),
            mimics=tuple(final[n] for n in kept if n < 0),
            dropped=tuple(final[n] for n in gone),
            pattern=pattern,
            free=self.free,
            scans=self.scans,
            misfits=self.misfits,
        )

    def _changes(self, name: str, grown: list[Growth], chance: Chance) -> list[torch.Tensor | None]:
        palette_ = self.palettes[name]
        temper = draw_temper(palette_, chance)
        made: list[torch.Tensor | None] = []
        for body in grown:
            look_ = look(body.order, palette_, temper, self.patient, chance)
            image = self.clean[name][body.box]
            made.append(change(body, look_, palette_.liver, image) if look_.seen else None)
        return made

    def _seen(
        self,
        name: str,
        grown: list[Growth],
        changes: list[torch.Tensor | None],
        weights: list[float],
    ) -> torch.Tensor:
        """What all bodies together change in the recorded mean image."""
        total = torch.zeros_like(self.clean[name])
        for body, change_, weight in zip(grown, changes, weights, strict=True):
            if change_ is not None and weight:
                total[body.box] += weight * change_
        return self._recorded(name, total) if grown else total

    def _mean(self, name: str) -> torch.Tensor:
        return self._recorded(name, self.clean[name])

    def _recorded(self, name: str, volume: torch.Tensor) -> torch.Tensor:
        misfit = self.misfits.get(CHANNELS[name].family)
        if misfit is not None:
            volume = moved(volume[None], misfit, self.spacing_mm)[0]
        return apply(self.scans[name].maps, volume)

    def _measure(
        self, grown: list[Growth], numbers: torch.Tensor, seen: dict[str, torch.Tensor]
    ) -> dict[int, Body]:
        """Every body with its contrast-to-noise."""
        found: dict[int, Body] = {}
        voxel_ml = self.spacing_mm**3 / 1000.0
        counts = {b.number: int(b.inside.sum()) for b in grown}
        cnr = (
            {name: self._cnr(name, numbers, image) for name, image in seen.items()} if grown else {}
        )
        for body in grown:
            n = body.number
            found[n] = Body(
                number=n,
                kind=body.order.kind,
                hyper=body.order.hyper,
                diameter_mm=body.order.diameter_mm,
                volume_ml=counts[n] * voxel_ml,
                cnr={name: values.get(n, 0.0) for name, values in cnr.items()},
                needed=max(self.settings.cnr, self.settings.detail / counts[n] ** 0.5),
            )
        return found

    def _cnr(self, name: str, numbers: torch.Tensor, seen: torch.Tensor) -> dict[int, float]:
        misfit = self.misfits.get(CHANNELS[name].family)
        if misfit is not None:
            as_float = numbers[None].float()
            numbers = moved(as_float, misfit, self.spacing_mm, nearest=True)[0].to(numbers.dtype)
        where = numbers > 0
        which = numbers[where].long()
        if not len(which):
            return {}
        squares = seen[where] ** 2
        size = int(which.max()) + 1
        total = torch.zeros(size, device=seen.device).scatter_add_(0, which, squares)
        count = torch.bincount(which, minlength=size).clamp(min=1)
        values = (total / count).sqrt() / self.scans[name].spread
        return {n: float(v) for n, v in enumerate(values.tolist()) if n}

    def _settle(
        self,
        grown: list[Growth],
        bodies: dict[int, Body],
        weights: dict[str, list[float]],
        chance: Chance,
    ) -> tuple[set[int], set[int]]:
        """Raise lesions that no channel shows, or take them out; `weights` are changed in place."""
        raised: set[int] = set()
        lost: set[int] = set()
        for at, body in enumerate(grown):
            found = bodies[body.number]
            if body.number < 0 or found.visible:
                continue
            best = max(found.cnr, key=lambda name: found.cnr[name])
            factor = found.needed / max(found.cnr[best], 1e-6) * chance.uniform(1.05, 1.7)
            if factor <= self.settings.raise_at_most:
                weights[best][at] = factor
                raised.add(body.number)
            else:
                lost.add(body.number)
                for column in weights.values():
                    column[at] = 0.0
        return raised, lost


def _misfits(
    settings: Synthesis, channels: tuple[str, ...], chance: Chance
) -> dict[Family, Misfit]:
    """Misfits of the scanners other than the first channel's."""
    others = list(dict.fromkeys(CHANNELS[name].family for name in channels))[1:]
    happens = chance.coin(settings.misfit)
    drawn = {f: draw_misfit(settings.shift_mm, settings.turn_deg, chance) for f in others}
    return drawn if happens else {}
