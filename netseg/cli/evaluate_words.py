"""The words of `netseg evaluate`; imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

LABELS = "NAME=NUMBERS"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Let a parser take the words of `netseg evaluate`."""
    _add_sides(parser)
    parser.add_argument(
        "--clinical",
        type=Path,
        metavar="CASE.yaml|TABLE.csv",
        help="facts by case: also tell whether the treatment changes with the predicted outlines",
    )
    parser.add_argument("--rules", default="seed-2020", metavar="NAME", help="for --clinical")
    parser.add_argument(
        "--patients", type=Path, metavar="TABLE.csv", help="columns case,patient: whose a case is"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        action="append",
        default=[],
        metavar="MM",
        help="further tolerance of the surface Dice beside 2 mm",
    )
    parser.add_argument(
        "--resample",
        choices=("nearest",),
        help="bring a prediction on another grid onto the truth's; refused otherwise",
    )
    parser.add_argument(
        "--unpaired",
        choices=("refuse", "empty", "skip"),
        default="refuse",
        help="a case without a prediction is refused, counts as nothing found, or is left out",
    )
    parser.add_argument("--draws", type=int, default=2000, help="of patients, for the intervals")
    parser.add_argument("--seed", type=int, default=20201, help="of these draws")
    parser.add_argument(
        "--model", metavar="NAME[@VERSION]", help="what made --pred, for the record"
    )
    parser.add_argument("--track", choices=("mlflow", "spool"), help="keep the figures as a run")
    parser.add_argument("--track-root", type=Path, metavar="DIR", help="where runs are kept")
    parser.add_argument("-o", "--output", type=Path, metavar="OUT")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def _add_sides(parser: argparse.ArgumentParser) -> None:
    where = "FILE, FILE:2 or DIR; the same file stem is the same case"
    parser.add_argument("--pred", required=True, metavar="DIR|FILE", help=where)
    parser.add_argument("--truth", required=True, metavar="DIR|FILE", help=where)
    parser.add_argument(
        "--against", metavar="DIR|FILE", help="outlines of a second model, compared pairwise"
    )
    for side in ("", "pred-", "truth-", "against-"):
        parser.add_argument(
            f"--{side}label",
            action="append",
            default=[],
            metavar=LABELS,
            help="lesion=2, liver=1,2, lesion=instances; ignore=5 is known and not scored"
            if not side
            else "the same for this side alone",
        )
    parser.add_argument(
        "--probability", type=Path, metavar="DIR|FILE", help="lesion probability beside --pred"
    )
    parser.add_argument(
        "--against-probability", type=Path, metavar="DIR|FILE", help="the same beside --against"
    )
