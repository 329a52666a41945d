"""From a composed configuration to the stations it describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.cli.configuration import config_hash
from netseg.cli.control_words import control_stations
from netseg.cli.registry import build

if TYPE_CHECKING:
    from netseg.pipeline import Stations


def build_stations(settings: dict[str, Any]) -> Stations:
    """Build every station once.

    Args:
        settings: The composed "infer" configuration.

    Returns:
        The stations; weights are loaded when the first study needs them.

    Raises:
        UsageError: If the configuration names something unknown.
        EnvironmentFaultError: If weights are missing.
    """
    from netseg.pipeline import Stations
    from netseg.pipeline.judging import smallest_margin
    from netseg.segment import MasksBackend
    from netseg.segment.device import pick_device

    device = str(pick_device(settings["device"]))
    margin = build(settings["verify"])
    segment = _segment(settings["segment"], device)
    announced = settings["control"]["scan"] is not None
    planner = ablation = None
    if settings["plan"]:
        from netseg.simulate import protocols

        ablation = build(settings["simulate"], **_on(settings["simulate"], device))
        planner = build(
            settings["plan"],
            protocols=protocols(settings["plan"]["device"]),
            margin_of=smallest_margin(margin),
        )
    return Stations(
        segment=segment,
        masks=MasksBackend(),
        planner=planner,
        ablation=ablation,
        margin=margin,
        rules=build(settings["allocate"]),
        config_sha256=config_hash(settings),
        device=device,
        control=control_stations(settings, segment, margin) if announced else None,
        segments=_segments(settings["segments"], device),
    )


def _segment(config: dict[str, Any], device: str) -> Any:
    """Who outlines liver and lesions; the members of an ensemble compute where it is told to."""
    if "members" not in config:
        return build(config, **_on(config, device))
    members = [{**_on(one, device), **one} for one in config["members"]]
    return build({**config, "members": members})


def _segments(config: dict[str, Any] | None, device: str) -> Any:
    """Who tells the segments apart; None leaves them to the findings' approximation."""
    return build(config, **_on(config, device)) if config else None


def _on(config: dict[str, Any], device: str) -> dict[str, str]:
    """The device for whoever computes: the configuration's own only where it is not "auto"."""
    if config.get("_target_") == "masks" or config.get("device", "auto") != "auto":
        return {}
    return {"device": device}
