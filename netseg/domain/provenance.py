"""Where a result comes from: enough to make the same bytes again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Version, model, configuration and inputs. Times and hosts stand in `run.json` only.

    Attributes:
        netseg_version: Version of this software.
        config_sha256: Hash of the composed configuration.
        weights_sha256: Checksums of the weights by role.
        input_sha256: Hash of the input files by series key.
        rules_sha256: Hash of the rule set, where one was applied.
    """

    netseg_version: str
    config_sha256: str
    weights_sha256: Mapping[str, str] = field(default_factory=dict[str, str])
    input_sha256: Mapping[str, str] = field(default_factory=dict[str, str])
    rules_sha256: str | None = None

    def to_document(self) -> dict[str, Any]:
        """The provenance as JSON types."""
        return {
            "netseg_version": self.netseg_version,
            "config_sha256": self.config_sha256,
            "weights_sha256": dict(self.weights_sha256),
            "input_sha256": dict(self.input_sha256),
            "rules_sha256": self.rules_sha256,
        }
