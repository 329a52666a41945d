"""`netseg evaluate`: how good outlines are, whoever made them."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Any

from netseg.domain.codes import Code
from netseg.domain.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from netseg.evaluation.batch import Evaluation, Protocol
    from netseg.evaluation.case import Outlines
    from netseg.evaluation.document import Report
    from netseg.evaluation.files import Side
    from netseg.evaluation.treatment import TreatmentAgreement


def execute(words: argparse.Namespace) -> int:
    """Score every case, bring the scores together, write and print them."""
    from netseg.evaluation.document import evaluation_document
    from netseg.evaluation.files import find_side
    from netseg.evaluation.tables import text
    from netseg.evaluation.writing import write_evaluation
    from netseg.export import to_json

    require_sense(words)
    truth = find_side(words.truth)
    predicted = find_side(words.pred, words.probability)
    against = find_side(words.against, words.against_probability) if words.against else None
    report, code = evaluate(words, predicted, truth, against)
    files = write_evaluation(words.output, report) if words.output else ()
    if words.track:
        track(words, report, files)
    as_json = words.format == "json"
    sys.stdout.write(to_json(evaluation_document(report)).decode() if as_json else text(report))
    return code


def require_sense(words: argparse.Namespace) -> None:
    """Refuse words that contradict themselves before anything is read.

    Raises:
        UsageError: CONFIG_RANGE.
    """
    wrong = [mm for mm in words.tolerance if not 0 <= mm < float("inf")]
    if wrong:
        raise UsageError(
            Code.CONFIG_RANGE, f"--tolerance {wrong[0]:g} is not a number of mm from 0 up."
        )
    if words.draws < 1:
        raise UsageError(Code.CONFIG_RANGE, f"--draws {words.draws} is not a number from 1 up.")
    if words.seed < 0:
        raise UsageError(Code.CONFIG_RANGE, f"--seed {words.seed} is not a number from 0 up.")
    for name in ("against_label", "against_probability"):
        if getattr(words, name) and not words.against:
            option = name.replace("_", "-")
            raise UsageError(
                Code.CONFIG_RANGE, f"--{option} without --against means nothing.", hint="Drop it."
            )


def evaluate(
    words: argparse.Namespace, predicted: Side, truth: Side, against: Side | None
) -> tuple[Report, int]:
    """Score one model, or two on the same cases.

    Args:
        words: What the user said.
        predicted: Outlines in question.
        truth: What they are held against.
        against: A second model's outlines.

    Returns:
        The report, and the exit code.
    """
    import numpy as np

    from netseg.evaluation import compare_models, summarise
    from netseg.evaluation.batch import evaluate_files
    from netseg.evaluation.document import Report

    protocol = read_protocol(words, predicted.suffix, truth.suffix)
    said = about(words, predicted, truth, against)
    treated: list[TreatmentAgreement] = []
    also = _treatment(words, truth, treated) if words.clinical else None
    found = evaluate_files(predicted, truth, protocol, also)
    comparison = {}
    if against is not None:
        other_words = words.against_label or words.label
        other = evaluate_files(against, truth, _for_other(protocol, other_words, against.suffix))
        first, second, found = _in_both(found, other)
        if first:
            rng = np.random.default_rng(words.seed)
            comparison = compare_models(first, second, draws=words.draws, rng=rng)
    rng = np.random.default_rng(words.seed)
    summary = summarise(found.cases, draws=words.draws, rng=rng) if found.cases else None
    report = Report(
        cases=found.cases,
        summary=summary,
        errors=found.errors,
        warnings=found.warnings,
        about=said,
        treatment=treated,
        comparison=comparison,
    )
    return report, found.exit_code


def read_protocol(words: argparse.Namespace, pred_suffix: str, truth_suffix: str) -> Protocol:
    """How cases are read and scored, as the words say.

    Raises:
        UsageError: CONFIG_RANGE, TABLE_VALUE.
    """
    from netseg.evaluation.batch import Protocol, Unpaired

    return Protocol(
        truth_labels=_labels(words.truth_label or words.label, truth_suffix),
        predicted_labels=_labels(words.pred_label or words.label, pred_suffix),
        tolerances_mm=tuple(dict.fromkeys((2.0, *words.tolerance))),
        resample_nearest=words.resample == "nearest",
        unpaired=Unpaired(words.unpaired),
        patients=read_patients(words.patients),
    )


def read_patients(table: Path | None) -> dict[str, str]:
    """Whose each case is.

    Args:
        table: CSV with the columns `case` and `patient`; None where every case is a patient.

    Raises:
        UsageError: NO_INPUT, TABLE_VALUE.
    """
    if table is None:
        return {}
    if not table.is_file():
        raise UsageError(Code.NO_INPUT, "the table of patients is not there.", file=table.name)
    patients: dict[str, str] = {}
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if not {"case", "patient"} <= set(rows.fieldnames or ()):
            raise UsageError(
                Code.TABLE_VALUE,
                f"the table of patients has the columns {rows.fieldnames}; case and patient are "
                "expected.",
                file=table.name,
            )
        for row in rows:
            case, patient = (row["case"] or "").strip(), (row["patient"] or "").strip()
            if not case or not patient or patients.get(case, patient) != patient:
                raise UsageError(
                    Code.TABLE_VALUE,
                    f"row {rows.line_num}: one case and its one patient are expected.",
                    file=table.name,
                )
            patients[case] = patient
    return patients


def about(
    words: argparse.Namespace, predicted: Side, truth: Side, against: Side | None
) -> dict[str, Any]:
    """What was held against what: names and hashes, never paths."""
    import netseg

    labels = {
        name: list(said)
        for name in ("label", "pred_label", "truth_label", "against_label")
        if (said := getattr(words, name))
    }
    return {
        "netseg_version": netseg.__version__,
        "model": words.model,
        "dataset_sha256": truth.sha256(),
        "prediction_sha256": predicted.sha256(),
        "against_sha256": None if against is None else against.sha256(),
        "labels": labels,
        "resample": words.resample,
        "unpaired": words.unpaired,
        "draws": words.draws,
        "seed": words.seed,
        "diameter": "of the sphere of equal volume",
        "rules": words.rules if words.clinical else None,
    }


def track(words: argparse.Namespace, report: Report, files: tuple[Path, ...]) -> None:
    """Keep the figures as a run: settings and hashes, the data, figures, the files.

    Raises:
        EnvironmentFaultError: If mlflow is asked for and not installed.
    """
    from netseg.cli.registry import build
    from netseg.evaluation.tracked import run_key, run_name, tracked_figures
    from netseg.tracking import DatasetRecord, recording

    said = {k: v for k, v in report.about.items() if v is not None}
    root = {"root": str(words.track_root)} if words.track_root else {}
    described = {"_target_": words.track, "experiment": "netseg-evaluation", **root}
    tracker = build(described, run=run_name(said), key=run_key(said))
    with recording(tracker):
        tracker.params(said)
        tracker.tags({k: str(said[k]) for k in ("dataset_sha256", "model") if k in said})
        facts = {"cases": len(report.cases), "refused": len(report.errors)}
        data = DatasetRecord(
            name="truth", sha256=said["dataset_sha256"], context="evaluation", facts=facts
        )
        tracker.dataset(data)
        tracker.metrics(tracked_figures(report), step=0)
        for path in files:
            tracker.artifact(path)


def _labels(said: list[str], suffix: str) -> Any:
    from netseg.evaluation.label_words import parse_labels

    if suffix and said:
        raise UsageError(
            Code.CONFIG_RANGE, f"both :{suffix} and --label say what is a lesion.", hint="Say one."
        )
    return parse_labels([f"lesion={suffix}"] if suffix else said)


def _for_other(protocol: Protocol, said: list[str], suffix: str) -> Protocol:
    from dataclasses import replace

    return replace(protocol, predicted_labels=_labels(said, suffix))


def _in_both(
    found: Evaluation, other: Evaluation
) -> tuple[tuple[Any, ...], tuple[Any, ...], Evaluation]:
    """The scores of cases that both models have; refusals of the second model are told, too."""
    from dataclasses import replace

    names = {case.id for case in found.cases} & {case.id for case in other.cases}
    errors = {
        f"{name} (against)": e for name, e in other.errors.items() if name not in found.errors
    }
    told = replace(
        found,
        errors={**found.errors, **errors},
        warnings=tuple(dict.fromkeys((*found.warnings, *other.warnings))),
    )
    first = tuple(case for case in found.cases if case.id in names)
    second = tuple(case for case in other.cases if case.id in names)
    return first, second, told


def _treatment(words: argparse.Namespace, truth: Side, treated: list[TreatmentAgreement]) -> Any:
    """What is done with every case's outlines beside scoring them."""
    from netseg.cli.evaluate_treatment import proposer
    from netseg.evaluation.treatment import treatment_agreement

    propose, known = proposer(words.clinical, words.rules, tuple(truth.cases))

    def also(case: str, predicted: Outlines, true: Outlines) -> None:
        if case in known:
            treated.append(treatment_agreement(case, predicted, true, propose))

    return also
