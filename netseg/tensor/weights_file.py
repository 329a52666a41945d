"""Weights files and their cards: what is accepted, and what is refused by name. No torch in here."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from netseg.domain import Code, EnvironmentFaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

NAME_ANOTHER = "Name one with --weights FILE.safetensors or train one with train.py."


class WeightsCard(Protocol):
    """What every kind of model card says about its file."""

    @property
    def name(self) -> str:
        """Name of the model."""
        ...

    @property
    def sha256(self) -> str:
        """Checksum of the weights file."""
        ...

    @property
    def tensors(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every tensor by its name."""
        ...


SomeCard = TypeVar("SomeCard", bound=WeightsCard)


@contextmanager
def card_document(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON of a model card; a key or value that is missed while it is read is refused.

    Raises:
        EnvironmentFaultError: WEIGHTS_MISSING or CORRUPT_CHECKPOINT.
    """
    if not path.is_file():
        raise EnvironmentFaultError(
            Code.WEIGHTS_MISSING,
            f"the model card {path.name} is not beside the weights.",
            file=path.name,
            hint="Copy both files; the card says which network and checksum to expect.",
        )
    try:
        yield json.loads(path.read_text(encoding="utf-8"))
    except (KeyError, TypeError, ValueError) as error:
        raise EnvironmentFaultError(
            Code.CORRUPT_CHECKPOINT,
            f"the model card cannot be read: {type(error).__name__} {error}.",
            file=path.name,
            hint="Take the card that was exported together with the weights.",
        ) from error


def load_with_card(
    path: Path,
    read_card: Callable[[Path], SomeCard],
    *,
    parse: Callable[[bytes], dict[str, np.ndarray]] | None = None,
    otherwise: str = NAME_ANOTHER,
) -> tuple[SomeCard, dict[str, np.ndarray]]:
    """Read a weights file of any kind and hold it against the card beside it.

    Args:
        path: The weights.
        read_card: Reads the card, which has the same name with the ending `.json`.
        parse: Reads the bytes of a safetensors file; None for types that numpy has.
        otherwise: What to do where there is no such file.

    Returns:
        The card, and the tensors by name as numpy arrays.

    Raises:
        EnvironmentFaultError: WEIGHTS_MISSING, UNSAFE_CHECKPOINT, CORRUPT_CHECKPOINT,
            ARCHITECTURE_MISMATCH or NON_FINITE_WEIGHTS.
    """
    data = _read(path, otherwise)
    card = read_card(path.with_suffix(".json"))
    tensors = _parse(path, data, parse)
    _require_layout(path, card, {name: a.shape for name, a in tensors.items()})
    broken = [name for name, a in tensors.items() if not np.isfinite(a).all()]
    if broken:
        raise EnvironmentFaultError(
            Code.NON_FINITE_WEIGHTS,
            f"{len(broken)} tensors hold NaN or infinite numbers, {broken[0]} first.",
            file=path.name,
            hint="The training diverged; export an earlier checkpoint.",
        )
    met = hashlib.sha256(data).hexdigest()
    if met != card.sha256:
        raise EnvironmentFaultError(
            Code.CORRUPT_CHECKPOINT,
            f"checksum {met[:12]}… is not the {card.sha256[:12]}… of the model card.",
            file=path.name,
            detail={"expected": card.sha256, "found": met},
            hint="Copy weights and card again from one source.",
        )
    return card, tensors


def _read(path: Path, otherwise: str) -> bytes:
    if path.suffix != ".safetensors":
        raise _unsafe(path)
    if not path.is_file():
        raise EnvironmentFaultError(
            Code.WEIGHTS_MISSING,
            f"there is no weights file {path.name}.",
            file=path.name,
            hint=otherwise,
        )
    data = path.read_bytes()
    if not data:
        raise EnvironmentFaultError(
            Code.CORRUPT_CHECKPOINT, "the file is empty.", file=path.name, hint="Copy it again."
        )
    start = data[:200].lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        raise EnvironmentFaultError(
            Code.CORRUPT_CHECKPOINT,
            "this is a Git LFS pointer, not the weights it points to.",
            file=path.name,
            hint="Run `git lfs pull`.",
        )
    if start.startswith((b"<!doctype", b"<html")):
        raise EnvironmentFaultError(
            Code.CORRUPT_CHECKPOINT,
            "this is a web page, not a weights file.",
            file=path.name,
            hint="The download was answered by an error page; fetch the file itself.",
        )
    if data[:2] in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05"):
        raise _unsafe(path)
    return data


def _unsafe(path: Path) -> EnvironmentFaultError:
    return EnvironmentFaultError(
        Code.UNSAFE_CHECKPOINT,
        "only safetensors files are read: other checkpoints can run code when opened.",
        file=path.name,
        hint="Convert it where you trust it: safetensors.torch.save_file(state, FILE).",
    )


def _parse(
    path: Path, data: bytes, parse: Callable[[bytes], dict[str, np.ndarray]] | None
) -> dict[str, np.ndarray]:
    import safetensors
    from safetensors.numpy import load

    try:
        return (parse or load)(data)
    except (safetensors.SafetensorError, json.JSONDecodeError, KeyError) as error:
        raise EnvironmentFaultError(
            Code.CORRUPT_CHECKPOINT,
            f"the file cannot be read as safetensors ({error}).",
            file=path.name,
            hint="It was cut off or changed; copy it again.",
        ) from error


def _require_layout(path: Path, card: WeightsCard, met: Mapping[str, tuple[int, ...]]) -> None:
    expected = card.tensors
    absent = sorted(set(expected) - set(met))
    extra = sorted(set(met) - set(expected))
    other = sorted(n for n in set(met) & set(expected) if tuple(met[n]) != tuple(expected[n]))
    if not (absent or extra or other):
        return
    first = (absent + extra + other)[0]
    raise EnvironmentFaultError(
        Code.ARCHITECTURE_MISMATCH,
        f"the tensors are not those of {card.name}: {len(absent)} absent, {len(extra)} unknown, "
        f"{len(other)} of another shape; {first} first.",
        file=path.name,
        detail={"absent": absent[:5], "unknown": extra[:5], "other_shape": other[:5]},
        hint="Use the weights together with the card they were exported with.",
    )
