"""`plan.json`: needles, energy and the lesions for which none is proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.export.document import SCHEMA_VERSION

if TYPE_CHECKING:
    from netseg.domain import Ablation, AblationPlan, Probe


def plan_document(plan: AblationPlan) -> dict[str, Any]:
    """The plan as JSON types; points are LPS millimetres of the planning scan."""
    return {
        "schema_version": SCHEMA_VERSION,
        "ablations": [_ablation(a) for a in plan.ablations],
        "unplanned": [
            {"lesion_id": u.lesion_id, "why": u.why, "fallen": dict(u.fallen)}
            for u in plan.unplanned
        ],
        "obstacles": dict(plan.obstacles),
        "not_considered": list(plan.not_considered),
        "warnings": [w.to_document() for w in plan.warnings],
    }


def _ablation(ablation: Ablation) -> dict[str, Any]:
    protocol = ablation.protocol
    return {
        "lesion_id": ablation.lesion_id,
        "probes": [_probe(p) for p in ablation.probes],
        "protocol": {
            "modality": protocol.modality.value,
            "duration_s": protocol.duration_s,
            "power_w": protocol.power_w,
            "voltage_v": protocol.voltage_v,
            "controller": protocol.controller,
            "settings": dict(protocol.settings),
        },
        "path_mm": ablation.path_mm,
        "clearance_mm": dict(ablation.clearance_mm),
        "why": list(ablation.why),
    }


def _probe(probe: Probe) -> dict[str, Any]:
    return {
        "id": probe.id,
        "device": probe.device,
        "entry_mm": list(probe.entry_mm),
        "tip_mm": list(probe.tip_mm),
        "direction": list(probe.direction),
        "length_mm": probe.length_mm,
        "active_length_mm": probe.active_length_mm,
    }
