"""From outlines to a treatment proposal: findings and rules, handed to the evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netseg.allocate import allocate, combine, load_rules, read_case, read_clinical_table
from netseg.domain import (
    Code,
    Mask,
    Modality,
    ModelProvenance,
    Quantity,
    Segmentation,
    Series,
    Study,
    UsageError,
    Volume,
)
from netseg.findings import measure

if TYPE_CHECKING:
    from pathlib import Path

    from netseg.domain import Findings, LabelMap
    from netseg.domain.allocation import Allocation
    from netseg.evaluation.treatment import Proposer


def proposer(
    clinical: Path, rules_name: str, cases: tuple[str, ...]
) -> tuple[Proposer, frozenset[str]]:
    """A function that proposes a treatment from outlines and the clinic's facts.

    Args:
        clinical: One document for one case, or a table for many.
        rules_name: The rule set.
        cases: Names of the cases there are.

    Returns:
        The proposer, and the cases it has facts for.

    Raises:
        UsageError: TABLE_MISSING if one document meets many cases, or a table none of them.
        StudyRejectedError: If a value of the facts means nothing.
    """
    rules = load_rules(rules_name)
    if clinical.suffix.lower() == ".csv":
        facts = dict(read_clinical_table(clinical))
    elif len(cases) == 1:
        facts = {cases[0]: read_case(clinical)}
    else:
        raise UsageError(
            Code.TABLE_MISSING,
            f"{clinical.name} describes one case, there are {len(cases)}.",
            hint="Give a CSV table with a `case` column.",
        )
    if not set(facts) & set(cases):
        raise UsageError(
            Code.TABLE_MISSING, f"{clinical.name} has a row for none of the cases.", hint="Compare "
            "its `case` column with the file stems.",
        )  # fmt: skip

    def propose(case: str, lesions: LabelMap, liver: Mask | None) -> Allocation:
        return allocate(combine(facts[case], measured(case, lesions, liver), None), rules)

    return propose, frozenset(facts)


def measured(case: str, lesions: LabelMap, liver: Mask | None) -> Findings:
    """What outlines alone tell: sizes, segments, burden; no scan is looked at."""
    grid = lesions.grid
    blank = Volume(np.broadcast_to(np.int16(0), grid.shape), grid, Quantity.ARBITRARY)
    series = Series(key="outlines", modality=Modality.MR, volume=blank)
    if liver is not None:
        liver = Mask(liver.inside | (lesions.labels != 0), grid)
    return measure(
        Study(case_id=case, series=(series,)),
        Segmentation(
            series_key=series.key,
            liver=liver,
            lesions=lesions,
            provenance=ModelProvenance(backend="masks", name="outlines"),
        ),
    )
