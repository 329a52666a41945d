"""What the uncertainty of the outlines does to the proposal, as the report tells it."""

import pytest

from netseg.allocate import load_rules, parse_case
from netseg.pipeline.doubt import told_doubt


def told(*lesions):
    document = {"lesions": list(lesions)} if lesions else {}
    return told_doubt(parse_case(document), load_rules())


def test_a_lesion_half_a_millimetre_below_five_centimetres_flips_the_window_there():
    lines = told({"segment": "VI", "diameter_cm": 4.95})
    assert "10000 draws" in lines[0]
    near = next(line for line in lines if "smallest change of a diameter" in line)
    assert float(near.split(":")[1].split()[0]) == pytest.approx(0.5, abs=0.2)


def test_the_same_list_gives_the_same_shares():
    lesion = {"segment": "VI", "diameter_cm": 4.9}
    assert told(lesion) == told(lesion)


@pytest.mark.parametrize("lesions", [(), ({"segment": "VI"},), ({"diameter_cm": 2.0},)])
def test_without_a_list_a_size_or_a_place_nothing_is_drawn(lesions):
    assert told(*lesions) == ()
