"""What a series is, by the words of its tags: a table of whole words, and no guess beyond it."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from netseg.domain.study import MrSequence, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PHASES: Mapping[Phase, tuple[str, ...]] = {
    Phase.NATIVE: (
        "native", "nativ", "non contrast", "noncontrast", "non enhanced", "nonenhanced",
        "unenhanced", "without contrast", "no contrast", "w o contrast", "wo contrast",
        "precontrast", "pre contrast", "ohne km",
    ),
    Phase.LATE_ARTERIAL: ("late arterial", "arterial", "arteriell", "spaetarteriell"),
    Phase.PORTAL_VENOUS: (
        "portal venous", "portalvenous", "portovenous", "porto venous", "portal", "venous",
        "portalvenoes", "portal venoes", "venoes", "portalvenos", "venos",
    ),
    Phase.DELAYED: ("delayed", "delay", "late venous", "equilibrium", "spaetphase", "late phase"),
    Phase.HEPATOBILIARY: ("hepatobiliary", "hepatobiliaer", "hepato biliary", "hbp"),
}  # fmt: skip
_NOT_A_PHASE = ("early arterial", "frueharteriell", "arterial delay")
"""Words that look like a phase of the table and are another."""
_SEQUENCES: Mapping[MrSequence, tuple[str, ...]] = {
    MrSequence.T1: ("t1", "t1w", "vibe", "lava", "thrive"),
    MrSequence.T2: ("t2", "t2w", "haste", "ssfse"),
    MrSequence.DWI: ("dwi", "diffusion", "ep2d diff"),
    MrSequence.ADC: ("adc",),
}
_NUCLIDES: Mapping[str, tuple[str, ...]] = {
    "f18": ("f18", "18f", "f 18", "18 f", "fluorine 18", "18 fluorine", "fluor 18"),
    "ga68": ("ga68", "68ga", "ga 68", "68 ga", "gallium 68", "68 gallium"),
    "cu64": ("cu64", "64cu", "cu 64", "64 cu", "copper 64", "64 copper"),
    "lu177": ("lu177", "177lu", "lu 177", "177 lu", "lutetium 177", "177 lutetium"),
    "c11": ("c11", "11c", "c 11", "11 c", "carbon 11", "11 carbon"),
    "zr89": ("zr89", "89zr", "zr 89", "89 zr", "zirconium 89"),
    "in111": ("in111", "111in", "in 111", "111 in", "indium 111"),
    "tc99m": ("tc99m", "99mtc", "tc 99m", "99m tc", "technetium 99m"),
}
_COMPOUNDS: Mapping[str, tuple[str, ...]] = {
    "dotatate": ("dotatate", "oxodotreotide", "netspot", "detectnet", "lutathera"),
    "dotatoc": ("dotatoc", "edotreotide", "somakit"),
    "dotanoc": ("dotanoc",),
    "fdg": ("fdg", "fluorodeoxyglucose", "fludeoxyglucose"),
    "fdopa": ("fdopa", "f dopa", "fluorodopa"),
    "octreotide": ("octreotide", "pentetreotide"),
    "psma": ("psma", "psma 11", "psma 1007"),
}
_NUCLIDE_OF_BRAND = {
    "netspot": "ga68",
    "somakit": "ga68",
    "detectnet": "cu64",
    "lutathera": "lu177",
}
_NUCLIDE_OF_COMPOUND = {"fdg": "f18", "fdopa": "f18"}
HALF_LIFE_S: Mapping[str, float] = {
    "f18": 6586.0, "ga68": 4063.0, "cu64": 45721.0, "lu177": 574300.0, "c11": 1223.0,
    "zr89": 282276.0, "in111": 242326.0, "tc99m": 21624.0,
}  # fmt: skip
"""Physical half-lives in seconds (Decay Data Evaluation Project, rounded)."""


def phase_of(texts: Iterable[str]) -> Phase | None:
    """The contrast phase the first telling text names; None if it names none or several.

    Args:
        texts: Tag values in order of trust, such as series description, protocol name.
    """
    for text in texts:
        if _names(text, _NOT_A_PHASE):
            return None
        found = {phase for phase, words in _PHASES.items() if _names(text, words)}
        if Phase.DELAYED in found and _names(text, ("late venous",)):
            found -= {Phase.PORTAL_VENOUS}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def sequence_of(texts: Iterable[str]) -> MrSequence | None:
    """The MR weighting the first telling text names; None if it names none or several."""
    for text in texts:
        found = {sequence for sequence, words in _SEQUENCES.items() if _names(text, words)}
        if found == {MrSequence.DWI, MrSequence.ADC}:
            return MrSequence.ADC
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def nuclide_of(texts: Iterable[str]) -> str | None:
    """The one nuclide the texts name, such as "ga68"."""
    found = {n for text in texts for n, words in _NUCLIDES.items() if _names(text, words)}
    return found.pop() if len(found) == 1 else None


def tracer_of(texts: Iterable[str]) -> str | None:
    """The one tracer the texts name, nuclide and compound, such as "ga68_dotatate".

    A nuclide alone is no tracer; a compound without its nuclide neither, unless only one exists.
    """
    texts = tuple(texts)
    compounds = {c for text in texts for c, words in _COMPOUNDS.items() if _names(text, words)}
    if len(compounds) != 1:
        return None
    compound = compounds.pop()
    named = {n for text in texts for n, words in _NUCLIDES.items() if _names(text, words)}
    brands = {n for text in texts for b, n in _NUCLIDE_OF_BRAND.items() if _names(text, (b,))}
    nuclides = named | brands
    if not nuclides and compound in _NUCLIDE_OF_COMPOUND:
        nuclides = {_NUCLIDE_OF_COMPOUND[compound]}
    return f"{nuclides.pop()}_{compound}" if len(nuclides) == 1 else None


def plain(text: str) -> str:
    """Lower case, ASCII, every run of other characters one blank; umlauts written out."""
    for umlaut, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        text = text.lower().replace(umlaut, letters)
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[a-z0-9]+", ascii_text.lower()))


def _names(text: str, words: Iterable[str]) -> bool:
    padded = f" {plain(text)} "
    return any(f" {word} " in padded for word in words)
