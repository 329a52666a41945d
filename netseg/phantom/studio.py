"""All channels of one sample: painted, given lesions, seen by their scanners, told apart by sight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from netseg.phantom.acquisition import Scan, draw_scan, record, seen
from netseg.phantom.appearance import CHANNELS, draw_patient, free_palette, paint, palette
from netseg.phantom.looks import change, draw_temper, look
from netseg.phantom.misfit import Misfit, draw_misfit, places, sampled
from netseg.phantom.separable import cloud
from netseg.phantom.synthetic import Body, Synthetic

if TYPE_CHECKING:
    from netseg.phantom.appearance import Family, Palette, Patient
    from netseg.phantom.chance import Chance
    from netseg.phantom.synthesis import Synthesis
    from netseg.phantom.tumour_prior import Pattern
    from netseg.phantom.tumours import Growth

GRAIN_MM = (4.0, 16.0)  # fine and coarse texture of tissues


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Studio:
    """All channels of one sample, set up and ready for lesions."""

    settings: Synthesis
    spacing_mm: float
    free: bool
    patient: Patient
    palettes: dict[str, Palette]
    scans: dict[str, Scan]
    misfits: dict[Family, Misfit]
    askew: dict[Family, torch.Tensor]
    clean: dict[str, torch.Tensor]

    @classmethod
    def draw(
        cls,
        settings: Synthesis,
        tissues: torch.Tensor,
        spacing_mm: float,
        channels: tuple[str, ...],
        chance: Chance,
    ) -> Studio:
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
        misfits = _misfits(settings, channels, chance)
        return cls(
            settings=settings,
            spacing_mm=spacing_mm,
            free=free,
            patient=patient,
            palettes=palettes,
            scans=scans,
            misfits=misfits,
            askew={
                family: places(shape, misfit, spacing_mm, tissues.device)
                for family, misfit in misfits.items()
            },
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
        mean, added = {}, {}
        for name, image in self.clean.items():
            together = torch.stack((image, self._sum(name, grown, changes[name], weights[name])))
            mean[name], added[name] = self._recorded(name, together)
        raised: set[int] = set()
        lost: dict[int, Body] = {}
        while True:
            bodies = self._measure(grown, numbers, added)
            touched = self._settle(grown, bodies, weights, (raised, lost), chance)
            if not touched:
                break
            for name in touched:
                total = self._sum(name, grown, changes[name], weights[name])
                added[name] = self._recorded(name, total[None])[0]
        images = {
            name: record(scan, mean[name] + added[name], self.settings.scanners, chance)
            for name, scan in self.scans.items()
        }
        kept = [replace(b, raised=n in raised) for n, b in bodies.items() if n not in lost]
        truth = numbers.clone()
        if lost:
            gone = torch.tensor(list(lost), dtype=numbers.dtype, device=numbers.device)
            truth[torch.isin(numbers, gone)] = 0
        return Synthetic(
            images=images,
            lesions=truth > 0,
            instances=truth,
            bodies=tuple(body for body in kept if body.number > 0),
            mimics=tuple(body for body in kept if body.number < 0),
            dropped=tuple(lost.values()),
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

    def _sum(
        self,
        name: str,
        grown: list[Growth],
        changes: list[torch.Tensor | None],
        weights: list[float],
    ) -> torch.Tensor:
        """What all bodies together add to the clean channel."""
        total = torch.zeros_like(self.clean[name])
        for body, change_, weight in zip(grown, changes, weights, strict=True):
            if change_ is not None and weight:
                total[body.box] += weight * change_
        return total

    def _recorded(self, name: str, volumes: torch.Tensor) -> torch.Tensor:
        """Clean volumes (n, i, j, k) as the channel's scanner, which may lie askew, sees them."""
        where = self.askew.get(CHANNELS[name].family)
        volumes = volumes if where is None else sampled(volumes, where)
        return seen(self.scans[name], volumes)

    def _measure(
        self, grown: list[Growth], numbers: torch.Tensor, added: dict[str, torch.Tensor]
    ) -> dict[int, Body]:
        """Every body with its contrast-to-noise."""
        if not grown:
            return {}
        families = {CHANNELS[name].family for name in added}
        there = {family: self._numbers(numbers, family) for family in families}
        cnr = {
            name: self._cnr(name, there[CHANNELS[name].family], image)
            for name, image in added.items()
        }
        found: dict[int, Body] = {}
        for body in grown:
            count = int(body.inside.sum())
            lesion = body.number > 0
            found[body.number] = Body(
                number=body.number,
                kind=body.order.kind,
                hyper=body.order.hyper,
                diameter_mm=body.order.diameter_mm,
                volume_ml=count * self.spacing_mm**3 / 1000.0,
                cnr={c: v.get(body.number, 0.0) for c, v in cnr.items()} if lesion else {},
                needed=max(self.settings.cnr, self.settings.detail / count**0.5) if lesion else 0.0,
            )
        return found

    def _numbers(self, numbers: torch.Tensor, family: Family) -> torch.Tensor:
        """The bodies' numbers as they lie in a scanner."""
        where = self.askew.get(family)
        if where is None:
            return numbers
        return sampled(numbers[None].float(), where, nearest=True)[0].to(numbers.dtype)

    def _cnr(self, name: str, numbers: torch.Tensor, added: torch.Tensor) -> dict[int, float]:
        """Root mean square of what is added over each lesion's voxels, over the liver's spread."""
        where = numbers > 0
        which = numbers[where].long()
        if not len(which):
            return {}
        squares = added[where].double() ** 2  # double: the order of a sum must not decide
        size = int(which.max()) + 1
        total = torch.zeros_like(squares[:1]).repeat(size).scatter_add_(0, which, squares)
        count = torch.bincount(which, minlength=size).clamp(min=1)
        values = (total / count).sqrt() / self.scans[name].spread
        return {n: float(v) for n, v in enumerate(values.tolist()) if n}

    def _settle(
        self,
        grown: list[Growth],
        bodies: dict[int, Body],
        weights: dict[str, list[float]],
        so_far: tuple[set[int], dict[int, Body]],
        chance: Chance,
    ) -> set[str]:
        """Raise lesions that no channel shows, once, or take them out.

        `weights` and `so_far` (raised, lost) are changed in place. Every round removes or raises
        lesions that were neither before, so rounds come to an end.

        Returns:
            Channels that changed.
        """
        raised, lost = so_far
        touched: set[str] = set()
        for at, body in enumerate(grown):
            found = bodies[body.number]
            if body.number < 0 or body.number in lost or found.visible:
                continue
            best = max(found.cnr, key=lambda name: found.cnr[name])
            factor = found.needed / max(found.cnr[best], 1e-6) * chance.uniform(1.05, 1.7)
            if factor <= self.settings.raise_at_most and body.number not in raised:
                weights[best][at] = factor
                raised.add(body.number)
                touched.add(best)
            else:
                lost[body.number] = found
                touched |= {name for name, column in weights.items() if column[at]}
                for column in weights.values():
                    column[at] = 0.0
        return touched


def _misfits(
    settings: Synthesis, channels: tuple[str, ...], chance: Chance
) -> dict[Family, Misfit]:
    """Misfits of the scanners other than the first channel's."""
    others = list(dict.fromkeys(CHANNELS[name].family for name in channels))[1:]
    happens = chance.coin(settings.misfit)
    drawn = {f: draw_misfit(settings.shift_mm, settings.turn_deg, chance) for f in others}
    return drawn if happens else {}
