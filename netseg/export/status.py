"""`status.json` and `errors.jsonl`: what became of a study and of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from netseg.export.document import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netseg.domain import Grid, Notice

State = Literal["ok", "warn", "rejected"]


def state_of(errors: Sequence[Notice], warnings: Sequence[Notice]) -> State:
    """Rejected with any error, warn with any warning, else ok."""
    return "rejected" if errors else "warn" if warnings else "ok"


def status_document(
    state: State,
    errors: Sequence[Notice],
    warnings: Sequence[Notice],
    geometry: Grid | None = None,
    suv_factor: float | None = None,
) -> dict[str, Any]:
    """A study's `status.json`.

    Args:
        state: What became of the study.
        errors: Why it was rejected.
        warnings: What its user should know.
        geometry: Grid of the series that was worked on; None when nothing could be read.
        suv_factor: SUVbw per Bq/ml of its PET, None without one.

    Raises:
        ValueError: If the state contradicts the errors.
    """
    if (state == "rejected") != bool(errors):
        raise ValueError(f"state {state!r} with {len(errors)} errors: errors mean rejected.")
    return {
        "schema_version": SCHEMA_VERSION,
        "state": state,
        "errors": [e.to_document() for e in errors],
        "warnings": [w.to_document() for w in warnings],
        "geometry": None if geometry is None else _geometry(geometry),
        "suv_factor": suv_factor,
    }


def batch_status_document(
    studies: Mapping[str, State],
    errors: Sequence[Notice] = (),
    warnings: Sequence[Notice] = (),
) -> dict[str, Any]:
    """A batch's `status.json`: the worst that no other study made good.

    `rejected` means that every study was rejected; some rejected among others is `warn`.
    """
    states = set(studies.values())
    if errors or (states and states == {"rejected"}):
        state: State = "rejected"
    else:
        state = "warn" if warnings or states & {"warn", "rejected"} else "ok"
    return {
        "schema_version": SCHEMA_VERSION,
        "state": state,
        "errors": [e.to_document() for e in errors],
        "warnings": [w.to_document() for w in warnings],
        "studies": dict(sorted(studies.items())),
    }


def error_document(case_id: str, notice: Notice) -> dict[str, Any]:
    """One line of a batch's `errors.jsonl`."""
    return {"schema_version": SCHEMA_VERSION, "case": case_id, **notice.to_document()}


def _geometry(grid: Grid) -> dict[str, Any]:
    return {
        "shape": list(grid.shape),
        "spacing_mm": list(grid.spacing_mm),
        "affine_lps": grid.affine_lps.tolist(),
    }
