"""What stands beside a foreign network's weights: how to build it and what to feed it.

A YAML or JSON document of plain values. Nothing in it is evaluated: a network is a word of
`netseg.segment.monai_networks.NETWORKS`, its arguments are numbers, words and lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

from netseg.domain import Code, EnvironmentFaultError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

ENDINGS = (".yaml", ".yml", ".json")
MOST_BYTES = 1 << 16
LETTERS = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
"""Axis of LPS and sign of a direction letter: "RAS" runs to the Right, Anterior, Superior."""
REQUIRED = ("name", "network", "inputs", "orientation", "spacing_mm", "patch", "labels")
OPTIONAL = ("schema_version", "sha256", "output", "threshold", "overlap", "about")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intensity:
    """How a channel's numbers are scaled, after resampling.

    Attributes:
        kind: "window": `low` … `high` becomes `to`, what lies outside is cut. "normalise": cut to
            `low` … `high` where given, less `mean`, over `sd` (nnU-Net's CT). "per_image": less the
            image's own mean, over its own deviation, of what is not 0 where `nonzero`.
    """

    kind: str
    low: float | None = None
    high: float | None = None
    to: tuple[float, float] = (0.0, 1.0)
    mean: float = 0.0
    sd: float = 1.0
    nonzero: bool = False

    def __post_init__(self) -> None:
        """Keep the numbers usable."""
        if self.kind not in ("window", "normalise", "per_image"):
            raise ValueError(f"intensity is window, normalise or per_image; got {self.kind!r}.")
        if self.kind == "window" and (self.low is None or self.high is None):
            raise ValueError("a window needs low and high.")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low must lie below high; got {self.low} and {self.high}.")
        if not self.sd > 0:
            raise ValueError(f"sd must be positive; got {self.sd}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A foreign network as described by whoever trained it.

    Attributes:
        name: For the provenance.
        network: Word of the table of networks.
        arguments: Its arguments.
        channels: What it is fed, in its order: netseg's channels, or "ct", "mr", "pet".
        intensities: How each channel is scaled.
        orientation: Where its arrays' axes run, such as "RAS".
        spacing_mm: Its voxels along these axes.
        patch: Voxels of a patch along these axes.
        lesion: Channels of its output that are lesion.
        liver: Channels of its output that are liver; None if it does not outline the liver.
        output: "softmax": every voxel is the most likely of all; "sigmoid": channels by themselves.
        threshold: For sigmoid, the probability from which a voxel counts.
        overlap: Share of the patch edge that neighbouring patches have in common.
        sha256: Checksum of the weights file, if the author gave one.
    """

    name: str
    network: str
    arguments: Mapping[str, Any]
    channels: tuple[str, ...]
    intensities: tuple[Intensity, ...]
    orientation: str
    spacing_mm: tuple[float, float, float]
    patch: tuple[int, int, int]
    lesion: tuple[int, ...]
    liver: tuple[int, ...] | None
    output: str = "softmax"
    threshold: float = 0.5
    overlap: float = 0.5
    sha256: str | None = None

    def __post_init__(self) -> None:
        """Keep the numbers usable."""
        axes = sorted(LETTERS.get(letter, (-1, 0))[0] for letter in self.orientation)
        if axes != [0, 1, 2]:
            raise ValueError(f"orientation is three letters such as RAS; got {self.orientation!r}.")
        if len(self.spacing_mm) != 3 or not all(s > 0 for s in self.spacing_mm):
            raise ValueError(f"spacing_mm is three positive numbers; got {self.spacing_mm}.")
        if len(self.patch) != 3 or not all(n > 0 for n in self.patch):
            raise ValueError(f"patch is three positive whole numbers; got {self.patch}.")
        if self.output not in ("softmax", "sigmoid"):
            raise ValueError(f"output is softmax or sigmoid; got {self.output!r}.")
        if not 0 < self.threshold < 1 or not 0 <= self.overlap < 1:
            raise ValueError(
                f"threshold lies in (0, 1), overlap in [0, 1); got {self.threshold}, {self.overlap}."
            )
        if not self.lesion or set(self.lesion) & set(self.liver or ()):
            raise ValueError(
                f"labels name lesion and liver apart; got {self.lesion} and {self.liver}."
            )

    @classmethod
    def beside(cls, weights: Path) -> Self:
        """Read the description with the weights' name and the ending .yaml, .yml or .json.

        Raises:
            EnvironmentFaultError: WEIGHTS_MISSING without one.
            UsageError: With the key and value that were met, if it says nothing that can be used.
        """
        files = [weights.with_suffix(ending) for ending in ENDINGS]
        file = next((f for f in files if f.is_file()), None)
        if file is None:
            raise EnvironmentFaultError(
                Code.WEIGHTS_MISSING,
                f"there is no {' or '.join(f.name for f in files)} beside the weights.",
                file=weights.name,
                hint="Describe the network in one: docs/how-to/other-models.md.",
            )
        document = _read(file)
        _require_keys(document, REQUIRED, OPTIONAL, "the description", file.name)
        try:
            return cls._of(document, file.name)
        except (TypeError, ValueError, KeyError) as error:
            raise UsageError(Code.CONFIG_RANGE, f"{error}", file=file.name) from error

    @classmethod
    def _of(cls, document: Mapping[str, Any], file: str) -> Self:
        network, labels = document["network"], document["labels"]
        _require_keys(network, ("name", "arguments"), (), "network", file)
        _require_keys(labels, ("lesion",), ("liver",), "labels", file)
        inputs = document["inputs"]
        if not isinstance(inputs, list) or not inputs:
            raise TypeError(f"inputs is a list of channels; got {inputs!r}.")
        for one in inputs:
            _require_keys(one, ("channel", "intensity"), (), "inputs", file)
        options = {k: document[k] for k in ("output", "sha256") if k in document}
        options |= {k: float(document[k]) for k in ("threshold", "overlap") if k in document}
        return cls(
            name=str(document["name"]),
            network=str(network["name"]),
            arguments=_plain(network["arguments"]),
            channels=tuple(str(one["channel"]) for one in inputs),
            intensities=tuple(_intensity(one["intensity"], file) for one in inputs),
            orientation=str(document["orientation"]),
            spacing_mm=tuple(float(v) for v in document["spacing_mm"]),  # pyright: ignore[reportArgumentType]
            patch=tuple(int(n) for n in document["patch"]),  # pyright: ignore[reportArgumentType]
            lesion=_numbers(labels["lesion"]),
            liver=None if labels.get("liver") is None else _numbers(labels["liver"]),
            **options,
        )


def _read(file: Path) -> Mapping[str, Any]:
    import yaml

    data = file.read_bytes()
    if len(data) > MOST_BYTES:
        raise UsageError(
            Code.ALLOCATION_LIMIT,
            f"the description has {len(data)} bytes; at most {MOST_BYTES} are read.",
            file=file.name,
        )
    try:
        text = data.decode("utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise UsageError(Code.CONFIG_SYNTAX, "the description uses aliases.", file=file.name)
        document = yaml.safe_load(text)
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UsageError(
            Code.CONFIG_SYNTAX,
            "the description is no YAML or JSON of plain values.",
            file=file.name,
        ) from error
    return document


def _require_keys(
    document: object, required: Iterable[str], optional: Iterable[str], where: str, file: str
) -> None:
    if not isinstance(document, dict):
        raise UsageError(
            Code.CONFIG_TYPE, f"{where} must be a mapping; got {document!r}.", file=file
        )
    known = (*required, *optional)
    for key in document:
        if key in known:
            continue
        if str(key).startswith("_"):
            raise UsageError(
                Code.UNSAFE_CONFIG,
                f"{where} holds {key!r}: a MONAI bundle's own configuration is never evaluated.",
                file=file,
                hint="Write the values out as docs/how-to/other-models.md shows.",
            )
        close = get_close_matches(str(key), known, n=1)
        raise UsageError(
            Code.CONFIG_UNKNOWN_KEY,
            f"{where} has the unknown key {key!r}; it has {', '.join(known)}.",
            file=file,
            hint=f"Did you mean {close[0]}?" if close else "",
        )
    missing = [key for key in required if key not in document]
    if missing:
        raise UsageError(Code.CONFIG_RANGE, f"{where} lacks {', '.join(missing)}.", file=file)


def _plain(value: Any) -> Any:
    """Numbers, words and lists; what a bundle would evaluate is refused."""
    if isinstance(value, str) and value.startswith(("$", "@", "%")):
        raise ValueError(f"{value!r} is an expression of a MONAI bundle; write the value out.")
    if isinstance(value, dict):
        if any(str(key).startswith("_") for key in value):
            raise ValueError(f"{sorted(value)} is an object of a MONAI bundle; write values out.")
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"{value!r} is no number, word or list.")


def _intensity(document: Any, file: str) -> Intensity:
    fields = ("low", "high", "to", "mean", "sd", "nonzero")
    _require_keys(document, ("kind",), fields, "intensity", file)
    values = dict(document)
    if "to" in values:
        first, last = values["to"]
        values["to"] = (float(first), float(last))
    return Intensity(**values)


def _numbers(value: Any) -> tuple[int, ...]:
    numbers = value if isinstance(value, list) else [value]
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers):
        raise TypeError(f"labels are whole numbers from 0; got {value!r}.")
    return tuple(numbers)
