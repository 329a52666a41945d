"""Which channels a synthetic examination has: single phases, usual protocols, everything at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from netseg.segment.channels import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping

MR = tuple(c for c in CHANNELS if c.startswith("mr_"))

PROTOCOLS: Mapping[tuple[str, ...], float] = {
    ("ct_portal",): 0.12,
    ("ct_arterial",): 0.06,
    ("ct_native",): 0.03,
    ("ct_delayed",): 0.03,
    ("ct_arterial", "ct_portal"): 0.12,
    ("ct_native", "ct_arterial", "ct_portal", "ct_delayed"): 0.04,
    ("mr_hepatobiliary",): 0.12,
    ("mr_t1",): 0.02,
    ("mr_t2",): 0.03,
    ("mr_t2", "mr_dwi"): 0.04,
    ("mr_arterial", "mr_portal", "mr_hepatobiliary"): 0.05,
    MR: 0.04,
    ("pet_sstr",): 0.10,
    ("ct_portal", "pet_sstr"): 0.07,
    ("ct_native", "pet_sstr"): 0.02,
    ("mr_hepatobiliary", "pet_sstr"): 0.02,
    ("pet_fdg",): 0.02,
    ("ct_native", "pet_fdg"): 0.02,
    CHANNELS: 0.05,
}
"""Protocols as they are ordered, with their share."""

DROPPED = 0.15
"""Chance that a channel of a protocol with several is missing after all."""


def draw_subset(generator: torch.Generator) -> tuple[str, ...]:
    """One subset, never empty, in the order of `CHANNELS`."""
    protocols = list(PROTOCOLS)
    share = torch.tensor(list(PROTOCOLS.values()))
    chosen = protocols[int(torch.multinomial(share, 1, generator=generator))]
    if len(chosen) == 1:
        return chosen
    kept = torch.rand(len(chosen), generator=generator) >= DROPPED
    left = tuple(c for c, k in zip(chosen, kept.tolist(), strict=True) if k)
    return left or chosen[:1]
