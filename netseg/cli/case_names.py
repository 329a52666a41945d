"""Neutral case names, and the one file that says who is who."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from netseg.domain.codes import Code
from netseg.domain.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from netseg.study import FoundStudy


def rename(found: Iterable[FoundStudy], out: Path) -> tuple[FoundStudy, ...]:
    """Give every case a neutral name that stays the same from run to run.

    The key and the mapping lie in `OUT.case-ids.json` beside the output folder, readable by their
    owner alone; nobody can go back from a name without them.

    Args:
        found: The studies under their own names.
        out: The output folder.

    Returns:
        The studies under neutral names.

    Raises:
        EnvironmentFaultError: If the mapping cannot be read or written.
    """
    from netseg.study import hashed_case_id

    file = out.resolve().with_name(f"{out.resolve().name}.case-ids.json")
    try:
        known = json.loads(file.read_text()) if file.exists() else {}
        key = bytes.fromhex(known.get("key") or secrets.token_hex(32))
        renamed = tuple(replace(one, case_id=hashed_case_id(one.case_id, key)) for one in found)
        names = {new.case_id: old.case_id for new, old in zip(renamed, found, strict=True)}
        document = {"key": key.hex(), "cases": {**known.get("cases", {}), **names}}
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(document, stream, indent=2)
    except (OSError, ValueError) as error:
        raise EnvironmentFaultError(
            Code.OUTPUT_UNWRITABLE,
            f"the case names cannot be kept in {file.name}: {error}.",
            hint="Choose an output folder whose parent can be written.",
        ) from error
    return renamed
