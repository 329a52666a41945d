"""The page's allocation card: what speaks for and against, what to ask, what would change it."""

from __future__ import annotations

from pathlib import Path

import pytest

from netseg.allocate import allocate, argued, load_rules, parse_case, read_case
from netseg.report import ReportLayout, write_report
from tests.export.made_results import grid_of, result_of
from tests.report.test_report import Reader

CASES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "cases"
GRID = grid_of((2, 0, 1), (-1, 1, -1))
RULES = load_rules()


def card(name_or_case, folder) -> tuple[str, str]:
    """The card and the reasons in full, as a reader sees them."""
    case = (
        read_case(CASES / f"{name_or_case}.yaml") if isinstance(name_or_case, str) else name_or_case
    )
    result = result_of(grid=GRID, allocation=argued(allocate(case, RULES), case, RULES))
    html = write_report(result, folder, ReportLayout(pictured_lesions=0)).read_text(
        encoding="utf-8"
    )
    start = html.index('<section class="allocation-card">')
    end = html.index("</section>", start) + len("</section>")
    reasons = html.index("Reasons in full</h2>") + len("Reasons in full</h2>")
    return read(html[start:end]), read(html[reasons : html.index("</body>")])


def read(part: str) -> str:
    """The words of a part of the page, which opens and closes its own tags."""
    reader = Reader()
    reader.feed(part)
    assert reader.open == []
    return " ".join(reader.text.split())


@pytest.fixture(scope="module")
def open_case(tmp_path_factory):
    return card("ki67_missing", tmp_path_factory.mktemp("open"))


@pytest.fixture(scope="module")
def figure_1(tmp_path_factory):
    return card("figure_1_single_large_metastasis", tmp_path_factory.mktemp("figure_1"))


def test_without_ki67_the_card_asks_for_it_first_and_says_what_it_decides(open_case):
    said, _ = open_case
    assert said.startswith("Treatment proposal Status Undetermined: facts are missing Route open")
    asked = said.split("Not known Would decide ")[1]
    assert asked.startswith("Ki-67 route, ")


def test_with_ki67_the_card_does_not_ask_for_it(figure_1):
    said, _ = figure_1
    asked = said.split("Not known Would decide ")[1].split("To be aware of")[0]
    assert "Ki-67" not in asked


def test_the_card_says_what_would_lead_to_another_route(figure_1):
    said, _ = figure_1
    elsewhere = said.split("What would change the route")[1]
    assert "Ki-67 > 20: systemic treatment" in elsewhere
    assert "Extrahepatic disease = yes: systemic treatment" in elsewhere


def test_each_treatment_says_what_speaks_for_it_what_against_and_what_would_change_it(figure_1):
    """6 cm, G1: microwaves reach 5 cm, so a smaller lesion would have them recommended."""
    _, full = figure_1
    microwaves = full.split("Microwave ablation (MWA) ")[1].split("Cryoablation")[0]
    assert "all else equal: Largest lesion (cm) <= 5: recommended" in microwaves
    assert "because " in microwaves
    stereotactic = full.split("Stereotactic radiofrequency ablation (SRFA) ")[1]
    assert "Extrahepatic disease = yes: not supported" in stereotactic.split("Reported:")[0]


def test_two_changes_that_are_needed_together_stand_together(open_case):
    _, full = open_case
    resection = full.split("Resection ")[1].split("Stereotactic")[0]
    assert "Ki-67 <= 20 and whether liver surgery is possible = yes: recommended" in resection


def test_the_staging_record_names_what_is_known_and_what_is_not(figure_1):
    said, _ = figure_1
    staging = said.split("Staging record")[1]
    assert "Site pancreas; Liver metastases 1; Largest of them (cm) 6;" in staging
    assert "M category by the findings M1." in staging
    assert "Not known: diameter of the primary (mm), necrosis" in staging


def test_words_of_the_clinician_in_the_staging_record_stay_words(tmp_path):
    case = parse_case({"staging": {"t": "<script>alert(1)</script>"}, "ki67": 3})
    said, _ = card(case, tmp_path)
    assert "T <script>alert(1)</script>." in said
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in html
