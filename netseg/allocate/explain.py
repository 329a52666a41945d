"""The allocation as a text that a reader can redo by hand with the printed rows alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from netseg.domain.allocation import OptionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netseg.domain.allocation import Allocation, Option, Reason


_HOW_TO_READ = """Tables as read
(Of a table the first row whose condition holds decides. Where facts are unknown, every row stands here
that decides for some value of theirs. An option's first lines are its deciding rows; further + and - argue.)"""


def explain(allocation: Allocation) -> str:
    """The whole allocation in words: answer, facts, tables as read, options, what is missing."""
    parts = [
        _answer(allocation),
        _block("Errors", (error.message for error in allocation.errors)),
        _block("Contradictions", (_conflict_line(c) for c in allocation.conflicts)),
        _block("Facts", (f"{name} = {_fact(name, v)}" for name, v in allocation.facts.items())),
        _tables(allocation),
        _options(allocation),
        _block("Ask", (f"{f}: decides {', '.join(w)}" for f, w in allocation.ask_because.items())),
        _block("Imaging", (_scan_line(s) for s in allocation.imaging)),
        _follow_up(allocation),
        _block("What else would lead elsewhere", (
            f"{_facts(c.change)} -> {c.route}" for c in allocation.counterfactuals)),
        _block("Staging record", staging_lines(allocation)),
        _block("Mind", (
            f"{f.id}: {f.text}{f' [{f.sentence}]' if f.sentence else ''}" for f in allocation.flags)),
        _colophon(allocation),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _colophon(a: Allocation) -> str:
    return (
        f"{a.caveat}\nRules: {a.rules_id}, sha256 {a.rules_sha256[:16]}; "
        "Sxxx are sentence ids and [n] reference numbers of its source."
    )


def staging_lines(a: Allocation) -> Iterable[str]:
    """Known entries of the staging record, and the names of the unknown ones."""
    known = {k: v for k, v in a.staging.items() if v is not None}
    yield from (f"{name} = {_staged(value)}" for name, value in known.items())
    unknown = [k for k, v in a.staging.items() if v is None and k != "m_mismatch"]
    if unknown:
        yield f"unknown: {', '.join(unknown)} (S101-S103)"


def _staged(value: Any) -> str:
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        return _facts({k: v for k, v in entries.items() if v is not None})
    if isinstance(value, list):
        return ", ".join(map(str, cast("list[Any]", value))) or "none"
    return _value(value)


def _answer(a: Allocation) -> str:
    route = (
        str(a.route) if a.route else "open: " + (" or ".join(map(str, a.possible_routes)) or "-")
    )
    grade = str(a.grade) if a.grade else "open: " + " or ".join(map(str, a.possible_grades))
    pattern = str(a.pattern) if a.pattern else "open: " + " or ".join(a.possible_patterns)
    if a.possible_patterns == ("not_covered",):
        pattern = "not covered by the source"
    lines = [f"Status  {a.status}"]
    if a.trace:
        nec = {True: ", carcinoma (NEC)", False: "", None: ", carcinoma open"}[a.is_nec]
        lines += [f"Route   {route}", f"Grade   {grade}{nec}", f"Liver   {pattern}"]
    if a.goal:
        lines.append(f"Goal    {a.goal}")
    if a.ablation_window:
        reason = f" ({a.ablation_window_reason})" if a.ablation_window_reason else ""
        lines.append(f"Ablation window {a.ablation_window}{reason}")
    if a.ablation_result:
        lines.append(f"Ablation result {a.ablation_result}")
    return "\n".join(lines)


def _tables(a: Allocation) -> str:
    lines: list[str] = []
    for step in a.trace:
        lines.append(f"{step.table}: {' or '.join(step.outcomes) or 'no row'}")
        lines += [f"  {then} <- {_reason(reason)}" for reason, then in step.rows]
    return "\n".join([_HOW_TO_READ, *lines]) if lines else ""


def _options(a: Allocation) -> str:
    if not a.options:
        return ""
    lines = ["Options"]
    for status in OptionStatus:
        chosen = [option for option in a.options if option.status is status]
        if status is OptionStatus.NOT_SUPPORTED:
            lines += [line for option in chosen for line in _idle_option(option)]
            continue
        for option in chosen:
            lines += _option(option)
    return "\n".join(lines)


def _idle_option(option: Option) -> list[str]:
    """An option without a reason to be offered, in one line with the row that says so."""
    why = "; ".join(map(_reason, option.against[:1]))
    return [
        f"not_supported: {option.id} <- {why}",
        *(f"  ? {c.status} if {_facts(c.change)}" for c in option.counterfactuals),
    ]


def _option(option: Option) -> list[str]:
    intent = f", {option.intent}" if option.intent else ""
    undecided = ""
    if option.status is OptionStatus.UNDETERMINED:
        undecided = " (" + " or ".join(option.possible_statuses) + ")"
    return [
        f"{option.status}: {option.id}{intent}{undecided}",
        *(f"  + {_reason(reason)}" for reason in option.because),
        *(f"  - {_reason(reason)}" for reason in option.against),
        *(f"  = {figure}" for figure in option.evidence),
        *(f"  ? {c.status} if {_facts(c.change)}" for c in option.counterfactuals),
    ]


def _reason(reason: Reason) -> str:
    references = f" [{', '.join(map(str, reason.references))}]" if reason.references else ""
    facts = f" because {_facts(reason.facts)}" if reason.facts else ""
    assumed = "; assumption" if reason.assumption else ""
    where = f"{', '.join(reason.sentences)}{references}; {reason.strength}{assumed}"
    return f"{reason.rule}{facts}. {reason.text} ({where})"


def _conflict_line(conflict: Any) -> str:
    sentence = f" [{conflict.sentence}]" if conflict.sentence else ""
    return f"{conflict.id}: {_facts(conflict.facts)}. {conflict.text}{sentence}"


def _scan_line(scan: Any) -> str:
    done = " (done)" if scan.done else ""
    return f"{scan.id}{done}: {scan.because} ({scan.sentence}; {scan.strength})"


def _follow_up(a: Allocation) -> str:
    if a.follow_up is None:
        return ""
    low, high = a.follow_up.interval_months
    months = f"{low:g} months" if low == high else f"{low:g} to {high:g} months"
    lines = [f"{months}. {a.follow_up.what} ({a.follow_up.sentence})"]
    lines += [f"{text} ({sentence})" for text, sentence in a.follow_up.further]
    return _block("Follow-up", lines)


def _block(title: str, lines: Iterable[str]) -> str:
    found = [f"  {line}" for line in lines]
    return "\n".join([title, *found]) if found else ""


def _facts(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in facts.items())


def _value(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "; ".join(_entry(one) for one in cast("list[Any]", value)) or "none"
    return _entry(value)


def _fact(name: str, value: Any) -> str:
    """A fact of the document as the tables below write it."""
    if name == "ki67" and isinstance(value, list):
        return "-".join(f"{end:g}" for end in cast("list[float]", value)) + " %"
    if name == "ki67" and isinstance(value, dict):
        signs = {"below": "<", "above": ">"}
        ends = cast("dict[str, float]", value).items()
        return " and ".join(f"{signs.get(end, end)} {number:g} %" for end, number in ends)
    return _value(value)


def _entry(value: Any) -> str:
    """A mapping as a reader writes it: "segment VI, diameter_cm 2.0"."""
    if isinstance(value, dict):
        known = {k: v for k, v in cast("dict[str, Any]", value).items() if v is not None}
        return ", ".join(
            f"{k} ({_entry(v)})" if isinstance(v, dict) else f"{k} {_value(v)}"
            for k, v in known.items()
        )
    return str(value)
