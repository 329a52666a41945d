"""Tasks as a configuration describes them: sources now, scenes when the stage is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.training.sources import gather
from netseg.training.tasks import LesionTask, LiverTask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netseg.training.sources import Source
    from netseg.training.warp import Warp


def liver_task(
    *, sources: Sequence[Source], seed: int, warp: Warp, settings: dict[str, Any] | None = None
) -> Callable[[], LiverTask]:
    """What makes a liver task; further fields of `LiverTask` go into `settings`."""

    def make() -> LiverTask:
        scenes, weights = gather(sources)
        return LiverTask(scenes=scenes, weights=weights, seed=seed, warp=warp, **(settings or {}))

    return make


def lesion_task(
    *, sources: Sequence[Source], seed: int, warp: Warp, settings: dict[str, Any] | None = None
) -> Callable[[], LesionTask]:
    """What makes a lesion task; further fields of `LesionTask` go into `settings`."""

    def make() -> LesionTask:
        scenes, weights = gather(sources)
        return LesionTask(scenes=scenes, weights=weights, seed=seed, warp=warp, **(settings or {}))

    return make
