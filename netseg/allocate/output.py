"""The allocation as the JSON of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netseg.domain.allocation import Allocation, FollowUp, Option, Reason

SCHEMA_VERSION = "1"


def allocation_document(allocation: Allocation) -> dict[str, Any]:
    """The allocation in JSON types, in the order of the contract."""
    return {
        "schema_version": SCHEMA_VERSION,
        "rules": {"id": allocation.rules_id, "sha256": allocation.rules_sha256},
        "status": str(allocation.status),
        "grade": _text(allocation.grade),
        "possible_grades": [str(grade) for grade in allocation.possible_grades],
        "is_nec": allocation.is_nec,
        "pattern": _text(allocation.pattern),
        "possible_patterns": list(allocation.possible_patterns),
        "route": _text(allocation.route),
        "possible_routes": [str(route) for route in allocation.possible_routes],
        "goal": allocation.goal,
        "ablation_window": _text(allocation.ablation_window),
        "ablation_window_reason": allocation.ablation_window_reason,
        "ablation_result": _text(allocation.ablation_result),
        "options": [_option(option) for option in allocation.options],
        "must_ask": list(allocation.must_ask),
        "ask_because": {field: list(why) for field, why in allocation.ask_because.items()},
        "flags": [
            {"id": f.id, "text": f.text, "sentence": f.sentence, "facts": dict(f.facts)}
            for f in allocation.flags
        ],
        "conflicts": [
            {"id": c.id, "facts": dict(c.facts), "text": c.text, "sentence": c.sentence}
            for c in allocation.conflicts
        ],
        "imaging": [
            {
                "id": scan.id,
                "because": scan.because,
                "sentence": scan.sentence,
                "references": list(scan.references),
                "strength": scan.strength,
                "done": scan.done,
            }
            for scan in allocation.imaging
        ],
        "follow_up": _follow_up(allocation.follow_up),
        "counterfactuals": [
            {"change": dict(c.change), "route": str(c.route)} for c in allocation.counterfactuals
        ],
        "staging": dict(allocation.staging),
        "errors": [
            {"code": e.code, "field": e.field, "met": e.met, "allowed": e.allowed,
             "message": e.message}
            for e in allocation.errors
        ],
        "facts": dict(allocation.facts),
        "trace": [
            {
                "table": step.table,
                "outcomes": list(step.outcomes),
                "rows": [{"then": then} | _reason(reason) for reason, then in step.rows],
            }
            for step in allocation.trace
        ],
        "caveat": allocation.caveat,
    }  # fmt: skip


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _option(option: Option) -> dict[str, Any]:
    return {
        "id": option.id,
        "status": str(option.status),
        "possible_statuses": [str(status) for status in option.possible_statuses],
        "intent": option.intent,
        "because": [_reason(reason) for reason in option.because],
        "against": [_reason(reason) for reason in option.against],
        "evidence": list(option.evidence),
        "counterfactuals": [
            {"change": dict(c.change), "status": str(c.status)} for c in option.counterfactuals
        ],
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "rule": reason.rule,
        "sentence": reason.sentences[0],
        "sentences": list(reason.sentences),
        "references": list(reason.references),
        "facts": dict(reason.facts),
        "text": reason.text,
        "strength": reason.strength,
        "assumption": reason.assumption,
    }


def _follow_up(follow_up: FollowUp | None) -> dict[str, Any] | None:
    if follow_up is None:
        return None
    return {
        "interval_months": list(follow_up.interval_months),
        "what": follow_up.what,
        "sentence": follow_up.sentence,
        "assumption": follow_up.assumption,
        "further": [{"what": text, "sentence": sentence} for text, sentence in follow_up.further],
    }
