"""How sure is the answer: draws over the lesion list, margins in mm, and what would change it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from netseg.allocate import allocate, argued, card_html, load_rules, parse_case
from netseg.allocate.draws import SEGMENTS, facts_of_lists
from netseg.allocate.liver import SPREADS, liver_facts
from netseg.allocate.sensitivity import (
    LesionError,
    Sensitivity,
    sensitivity,
    sensitivity_document,
    tell_sensitivity,
)
from netseg.cli.main import main
from netseg.domain.clinical import LiverLesion

if TYPE_CHECKING:
    from pathlib import Path

RULES = load_rules()
BASE = {"ki67": 3, "extrahepatic_disease": False, "r0_a0_possible": True,
        "fit_for_local_treatment": True, "differentiation": "well"}  # fmt: skip


def doubt(*lesions: dict[str, Any], draws: int = 2_000, **error: float) -> Sensitivity:
    case = parse_case(BASE | {"lesions": list(lesions)})
    return sensitivity(
        case, RULES, np.random.default_rng(1), draws=draws, error=LesionError(**error)
    )


def test_facts_of_arrays_are_those_of_the_lists():
    """A thousand random lists, sizes on and off the thresholds, every segment."""
    generator = np.random.default_rng(3)
    exists = generator.random((1000, 6)) < 0.6
    sizes = generator.choice([0.5, 1.0, 2.0, 5.0, 6.0], (1000, 6))
    segments = generator.integers(0, len(SEGMENTS), (1000, 6))
    drawn = facts_of_lists(exists, sizes, segments)
    for i in range(1000):
        lesions = [LiverLesion(segment=SEGMENTS[segments[i, j]], diameter_cm=float(sizes[i, j]))
                   for j in range(6) if exists[i, j]]  # fmt: skip
        facts = liver_facts(lesions)
        assert facts.spread == {SPREADS[drawn.spread[i]]}
        for name, values in drawn.numbers.items():
            span = getattr(facts, name)
            if span.low == span.high:
                assert values[i] == span.low, name


def test_a_sure_list_gives_one_answer():
    found = doubt({"segment": "VI", "diameter_cm": 3.0}, diameter_sd_mm=0.0)
    assert found.routes == {"local_curative": 1.0}
    assert found.windows == {"inside": 1.0}


def test_the_decision_margin_is_the_way_to_the_threshold():
    """4.8 cm: 2 mm to the 5 cm end of the window, 38 mm to its 1 cm end."""
    found = doubt({"segment": "VI", "diameter_cm": 4.8})
    assert found.margin_mm == pytest.approx(2.0)
    assert [(f.to, f.distance_mm) for f in found.flips if f.by == "diameter"] == [
        ("above 5 cm", 2.0), ("below 1 cm", 38.0),
    ]  # fmt: skip
    assert found.flips[0].changes == {"ablation_window": "size"}


def test_a_diameter_on_the_threshold_has_no_margin_on_its_far_side():
    assert doubt({"segment": "VI", "diameter_cm": 5.0}).margin_mm == 0.0
    assert doubt({"segment": "VI", "diameter_cm": 1.0}).margin_mm == 0.0


def test_half_of_the_draws_lie_beyond_a_threshold_that_is_met_exactly():
    """5.0 cm with a normal error: as many draws above as below."""
    found = doubt({"segment": "VI", "diameter_cm": 5.0}, draws=10_000)
    assert found.windows["inside"] == pytest.approx(0.5, abs=0.02)


def test_an_entry_of_even_odds_is_a_lesion_in_half_of_the_draws():
    found = doubt({"segment": "VI", "diameter_cm": 3.0, "confidence": 0.5}, draws=10_000)
    assert found.patterns["none"] == pytest.approx(0.5, abs=0.02)


def test_the_lesion_that_flips_the_answer_is_named():
    """The last of six lesions, gone: fewer than six, the window's count is met."""
    six = [{"segment": "VI", "diameter_cm": 2.0}] * 5 + [{"segment": "VII", "diameter_cm": 2.0}]
    flips = [f for f in doubt(*six).flips if f.by == "existence"]
    assert {f.lesion for f in flips} == {1, 2, 3, 4, 5, 6}
    assert all(f.changes == {"ablation_window": "inside"} for f in flips)
    five = [f for f in doubt(*six[:5]).flips if f.by == "existence"]
    assert five == []


def test_a_lesion_across_a_border_may_lie_in_the_other_segment():
    """2 cm in IVb beside one in VI: with it in V both are right-sided, the simple pattern."""
    found = doubt({"segment": "VI", "diameter_cm": 2.0},
                  {"segment": "IVb", "diameter_cm": 2.0, "segment_shares": {"IVb": 0.6, "V": 0.4}},
                  diameter_sd_mm=0.0, draws=10_000)  # fmt: skip
    assert found.patterns["simple"] == pytest.approx(0.4, abs=0.02)
    flip = next(f for f in found.flips if f.by == "segment")
    assert (flip.lesion, flip.to, flip.changes["pattern"]) == (2, "V", "simple")


def test_every_flip_holds_when_it_is_put_to_the_rules():
    lesions = [{"segment": "VI", "diameter_cm": 4.8}, {"segment": "II", "diameter_cm": 0.9}]
    found = doubt(*lesions)
    flip = next(f for f in found.flips if f.lesion == 2 and "pattern" in f.changes)
    assert flip.to == "above 1 cm"
    moved = [lesions[0], {"segment": "II", "diameter_cm": 1.01}]
    after = allocate(parse_case(BASE | {"lesions": moved}), RULES)
    assert after.possible_patterns == (flip.changes["pattern"],)


