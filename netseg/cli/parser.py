"""The words of the command line; imports nothing heavy, so that `--help` answers at once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import netseg
from netseg.cli.control_words import add_control_words
from netseg.cli.evaluate_words import add_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    # argparse has no public name for what add_subparsers returns
    _Verbs: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

RESEARCH_USE = "Research use only; not a medical device. A tumour board decides."


def parse_words(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The words of one command; leaves with exit code 2 and a sentence where they make no sense."""
    parser = make_parser()
    words, rest = parser.parse_known_args(argv)
    strange = [w for w in rest if w.startswith("-") or "=" not in w]
    if strange or (rest and not hasattr(words, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(strange or rest)}")
    if rest:
        words.overrides = rest
    if words.verb is None:
        parser.error("a verb is missing; `netseg --help` lists them")
    return words


def make_parser() -> argparse.ArgumentParser:
    """The parser of `netseg` with all its verbs."""
    parser = argparse.ArgumentParser(
        prog="netseg",
        description="From the scans of a patient with NET liver metastases to a treatment proposal "
        "that a tumour board can check line by line.",
        epilog=RESEARCH_USE,
    )
    parser.add_argument("--version", action="version", version=f"netseg {netseg.__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for add in (
        _demo,
        _run,
        _segment,
        _plan,
        _simulate,
        _verify,
        _compare,
        _evaluate,
        _allocate,
        _rules,
        _train,
        _ui,
        _validate,
        _info,
        _doctor,
    ):
        add(verbs)
    for verb in verbs.choices.values():
        _add_logging(verb)
    return parser


def _verb(verbs: _Verbs, name: str, text: str) -> argparse.ArgumentParser:
    return verbs.add_parser(
        name, help=text, description=text, epilog=RESEARCH_USE, allow_abbrev=False
    )


def _accept_overrides(parser: argparse.ArgumentParser) -> None:
    """Take `key=value` anywhere among the options, as Hydra's users write it."""
    parser.set_defaults(overrides=[])
    parser.epilog = f"key=value changes any setting, such as plan=none. {RESEARCH_USE}"


def _add_logging(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("messages (all on stderr)")
    group.add_argument("-q", "--quiet", action="store_true", help="warnings and errors only")
    group.add_argument("-v", "--verbose", action="store_true", help="every step")
    group.add_argument("--log-json", action="store_true", help="one JSON object per line")


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-i",
        "--input",
        type=Path,
        required=True,
        metavar="STUDY",
        help="a DICOM tree, an image file, a folder with study.yaml, or a batch of them",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--one", action="store_true", help="the input is one study, whatever it is")
    which.add_argument("--many", action="store_true", help="each child of the input is a study")
    parser.add_argument(
        "--case-ids",
        choices=("name", "hash"),
        default="name",
        help="hash: neutral names; who is who is kept beside OUT, not in it",
    )
    parser.add_argument("--modality", choices=("CT", "MR", "PT"), help="of a bare image file")
    parser.add_argument("--phase", help="contrast phase no tag names")
    parser.add_argument("--tracer", help="tracer no tag names, such as ga68_dotatate")
    mask = "FILE, FILE:2, FILE:1,2 or FILE:instances"
    parser.add_argument("--liver", metavar="MASK", help=f"liver from any tool: {mask}")
    parser.add_argument("--lesions", metavar="MASK", help=f"lesions from any tool: {mask}")
    parser.add_argument("--spleen", metavar="MASK", help="spleen, for the receptor score")


def _add_batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--resume", action="store_true", help="keep results that are still true")
    parser.add_argument("--shard", metavar="I/N", help="only every Nth study, from the Ith on")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    _accept_overrides(parser)


def _add_backend(parser: argparse.ArgumentParser) -> None:
    names = "builtin, ensemble, masks, bundle, nnunet or totalsegmentator"
    parser.add_argument("--backend", metavar="NAME", help=f"who outlines: {names}")
    parser.add_argument("--weights", type=Path, metavar="FILE.safetensors")


def _demo(verbs: _Verbs) -> None:
    parser = _verb(verbs, "demo", "Carry a synthetic triphasic CT + SSTR-PET to a report.")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), metavar="OUT")
    parser.add_argument("--seed", type=int, default=17, help="of the synthetic patient")
    parser.add_argument(
        "--control", action="store_true", help="also ablate the patient, scan again, check margins"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")


def _run(verbs: _Verbs) -> None:
    parser = _verb(verbs, "run", "Carry one study, or a batch, through all stations to a report.")
    _add_study(parser)
    _add_batch(parser)
    parser.add_argument("--clinical", type=Path, metavar="CASE.yaml|TABLE.csv")
    _add_backend(parser)
    parser.add_argument("--control", type=Path, metavar="STUDY2", help="scan after the ablation")
    add_control_words(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _segment(verbs: _Verbs) -> None:
    parser = _verb(verbs, "segment", "Outline liver and metastases, and measure them.")
    _add_study(parser)
    _add_batch(parser)
    _add_backend(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _plan(verbs: _Verbs) -> None:
    parser = _verb(verbs, "plan", "Propose needles for given lesions.")
    _add_study(parser)
    _add_batch(parser)
    parser.add_argument("--obstacles", metavar="LABELS", help="label map a needle must not cross")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _simulate(verbs: _Verbs) -> None:
    parser = _verb(verbs, "simulate", "Predict what a plan of needles destroys.")
    parser.add_argument("--plan", type=Path, required=True, metavar="PLAN.yaml")
    parser.add_argument("--tissue", metavar="LABELS", help="label map of tissues")
    parser.add_argument(
        "--certified", action="store_true", help="three grids and an error bar; takes minutes"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _verify(verbs: _Verbs) -> None:
    parser = _verb(verbs, "verify", "Measure the margin of a zone around lesions.")
    parser.add_argument("--lesion", required=True, metavar="MASK")
    parser.add_argument("--liver", metavar="MASK", help="the liver, on the grid of the lesions")
    parser.add_argument(
        "--observed", action="store_true", help="the zone was seen after the ablation"
    )
    parser.add_argument("--pre", type=Path, metavar="SCAN", help="planning scan, with the lesions")
    parser.add_argument("--post", type=Path, metavar="SCAN", help="control scan, with the zone")
    parser.add_argument("--modality", choices=("CT", "MR"), help="of bare image files")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    add_control_words(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="OUT")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    _accept_overrides(parser)


def _evaluate(verbs: _Verbs) -> None:
    add_words(_verb(verbs, "evaluate", "Score outlines, whoever made them, against true ones."))


def _compare(verbs: _Verbs) -> None:
    parser = _verb(verbs, "compare", "Follow the lesions of one patient from one date to the next.")
    for date, number in (("first", 1), ("second", 2)):
        parser.add_argument(f"--{date}", type=Path, required=True, metavar="STUDY")
        parser.add_argument(f"--lesions{number}", metavar="MASK", help=f"lesions, {date} date")
        parser.add_argument(f"--liver{number}", metavar="MASK", help=f"liver, {date} date")
    parser.add_argument("--modality", choices=("CT", "MR", "PT"), help="of bare image files")
    parser.add_argument(
        "--same-frame", action="store_true", help="the two scans were registered to each other"
    )
    parser.add_argument("--gate", type=float, metavar="MM", help="farthest apart one lesion lies")
    parser.add_argument("--tolerance", type=float, metavar="MM", help="what a diameter may err by")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _allocate(verbs: _Verbs) -> None:
    parser = _verb(verbs, "allocate", "Findings and pathology to a treatment allocation.")
    parser.add_argument("--findings", type=Path, required=True, metavar="CASE.yaml")
    parser.add_argument("--rules", default="seed-2020", metavar="NAME")
    parser.add_argument("--draws", type=int, default=0, metavar="N",
                        help="how sure, by N draws over existence, size and segment of the lesions")  # fmt: skip
    parser.add_argument("-o", "--output", type=Path, metavar="OUT")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _rules(verbs: _Verbs) -> None:
    parser = _verb(verbs, "rules", "Prove a rule set, compare two, or show one to its reader.")
    inner = parser.add_subparsers(dest="rules_verb", metavar="VERB", required=True)
    name = "a rule set by name (overlays joined by +), or a folder that holds one"
    verify = inner.add_parser(
        "verify", help="prove it sound, or print a patient for whom it is not"
    )
    verify.add_argument("name", nargs="?", default="seed-2020", help=name)
    verify.add_argument("--by", choices=("both", "diagrams", "z3"), default="both")
    verify.add_argument("--smt2", type=Path, metavar="FILE", help="write the proofs for any solver")
    verify.add_argument("--write", type=Path, metavar="FOLDER", help="write the certificate there")
    diff = inner.add_parser("diff", help="which patients get another answer, each with a witness")
    diff.add_argument("first", help=name)
    diff.add_argument("second", help=name)
    diff.add_argument("--given", type=Path, metavar="CASE.yaml",
                      help="only patients that agree with this findings document")  # fmt: skip
    diff.add_argument("--format", choices=("text", "json"), default="text")
    show = inner.add_parser("show", help="as tables, as a flowchart, or by sentence of the source")
    show.add_argument("name", nargs="?", default="seed-2020", help=name)
    show.add_argument("--table", metavar="NAME", help="one table or option only")
    show.add_argument("--sentence", metavar="Sxxx", help="the rows that rest on one sentence")
    show.add_argument(
        "--coverage", action="store_true", help="every sentence and what became of it"
    )
    show.add_argument("--notes", action="store_true", help="assumptions, ambiguities and tensions")
    show.add_argument("--flowchart", type=Path, metavar="FILE.svg", help="draw figure 2 as read")
    show.add_argument("--source", type=Path, metavar="FILE.tsv",
                      help="the source's sentences, shown to whoever owns them")  # fmt: skip


def _train(verbs: _Verbs) -> None:
    parser = _verb(verbs, "train", "Train a network; the same as `python train.py key=value …`.")
    _accept_overrides(parser)


def _ui(verbs: _Verbs) -> None:
    parser = _verb(
        verbs, "ui", "Show the record of trainings in a browser, or load spools into it."
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder of the record")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; no password")
    parser.add_argument("--port", type=int, default=5000, help="port to listen on")
    parser.add_argument(
        "--import",
        dest="spools",
        action="append",
        default=[],
        type=Path,
        metavar="SPOOL",
        help="load what tracking=spool wrote, then end; can be repeated, loads nothing twice",
    )


def _validate(verbs: _Verbs) -> None:
    parser = _verb(verbs, "validate", "Say what would be used and what refused; run nothing.")
    parser.add_argument("-i", "--input", type=Path, metavar="STUDY")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--one", action="store_true")
    which.add_argument("--many", action="store_true")
    parser.add_argument("--modality", choices=("CT", "MR", "PT"))
    parser.add_argument("--phase")
    parser.add_argument("--tracer")
    parser.add_argument("--liver", metavar="MASK")
    parser.add_argument("--lesions", metavar="MASK")
    parser.add_argument("--spleen", metavar="MASK")
    parser.add_argument("--lesion", metavar="MASK")
    parser.add_argument("--zone", metavar="MASK")
    parser.add_argument("--weights", type=Path, metavar="FILE")
    parser.add_argument("--config", type=Path, metavar="FILE")
    parser.add_argument("--clinical", type=Path, metavar="CASE.yaml|TABLE.csv")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _info(verbs: _Verbs) -> None:
    parser = _verb(verbs, "info", "What this installation holds.")
    parser.add_argument("--json", action="store_true", help="for machines")


def _doctor(verbs: _Verbs) -> None:
    parser = _verb(verbs, "doctor", "Check that this machine can run netseg, part by part.")
    parser.add_argument("--format", choices=("text", "json"), default="text")
