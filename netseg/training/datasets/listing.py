"""Which files a set holds, and the refusal of those that are missing, extra or doubled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from netseg.domain import Code, EnvironmentFaultError, UsageError
from netseg.study.files import image_suffix, stem

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_SHOWN = 8


def require_folder(folder: Path, hint: str) -> Path:
    """The folder, if it is there.

    Raises:
        EnvironmentFaultError: NO_INPUT otherwise.
    """
    if folder.is_dir():
        return folder
    raise EnvironmentFaultError(
        Code.NO_INPUT, f"training set: there is no folder {folder.name}.", hint=hint
    )


def images_in(folder: Path, *, deep: bool = False) -> dict[str, Path]:
    """Image files by name without suffix; files that begin with a dot are no images.

    Args:
        folder: Where to look.
        deep: Whether to look into the folders below it.

    Raises:
        UsageError: TRAINING_SET if two files have one name, or a name has no image's suffix.
    """
    found: dict[str, Path] = {}
    strange: list[str] = []
    for path in sorted(folder.rglob("*") if deep else folder.iterdir()):
        if path.name.startswith(".") or path.is_dir():
            continue
        if image_suffix(path) is None:
            strange.append(path.name)
            continue
        if stem(path) in found:
            raise wrong_set(
                folder,
                f"{found[stem(path)].name} and {path.name} claim one case",
                hint="Keep one of them.",
            )
        found[stem(path)] = path
    if strange and not deep:
        raise wrong_set(folder, f"files that are no images: {listed(strange)}")
    return found


def require_pairs(folder: Path, images: Collection[str], labels: Collection[str]) -> None:
    """Refuse images without outlines and outlines without images, by name.

    Raises:
        UsageError: TRAINING_SET.
    """
    lonely, orphans = sorted(set(images) - set(labels)), sorted(set(labels) - set(images))
    said: list[str] = []
    if lonely:
        said.append(f"{len(lonely)} without outlines ({listed(lonely)})")
    if orphans:
        said.append(f"{len(orphans)} outlines without an image ({listed(orphans)})")
    if said:
        raise wrong_set(folder, "; ".join(said))
    if not images:
        raise wrong_set(folder, "no case at all")


def read_json(path: Path) -> dict[str, Any]:
    """A set's own description.

    Raises:
        EnvironmentFaultError: NO_INPUT if it is not there.
        UsageError: TRAINING_SET if it is no JSON object.
    """
    if not path.is_file():
        raise EnvironmentFaultError(
            Code.NO_INPUT,
            f"training set {path.parent.name}: {path.name} is not there.",
            hint="Point root at the folder that holds it.",
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise wrong_set(path.parent, f"{path.name} is no JSON ({error})") from error
    if not isinstance(document, dict):
        raise wrong_set(path.parent, f"{path.name} holds a {type(document).__name__}")
    return document


def wrong_set(folder: Path, what: str, hint: str = "") -> UsageError:
    """The refusal of a set whose files are not what its layout says."""
    return UsageError(
        Code.TRAINING_SET,
        f"training set {folder.name}: {what}.",
        hint=hint or "Copy the set again from its source, or choose the layout it has.",
    )


def listed(names: Collection[str]) -> str:
    """A few names, and how many more there are."""
    shown = ", ".join(list(names)[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