def test_ten_thousand_draws_take_less_than_two_seconds_of_the_processor():
    lesions = [{"segment": s, "diameter_cm": d, "confidence": 0.8}
               for s in ("II", "VI", "VII", "VIII") for d in (0.9, 4.8)]  # fmt: skip
    start = time.process_time()
    doubt(*lesions, draws=10_000)
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize(
    ("lesions", "message"),
    [(None, "needs the lesion list"), ([{"lobe": "left"}], "lesion 1 has no diameter")],
)
def test_a_list_that_cannot_be_drawn_is_refused(lesions: Any, message: str):
    case = parse_case(BASE | {"lesions": lesions})
    with pytest.raises(ValueError, match=message):
        sensitivity(case, RULES, np.random.default_rng(1))


def test_a_negative_error_is_refused():
    with pytest.raises(ValueError, match="at least 0"):
        LesionError(diameter_sd_mm=-1.0)


def test_the_command_prints_how_sure_it_is(tmp_path: Any, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "case.yaml"
    file.write_text("ki67: 3\nlesions:\n  - {segment: VI, diameter_cm: 4.8}\n", encoding="utf-8")
    assert main(["allocate", "--findings", str(file), "--draws", "500"]) == 0
    said = capsys.readouterr().out
    assert "How sure (500 draws over the lesion list)" in said
    assert "if lesion 1 measured above 5 cm (2 mm away): ablation_window size" in said
    file.write_text("ki67: 3\n", encoding="utf-8")
    assert main(["allocate", "--findings", str(file), "--draws", "500"]) == 2


WHIPPLE = {"ki67": 3, "extrahepatic_disease": False, "r0_a0_possible": False,
           "liver_pattern_reported": "simple", "prior_whipple": True,
           "portal_vein_thrombosis": False, "hepatic_failure": False}  # fmt: skip


def test_an_option_says_what_would_have_it_offered():
    case = parse_case(WHIPPLE)
    found = argued(allocate(case, RULES), case, RULES)
    assert [(dict(c.change), str(c.status)) for c in found.option("tame").counterfactuals] == [
        ({"prior_whipple": False}, "option")
    ]
    freed = allocate(parse_case(WHIPPLE | {"prior_whipple": False}), RULES)
    assert str(freed.option("tame").status) == "option"


def test_two_changes_are_told_where_no_single_one_does_it():
    case = parse_case(WHIPPLE | {"portal_vein_thrombosis": True})
    found = argued(allocate(case, RULES), case, RULES)
    changes = [dict(c.change) for c in found.option("tame").counterfactuals]
    assert {"prior_whipple": False, "portal_vein_thrombosis": False} in changes
    for alone in ("prior_whipple", "portal_vein_thrombosis"):
        still = WHIPPLE | {"portal_vein_thrombosis": True} | {alone: False}
        assert str(allocate(parse_case(still), RULES).option("tame").status) != "option"


def test_an_offered_option_says_what_would_take_it_away():
    case = parse_case(WHIPPLE | {"prior_whipple": False})
    found = argued(allocate(case, RULES), case, RULES)
    gone = {name: str(c.status) for c in found.option("tame").counterfactuals for name in c.change}
    assert gone["prior_whipple"] == "contraindicated"
    assert gone["portal_vein_thrombosis"] == "limited"


def test_the_card_carries_route_arguments_figures_and_doubt():
    case = parse_case(BASE | {"lesions": [{"segment": "VI", "diameter_cm": 4.8}]})
    proposal = argued(allocate(case, RULES), case, RULES)
    found = sensitivity(case, RULES, np.random.default_rng(1), draws=100)
    card = card_html(proposal, found)
    assert card.startswith('<section class="allocation-card">')
    assert "Route: local_curative (determined)" in card
    assert "srfa: recommended, curative" in card
    assert "symptom relief in 97 % (S173)" in card
    assert "Smallest change of a diameter that changes an answer: 2 mm" in card
    assert "<script" not in card
    assert sensitivity_document(found)["margin_mm"] == pytest.approx(2.0)
    assert "100 draws" in tell_sensitivity(found)


def test_the_card_writes_no_markup_of_the_document():
    case = parse_case({"staging": {"t": "<script>alert(1)</script>"}})
    assert "<script" not in card_html(allocate(case, RULES))


def test_the_command_writes_the_card_as_a_page_that_loads_nothing(tmp_path: Path):
    case = tmp_path / "case.yaml"
    case.write_text("{staging: {t: '<script>alert(1)</script>'}, r0_a0_possible: true}")
    assert main(["allocate", "--findings", str(case), "-o", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "allocation.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert page.index('charset="utf-8"') < page.index("Route open (undetermined)")
    assert "default-src 'none'" in page
    assert "<li>ki67: decides route, " in page
    assert "&lt;script&gt;alert(1)" in page
    assert not {word for word in ("<script", "<link", "<img", "src=", "http:") if word in page}


def test_the_card_writes_the_staging_record_as_a_reader_does():
    case = parse_case(
        {
            "primary": "small_intestine",
            "extrahepatic_disease": False,
            "lesions": [{"id": 1, "segment": "VI", "diameter_cm": 2.4}],
        }
    )
    card = card_html(allocate(case, RULES))
    assert "liver_metastases = count 1, largest_cm 2.4" in card
    assert "metastases_elsewhere = false" in card
    assert "{&#x27;" not in card
    assert "False" not in card
