"""A rule set's files as they stand, and overlays: a newer source as changes to an older set.

An overlay is one file `rules.yaml` that names what it `extends` and lists its changes row by row,
so that a reader sees what a newer source changes and everything else is provably untouched.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from netseg.allocate.reading import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Entry = dict[str, Any]

SECTIONS = ("inputs", "tables", "options", "constraints", "imaging", "flags", "safety")

_OVERLAY_KEYS = {
    "id", "extends", "title", "source", "read", "note", "statements", "inputs", "changes",
    "options", "evidence",
}  # fmt: skip
_ROW_LISTS = ("rows", "further", "for", "against")


class RuleTableError(ValueError):
    """A rule table that says something netseg does not understand. A fault of the rule set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a source other than the first.

    Attributes:
        text: A paraphrase.
        source: Where it stands.
        read: What of the source was read: "abstract", "table", "news page".
    """

    text: str
    source: str
    read: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDocuments:
    """A rule set as its files have it.

    Attributes:
        id: Its name; with overlays their names joined by "+".
        sha256: Hash over names and bytes of every file that decides.
        caveat: What every report must print.
        sections: Entries by section, of `SECTIONS`.
        statements: Statements of further sources by id.
    """

    id: str
    sha256: str
    caveat: str
    sections: Mapping[str, list[Entry]]
    statements: Mapping[str, Statement]


def read_documents(folder: Path) -> RuleDocuments:
    """The files of a rule set that stands alone.

    Raises:
        RuleTableError: If the folder holds an overlay.
        StudyRejectedError: CONFIG_SYNTAX for a file that is not well-formed.
    """
    head = _document(folder, "rules.yaml")
    if "extends" in head:
        raise RuleTableError(f"{head['id']} is an overlay on {head['extends']}; it needs its base.")
    files: dict[str, list[str]] = {
        "inputs": ["inputs.yaml"],
        "tables": head["tables"],
        "options": head["options"],
        **{name: [head[name]] for name in ("constraints", "imaging", "flags", "safety")},
    }
    sections = {
        section: [entry for name in names for entry in _document(folder, name)[section]]
        for section, names in files.items()
    }
    names = {"rules.yaml", *(name for listed in files.values() for name in listed)}
    return RuleDocuments(
        id=head["id"],
        sha256=_hash(b"", folder, names),
        caveat=" ".join(head["caveat"].split()),
        sections=sections,
        statements={},
    )


def extended(folder: Path) -> str | None:
    """The rule set that an overlay extends, None for one that stands alone."""
    return _document(folder, "rules.yaml").get("extends")


def lay_over(base: RuleDocuments, folder: Path) -> RuleDocuments:
    """The rule set with an overlay's changes.

    Raises:
        RuleTableError: For an unknown key, or a change of a row that is not there.
    """
    overlay = _document(folder, "rules.yaml")
    unknown = sorted(set(overlay) - _OVERLAY_KEYS)
    if unknown:
        raise RuleTableError(f"overlay {folder.name}: unknown key {unknown[0]!r}.")
    sections = {name: [dict(entry) for entry in base.sections[name]] for name in SECTIONS}
    for entry in overlay.get("inputs", []):
        _insert_input(sections["inputs"], dict(entry), overlay["id"])
    for change in overlay.get("changes", []):
        _change(sections, change, overlay["id"])
    sections["options"] += overlay.get("options", [])
    for entry in overlay.get("evidence", []):
        option = _option_alone(sections["options"], entry["in"])
        option["evidence"] = [*option.get("evidence", []), *entry["add"]]
    return dataclasses.replace(
        base,
        id=overlay["id"] if "+" not in base.id and base.id == overlay["extends"]
        else f"{base.id}+{overlay['id']}",
        sha256=_hash(base.sha256.encode(), folder, {"rules.yaml"}),
        caveat=f"{base.caveat} {overlay['id']}: {overlay['source']}; read: {overlay['read']}",
        sections=sections,
        statements={**base.statements, **_statements(overlay)},
    )  # fmt: skip


def _statements(overlay: Entry) -> dict[str, Statement]:
    return {
        name: Statement(text=entry["text"], source=entry["source"], read=entry["read"])
        for name, entry in overlay.get("statements", {}).items()
    }


def _insert_input(inputs: list[Entry], entry: Entry, overlay: str) -> None:
    """Place a new fact after another; the order is the one in which the diagrams ask."""
    after = entry.pop("after")
    if any(known["name"] == entry["name"] for known in inputs):
        return  # another overlay brought it
    places = [place for place, known in enumerate(inputs) if known["name"] == after]
    if not places:
        raise RuleTableError(f"overlay {overlay}: there is no input {after!r}.")
    inputs.insert(places[0] + 1, entry)


def _change(sections: dict[str, list[Entry]], change: Entry, overlay: str) -> None:
    """Rows in place of one, or before it. An empty list takes the row away."""
    key = "instead_of" if "instead_of" in change else "before"
    if set(change) != {"in", key, "rows"}:
        raise RuleTableError(f"overlay {overlay}: a change has in, {key} and rows; got {change}.")
    for rows in _row_lists(sections, change["in"]):
        for place, row in enumerate(rows):
            if row["id"] == change[key]:
                rows[place : place + (key == "instead_of")] = change["rows"]
                return
    raise RuleTableError(f"overlay {overlay}: no row {change[key]!r} in {change['in']!r}.")


def _row_lists(sections: dict[str, list[Entry]], name: str) -> list[list[Entry]]:
    """The lists of rows of a table, an option or a section, ready to be changed."""
    if name in ("constraints", "imaging", "flags", "safety"):
        return [sections[name]]
    tables = [entry for entry in sections["tables"] if entry["table"] == name]
    entry = tables[0] if tables else _option_alone(sections["options"], name)
    for key in _ROW_LISTS:
        if key in entry:
            entry[key] = list(entry[key])
    return [entry[key] for key in _ROW_LISTS if key in entry]


def _option_alone(options: list[Entry], name: str) -> Entry:
    """The option's own table; options that shared one are parted first.

    Raises:
        RuleTableError: If there is none.
    """
    for place, entry in enumerate(options):
        names = cast("list[str]", entry["option"] if isinstance(entry["option"], list)
                     else [entry["option"]])  # fmt: skip
        if name in names:
            alone = [dict(entry) | {"option": one} for one in names]
            options[place : place + 1] = alone
            return alone[names.index(name)]
    raise RuleTableError(f"there is no table, option or section {name!r}.")


def _document(folder: Path, name: str) -> Entry:
    text = (folder / name).read_text(encoding="utf-8")
    return cast("Entry", parse_yaml(text, name))


def _hash(start: bytes, folder: Path, names: set[str]) -> str:
    """Over names and bytes of every file that decides; the order is that of the names."""
    digest = hashlib.sha256(start)
    for name in sorted(names):
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes() + b"\0")
    return digest.hexdigest()
