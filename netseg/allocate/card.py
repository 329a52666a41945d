"""The allocation as one card of HTML for the report: route, options with their arguments, questions."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from netseg.allocate.explain import staging_lines
from netseg.domain.allocation import OptionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netseg.allocate.sensitivity import Sensitivity
    from netseg.domain.allocation import Allocation, Option, Reason

_IDLE = (OptionStatus.NOT_SUPPORTED,)


def card_html(allocation: Allocation, doubt: Sensitivity | None = None) -> str:
    """A `<section class="allocation-card">`, self-contained and without script or outside files.

    Args:
        allocation: The proposal, best with the counterfactuals of `argued`.
        doubt: Its sensitivity to the lesion list, where draws were made.
    """
    a = allocation
    parts = [
        f"<h2>{escape(_headline(a))}</h2>",
        f"<p>{escape(a.goal)}</p>" if a.goal else "",
        _list("Contradictions", (f"{c.id}: {c.text}" for c in a.conflicts)),
        _list("Errors", (e.message for e in a.errors)),
        *(_option(option) for option in _offered_first(a)),
        _idle(a),
        _list("Ask", (f"{f}: decides {', '.join(why)}" for f, why in a.ask_because.items())),
        _list("Another route if", (f"{_facts(c.change)}: {c.route}" for c in a.counterfactuals)),
        _doubt(doubt),
        _list("Staging record", staging_lines(a)),
        _list("Mind", (f.text for f in a.flags)),
        f"<footer>{escape(f'{a.caveat} Rules {a.rules_id}, {a.rules_sha256[:16]}.')}</footer>",
    ]
    return "\n".join(['<section class="allocation-card">', *filter(None, parts), "</section>", ""])


def card_page(allocation: Allocation, doubt: Sensitivity | None = None) -> str:
    """The card as a page of its own, for a case without images; it can load and run nothing."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        "<title>netseg: treatment allocation</title>\n"
        "<style>body { font: 15px/1.5 sans-serif; max-width: 60rem; margin: 1rem auto; } "
        ".against { color: #b34700; } .figure, .otherwise { color: #5b6876; }</style></head>\n"
        f"<body>\n{card_html(allocation, doubt)}</body></html>\n"
    )


def _headline(a: Allocation) -> str:
    if a.route is not None:
        return f"Route: {a.route} ({a.status})"
    routes = " or ".join(map(str, a.possible_routes))
    return f"Route open ({a.status}){': ' + routes if routes else ''}"


def _offered_first(a: Allocation) -> list[Option]:
    order = list(OptionStatus)
    return sorted(
        (o for o in a.options if o.status not in _IDLE), key=lambda o: order.index(o.status)
    )


def _option(option: Option) -> str:
    intent = f", {option.intent}" if option.intent else ""
    lines = [
        *(f"<li class='for'>+ {_reason(r)}</li>" for r in option.because),
        *(f"<li class='against'>&minus; {_reason(r)}</li>" for r in option.against),
        *(f"<li class='figure'>{escape(figure)}</li>" for figure in option.evidence),
        *(f"<li class='otherwise'>{escape(str(c.status))} if {escape(_facts(c.change))}</li>"
          for c in option.counterfactuals),
    ]  # fmt: skip
    title = escape(f"{option.id}: {option.status}{intent}")
    return f"<details><summary>{title}</summary><ul>{''.join(lines)}</ul></details>"


def _idle(a: Allocation) -> str:
    names = [option.id for option in a.options if option.status in _IDLE]
    return f"<p>Not supported: {escape(', '.join(names))}.</p>" if names else ""


def _reason(reason: Reason) -> str:
    references = f" [{', '.join(map(str, reason.references))}]" if reason.references else ""
    facts = f" Because {_facts(reason.facts)}." if reason.facts else ""
    assumed = "; assumption" if reason.assumption else ""
    return escape(
        f"{reason.text}{facts} ({', '.join(reason.sentences)}{references}; {reason.strength}{assumed})"
    )


def _doubt(doubt: Sensitivity | None) -> str:
    if doubt is None:
        return ""
    shares = ", ".join(f"{route} {100 * share:.1f} %" for route, share in doubt.routes.items())
    near = "none within 50 mm" if doubt.margin_mm is None else f"{doubt.margin_mm:g} mm"
    return _list(
        f"How sure ({doubt.draws} draws)",
        [f"Route: {shares}", f"Smallest change of a diameter that changes an answer: {near}"],
    )


def _list(title: str, lines: Iterable[str]) -> str:
    found = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h3>{escape(title)}</h3><ul>{found}</ul>" if found else ""


def _facts(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in facts.items())


def _value(value: Any) -> str:
    if value is None:
        return "unknown"
    return str(value).lower() if isinstance(value, bool) else str(value)
