"""`netseg allocate`: a findings document in, an allocation out."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

REJECTED = 4


def execute(words: argparse.Namespace) -> int:
    """Read the document, apply the rules, print the answer; a rejected document is answered too."""
    from netseg.allocate import (
        FindingsRejectedError,
        allocate,
        allocation_document,
        explain,
        load_rules,
        read_case,
        rejected,
    )

    rules = load_rules(words.rules)
    code = 0
    try:
        allocation = allocate(read_case(words.findings), rules)
    except FindingsRejectedError as error:
        allocation, code = rejected(error.errors, rules), REJECTED
        sys.stderr.write(f"netseg allocate: {error}\n")
    document = allocation_document(allocation)
    if words.output:
        from netseg.export import make_folder, write_document

        make_folder(words.output)
        write_document(words.output / "allocation.json", document)
    as_json = words.format == "json"
    sys.stdout.write(json.dumps(document, indent=2) if as_json else explain(allocation))
    sys.stdout.write("\n")
    return code
