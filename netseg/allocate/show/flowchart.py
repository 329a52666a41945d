"""The rule set as a flowchart in the manner of the review's figure 2; an own drawing as SVG.

What stands in the boxes is asked of the rule set: each box is a patient, and its treatments are
those that the tables recommend, offer or consider for him. An overlay draws another chart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from netseg.allocate.document import parse_case
from netseg.allocate.evaluate import allocate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netseg.allocate.compiled import RuleSet
    from netseg.domain.allocation import Allocation

_LIMITED: Mapping[str, Any] = {
    "extrahepatic_disease": False, "ki67": 5, "differentiation": "well", "mitoses_per_2mm2": 2,
    "lesions": [{"segment": "VI", "diameter_cm": 3.0}], "fit_for_local_treatment": True,
    "liver_surgery_possible": True, "general_anaesthesia_possible": True, "prior_whipple": False,
    "portal_vein_thrombosis": False, "hepatic_failure": False, "hepatopulmonary_shunt_pct": 5,
    "functioning": False, "symptomatic": False, "primary": "small_intestine", "sstr": 3,
    "primary_resected": True, "disease_course": "stable", "other_drugs_available": True,
}  # fmt: skip
_DIFFUSE = {k: v for k, v in _LIMITED.items() if k != "lesions"} | {
    "liver_pattern_reported": "diffuse"
}

_SHOWN = ("recommended", "option", "considered", "investigational", "limited")
_LOCAL = ("resection", "srfa", "rfa", "mwa", "cryoablation", "ire")
_ARTERIAL = ("tame", "ctace", "deb_tace", "tare")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    """One box of the chart: where, what it is called, and which patient it stands for."""

    name: str
    title: str
    x: int
    y: int
    width: int = 230
    patient: Mapping[str, Any] | None = None
    options: tuple[str, ...] | None = None
    fill: str = "#ffffff"
    notes: tuple[str, ...] = field(default_factory=tuple)


_BOXES = (
    _Box(name="staging", title="Staging: morphological and receptor imaging", x=365, y=20, width=430,
         fill="#eef3f8", notes=("liver metastases, disease outside the liver looked for",)),
    _Box(name="outside", title="Disease outside the liver", x=880, y=120, fill="#f8efe6",
         patient=_LIMITED | {"extrahepatic_disease": True}, options=()),
    _Box(name="limited", title="Simple or complex pattern, G1/G2", x=40, y=120, width=270,
         fill="#eef3f8", notes=("few lesions in both lobes: alike (A7)",)),
    _Box(name="limited_g3", title="Simple or complex pattern, G3", x=345, y=120, fill="#f8efe6",
         patient=_LIMITED | {"ki67": 40, "r0_a0_possible": True}, options=(*_LOCAL, *_ARTERIAL)),
    _Box(name="diffuse", title="Diffuse pattern", x=620, y=120, fill="#eef3f8",
         notes=("not subject to cure",)),
    _Box(name="curative", title="LOCAL CURATIVE: R0 or A0 possible", x=40, y=330, width=270,
         fill="#e3f2e5", patient=_LIMITED | {"r0_a0_possible": True}, options=_LOCAL),
    _Box(name="arterial", title="R0 and A0 not possible", x=40, y=560, width=270, fill="#fdf5dd",
         patient=_LIMITED | {"r0_a0_possible": False},
         options=("tame", "ctace", "deb_tace", "tare", "prrt", "ssa")),
    _Box(name="intestine", title="Small intestine, G1/G2", x=345, y=420, fill="#fdf5dd",
         patient=_DIFFUSE, options=("ssa", "prrt", "everolimus", "interferon", "liver_transplant")),
    _Box(name="pancreas", title="Pancreas, G1/G2", x=605, y=420, fill="#fdf5dd",
         patient=_DIFFUSE | {"primary": "pancreas"},
         options=("ssa", "prrt", "everolimus", "sunitinib", "chemo_stz", "chemo_temcap",
                  "cabozantinib", "liver_transplant")),
    _Box(name="carcinoma", title="Carcinoma (NEC G3)", x=865, y=420, fill="#f8efe6",
         patient=_DIFFUSE | {"differentiation": "poor", "ki67": 60},
         options=("chemo_cis_eto", "chemo_carbo_eto", "chemo_iri_fp", "everolimus", "sunitinib",
                  "prrt")),
    _Box(name="symptoms", title="Symptomatic, endocrine active", x=345, y=640, width=360,
         fill="#efe9f6", patient=_DIFFUSE | {"functioning": True, "symptomatic": True},
         options=("locoregional_debulking", *_LOCAL[1:4], *_ARTERIAL[:3])),
    _Box(name="response", title="Response: local treatment evaluated again", x=740, y=640, width=355,
         fill="#e3f2e5", patient=_DIFFUSE | {"disease_course": "response"}, options=_LOCAL[1:4]),
)  # fmt: skip

_ARROWS = (
    ("staging", "limited", "G1/G2"), ("staging", "limited_g3", "G3"), ("staging", "diffuse", ""),
    ("staging", "outside", "leaves figure 2"), ("limited", "curative", "feasible"),
    ("curative", "arterial", "not feasible"), ("diffuse", "intestine", "site"),
    ("diffuse", "pancreas", "site"), ("diffuse", "carcinoma", "grade"),
    ("intestine", "symptoms", ""), ("pancreas", "response", "response"),
)  # fmt: skip

_LINE = 17


def draw_flowchart(rules: RuleSet) -> str:
    """The chart as an SVG document that needs no font or file of its own."""
    texts = {box.name: _lines(box, rules) for box in _BOXES}
    heights = {name: 34 + _LINE * len(lines) for name, lines in texts.items()}
    places = {box.name: box for box in _BOXES}
    bottom = max(box.y + heights[box.name] for box in _BOXES) + 60
    title = f"<title>{escape(rules.id)}: treatment allocation</title>"
    ground = f'<rect width="{_WIDTH}" height="{bottom}" fill="#ffffff"/>'
    parts = [_HEAD.format(width=_WIDTH, height=bottom), title, _TIP, ground]
    parts += [_arrow(places[a], places[b], heights[a], word) for a, b, word in _ARROWS]
    parts += [_box(box, texts[box.name], heights[box.name]) for box in _BOXES]
    parts.append(_text(40, bottom - 32, f"{rules.id}, sha256 {rules.sha256[:16]}. {_KEY}", _GREY))
    parts.append(_text(40, bottom - 14, _CAVEAT, _GREY))
    return "\n".join([*parts, "</svg>", ""])


_WIDTH = 1135
_GREY = 'fill="#555"'
_KEY = (
    "++ recommended, + option, (+) considered, ? investigational, - limited. "
    "Each box is one example patient."
)
_CAVEAT = "Decision support for a tumour board; research use, not a medical device."
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
    'font-family="Helvetica, Arial, sans-serif" font-size="12">'
)
_TIP = (
    '<defs><marker id="tip" markerWidth="9" markerHeight="9" refX="8" refY="4" orient="auto">'
    '<path d="M0,0 L9,4 L0,8 z" fill="#444"/></marker></defs>'
)
_MARKS = {"recommended": "++", "option": "+", "considered": "(+)", "investigational": "?",
          "limited": "-"}  # fmt: skip


def _lines(box: _Box, rules: RuleSet) -> list[str]:
    """What stands under a box's title: route, row, and treatments by strength."""
    lines = list(box.notes)
    if box.patient is None:
        return lines
    found = allocate(parse_case(dict(box.patient)), rules)
    lines.append(
        f"route {found.route or ' or '.join(map(str, found.possible_routes))} ({_row(found)})"
    )
    wanted = box.options or ()
    ranked = sorted(
        (o for o in found.options if o.id in wanted and str(o.status) in _SHOWN),
        key=lambda o: _SHOWN.index(str(o.status)),
    )
    return [*lines, *(f"{_MARKS[str(o.status)]} {o.id}" for o in ranked)]


def _row(found: Allocation) -> str:
    step = next(step for step in found.trace if step.table == "route")
    return ", ".join(reason.sentences[0] for reason, _ in step.rows)


def _box(box: _Box, lines: list[str], height: int) -> str:
    frame = (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{height}" rx="6" '
        f'fill="{box.fill}" stroke="#444"/>'
    )
    parts = [frame, _text(box.x + 10, box.y + 20, box.title, 'font-weight="bold"')]
    parts += [_text(box.x + 10, box.y + 22 + _LINE * (n + 1), line) for n, line in enumerate(lines)]
    return "\n".join(parts)


def _arrow(start: _Box, end: _Box, height: int, word: str) -> str:
    x0, y0 = start.x + start.width / 2, start.y + height
    x1, y1 = end.x + end.width / 2, end.y
    middle = y1 - 28
    line = (
        f'<path d="M{x0:g},{y0:g} V{middle:g} H{x1:g} V{y1:g}" fill="none" stroke="#444" '
        'marker-end="url(#tip)"/>'
    )
    label = _text(x1 + 6, y1 - 8, word, 'fill="#555" font-style="italic"') if word else ""
    return line + label


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>'
