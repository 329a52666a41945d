"""`netseg run`: one study or a batch, through all stations."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netseg.cli.control_words import say_zone_method
from netseg.domain.codes import Code
from netseg.domain.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from netseg.domain.clinical import ClinicalFindings
    from netseg.pipeline import BatchOutcome
    from netseg.pipeline.control_files import ControlFiles
    from netseg.study import FoundStudy, ReadHints

log = logging.getLogger(__name__)

BACKENDS = ("builtin", "ensemble", "masks", "bundle", "nnunet", "totalsegmentator")


def execute(words: argparse.Namespace) -> int:
    """Compose the configuration from the words and run it."""
    from netseg.cli.configuration import compose

    settings = compose("infer", [*backend_overrides(words), *words.overrides])
    say_settings(settings, words)
    if words.weights is not None:
        settings["segment"]["weights"] = str(words.weights)
    settings["clinical"] = words.clinical or settings["clinical"]
    say_control(settings["control"], words)
    say_zone_method(settings, words)
    return run(settings, output_format=words.format)


def backend_overrides(words: argparse.Namespace) -> list[str]:
    """The configuration of whoever is to outline liver and lesions."""
    from netseg.cli.words import one_of_names

    if words.backend is None:
        return []
    return [f"segment={one_of_names(BACKENDS, '--backend', words.backend)}"]


def say_settings(settings: dict[str, Any], words: argparse.Namespace) -> None:
    """Let the options of the command line win over the configuration's."""
    settings["input"], settings["output"] = words.input, words.output
    settings["device"] = words.device if words.device != "auto" else settings["device"]
    for name in ("modality", "phase", "tracer", "liver", "lesions", "spleen"):
        settings["study"][name] = getattr(words, name) or settings["study"][name]
    batch = settings["batch"]
    batch["how"] = "one" if words.one else "many" if words.many else batch["how"]
    batch["case_ids"] = words.case_ids if words.case_ids != "name" else batch["case_ids"]
    batch["shard"] = words.shard or batch["shard"]
    batch["resume"] = words.resume or batch["resume"]
    batch["dry_run"] = words.dry_run or batch["dry_run"]


def run(settings: dict[str, Any], *, output_format: str = "text") -> int:
    """Run the composed "infer" configuration.

    Args:
        settings: Plain values as `compose` gives them, `input` and `output` set.
        output_format: "text" or "json" on stdout.

    Returns:
        The exit code.

    Raises:
        UsageError: If the settings contradict themselves.
        EnvironmentFaultError: If weights are missing or the output cannot be written.
    """
    from netseg.cli.building import build_stations
    from netseg.pipeline import WholeWay, output_lock, run_batch

    for name in ("input", "output"):
        if not settings[name]:
            raise UsageError(Code.CONFIG_RANGE, f"{name} is missing.", hint=f"Say {name}=PATH.")
    out = Path(settings["output"])
    hints = read_hints(settings["study"])
    found = find(settings)
    require_sense(found, hints, settings)
    cases = clinical_cases(settings["clinical"], found)
    if settings["batch"]["dry_run"]:
        from netseg.cli.validate_command import report_studies

        return report_studies(found, hints, output_format)
    stations = build_stations(settings)
    control = announced_control(settings["control"], found)
    resume = bool(settings["batch"]["resume"])
    job = WholeWay(stations=stations, hints=hints, cases=cases, control=control, resume=resume)
    with output_lock(out):
        outcome = run_batch(found, out, job)
    sys.stdout.write(answer(outcome, out, "report.html", output_format))
    return outcome.exit_code


def say_control(control: dict[str, Any], words: argparse.Namespace) -> None:
    """Let what the command line says about a control scan win over the configuration."""
    control["scan"] = words.control or control["scan"]
    for name, said in (("zone", words.zone), ("liver", words.liver_post)):
        control[name] = said or control[name]
    control["landmarks"] = words.landmarks or control["landmarks"]
    control["same_patient"] = words.same_patient or control["same_patient"]


