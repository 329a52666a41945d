"""What the command line says about a control scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from netseg.pipeline.control import ControlStations
    from netseg.pipeline.control_files import ControlFiles


ZONE_METHODS = ("classic", "learned")


def add_control_words(parser: argparse.ArgumentParser) -> None:
    """The options that describe a control scan, whatever a verb calls the scan itself."""
    group = parser.add_argument_group("the control scan")
    group.add_argument("--zone", metavar="MASK", help="the ablation zone, outlined by hand")
    group.add_argument(
        "--zone-method", choices=ZONE_METHODS, help="who outlines the zone (default: classic)"
    )
    group.add_argument("--liver-post", metavar="MASK", help="the liver on the control scan")
    group.add_argument(
        "--landmarks", type=Path, metavar="FILE.csv",
        help="the same places in both scans: pre_x_mm, pre_y_mm, pre_z_mm, post_x_mm, … (LPS)",
    )  # fmt: skip
    group.add_argument(
        "--same-patient", action="store_true", help="the headers differ by pseudonyms alone"
    )


def control_files(scan: Path, words: argparse.Namespace) -> ControlFiles:
    """A control scan as the options of `add_control_words` describe it."""
    from netseg.pipeline.control_files import ControlFiles

    return ControlFiles(
        scan=scan,
        zone=words.zone,
        liver=words.liver_post,
        landmarks=words.landmarks,
        same_patient=words.same_patient,
    )


def say_zone_method(settings: dict[str, Any], words: argparse.Namespace) -> None:
    """Let the command line choose who outlines the zone."""
    if words.zone_method is not None:
        settings["zone"] = {"_target_": f"{words.zone_method}_zone"}


def control_stations(settings: dict[str, Any], liver: Any, margin: Any) -> ControlStations:
    """Who checks a control scan, by the composed "infer" configuration.

    Args:
        settings: With the groups `register` and `zone`.
        liver: The backend that outlines a liver nobody gave.
        margin: The margin rule.

    Raises:
        UsageError: If the configuration names something unknown.
    """
    from netseg.cli.registry import build
    from netseg.pipeline.control import ControlStations

    return ControlStations(
        liver=liver,
        zone=build(settings["zone"]),
        registration=build(settings["register"]),
        margin=margin,
    )
