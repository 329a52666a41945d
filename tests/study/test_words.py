"""A phase or tracer is known if a whole word of the tags says so, and unknown otherwise."""

from __future__ import annotations

import pytest

from netseg.domain import MrSequence, Phase
from netseg.study.words import phase_of, sequence_of, tracer_of


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("Abdomen portal venous 5.0", Phase.PORTAL_VENOUS),
        ("ABD_VENOUS_1.5", Phase.PORTAL_VENOUS),
        ("Leber portalvenös", Phase.PORTAL_VENOUS),
        ("Liver late arterial", Phase.LATE_ARTERIAL),
        ("arterielle Phase / arteriell", Phase.LATE_ARTERIAL),
        ("Abdomen w/o contrast", Phase.NATIVE),
        ("Abd NON-CONTRAST", Phase.NATIVE),
        ("Leber nativ", Phase.NATIVE),
        ("delayed 3 min", Phase.DELAYED),
        ("t1_vibe_fs hepatobiliary 20min", Phase.HEPATOBILIARY),
        ("CT CH/AB/PEL", None),
        ("early arterial", None),
        ("arterial and venous", None),
        ("intravenous contrast", None),
        ("with contrast", None),
        ("alternative kernel", None),
        ("", None),
    ],
)
def test_a_phase_is_a_word_of_the_table(text, phase):
    assert phase_of([text]) is phase


def test_the_first_text_that_says_anything_decides():
    assert phase_of(["Abdomen", "portal venous"]) is Phase.PORTAL_VENOUS
    assert phase_of(["late arterial", "portal venous"]) is Phase.LATE_ARTERIAL


@pytest.mark.parametrize(
    ("texts", "tracer"),
    [
        (["68Ga-DOTATATE"], "ga68_dotatate"),
        (["DOTATATE", "^68^Gallium"], "ga68_dotatate"),
        (["Edotreotide", "Ga-68"], "ga68_dotatoc"),
        (["Detectnet"], "cu64_dotatate"),
        (["177 Lutetium"], None),
        (["18F"], None),
        (["DOTATATE"], None),
        (["DOTATATE", "Ga68", "Lu177"], None),
        (["FDG -- fluorodeoxyglucose", "18F"], "f18_fdg"),
        (["Fluorodeoxyglucose"], "f18_fdg"),
        (["FDG", "DOTATATE", "Ga68"], None),
        ([], None),
    ],
)
def test_a_tracer_is_a_compound_and_its_nuclide(texts, tracer):
    assert tracer_of(texts) == tracer


@pytest.mark.parametrize(
    ("text", "sequence"),
    [
        ("t1_vibe_tra", MrSequence.T1),
        ("T2 HASTE cor", MrSequence.T2),
        ("ep2d_diff_b50_400_800", MrSequence.DWI),
        ("ep2d_diff_ADC", MrSequence.ADC),
        ("T1/T2 fusion", None),
        ("survey", None),
    ],
)
def test_a_weighting_is_a_word_of_the_table(text, sequence):
    assert sequence_of([text]) is sequence