def announced_control(
    control: Mapping[str, Any], found: Sequence[FoundStudy]
) -> ControlFiles | None:
    """The control scan of the one study that is run; None without.

    Raises:
        UsageError: If masks are given without a scan, or one scan for many studies.
    """
    if not control["scan"]:
        if said := [name for name, value in control.items() if value]:
            raise UsageError(
                Code.CONFIG_RANGE,
                f"{', '.join(said)} of a control scan, and no control scan was given.",
                hint="Say --control STUDY2 too.",
            )
        return None
    if len(found) > 1:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"one control scan cannot belong to {len(found)} studies.",
            hint="Run each patient with a control scan of its own.",
        )
    from netseg.pipeline.control_files import ControlFiles

    landmarks = control["landmarks"]
    return ControlFiles(
        scan=Path(control["scan"]),
        zone=control["zone"],
        liver=control["liver"],
        landmarks=Path(landmarks) if landmarks else None,
        same_patient=bool(control["same_patient"]),
    )


def find(settings: dict[str, Any]) -> tuple[FoundStudy, ...]:
    """The studies of the input, those of this shard."""
    from netseg.cli.case_names import rename
    from netseg.study import find_studies

    batch = settings["batch"]
    found = find_studies(Path(settings["input"]), how=batch["how"])
    if batch["case_ids"] == "hash":
        found = rename(found, Path(settings["output"]))
    if not batch["shard"]:
        return found
    try:
        number, of = (int(n) for n in str(batch["shard"]).split("/"))
    except ValueError:
        number, of = 0, 0
    if not 1 <= number <= of:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"shard {batch['shard']!r} is not I/N with 1 <= I <= N.",
            hint="For example --shard 2/4.",
        )
    return found[number - 1 :: of]


def require_sense(
    found: Sequence[FoundStudy], hints: ReadHints, settings: Mapping[str, Any]
) -> None:
    """Refuse what would mix up patients or files.

    Raises:
        UsageError: If masks of one patient meet many studies, or results would land in the input.
    """
    if len(found) > 1 and (hints.liver or hints.lesions or hints.spleen):
        raise UsageError(
            Code.CONFIG_RANGE,
            f"one mask cannot belong to {len(found)} studies.",
            hint="Put each study's masks into its study.yaml (role: liver_mask, lesion_mask).",
        )
    source, out = (Path(settings[name]).resolve() for name in ("input", "output"))
    if source.is_dir() and out.is_relative_to(source):
        raise UsageError(
            Code.CONFIG_RANGE,
            "the output lies inside the input; the next run would read results as images.",
            hint="Choose an output folder beside the input.",
        )


def read_hints(study: Mapping[str, Any]) -> ReadHints:
    """What the user says about the images."""
    from netseg.cli.words import one_of
    from netseg.domain import Modality, Phase
    from netseg.study import ReadHints

    return ReadHints(
        modality=one_of(Modality, "modality", study["modality"]),
        phase=one_of(Phase, "phase", study["phase"]),
        tracer=study["tracer"],
        liver=study["liver"],
        lesions=study["lesions"],
        spleen=study.get("spleen"),
    )


def clinical_cases(
    path: str | Path | None, found: Sequence[FoundStudy]
) -> dict[str, ClinicalFindings] | None:
    """Clinical facts by case id: one document for one study, a table for a batch.

    Args:
        path: YAML or JSON document, or CSV table; None where no facts were given.
        found: The studies they belong to.

    Returns:
        Facts by case; None where none were given.

    Raises:
        UsageError: If one document is given for many studies.
        StudyRejectedError: If a value means nothing.
    """
    from netseg.allocate import read_case, read_clinical_table

    if path is None:
        return None
    path = Path(path)
    if path.suffix.lower() != ".csv":
        if len(found) != 1:
            raise UsageError(
                Code.TABLE_MISSING,
                f"{path.name} describes one case, the input holds {len(found)}.",
                hint="Give a CSV table with a `case` column.",
            )
        return {found[0].case_id: read_case(path)}
    table = dict(read_clinical_table(path))
    ids = {one.case_id for one in found}
    for case in sorted(set(table) - ids):
        log.warning(
            "%s: case %r has a row in %s but no images", Code.TABLE_MISSING, case, path.name
        )
    return table


def answer(outcome: BatchOutcome, out: Path, shows: str, output_format: str) -> str:
    """What stdout says of a batch: each study's state and the file that shows it."""
    if output_format == "json":
        studies = {
            s.case_id: {"state": s.state, "errors": [e.to_document() for e in s.errors]}
            for s in outcome.studies
        }
        return json.dumps({"schema_version": "1", "studies": studies}, indent=2) + "\n"
    lines = [
        f"{s.case_id}: {s.state}  {s.errors[0].code if s.errors else out / s.case_id / shows}"
        for s in outcome.studies
    ]
    return "\n".join(lines) + "\n"
