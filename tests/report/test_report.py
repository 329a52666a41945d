"""The page: complete, self-contained, harmless and the same on every run."""

import errno
import io
import os
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from netseg.domain import (
    EnvironmentFaultError,
    Findings,
    LabelMap,
    Phase,
    SegmentSource,
    StudyRejectedError,
)
from netseg.domain.allocation import AllocationStatus, Conflict, InputError, Route
from netseg.export import require_no_secrets
from netseg.report import ReportLayout, write_report
from netseg.report.view import histogram_bars
from tests.export.made_results import (
    a_notice,
    allocation_of,
    ct_of,
    grid_of,
    pet_of,
    plan_of,
    result_of,
)

VOID = {"meta", "img", "br", "hr", "link", "input", "line", "rect"}
HOSTILE = "<script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\x1b[31m=cmd|' /C'!A0\u202e"
GRID = grid_of((2, 0, 1), (-1, 1, -1))
TEXT_ONLY = ReportLayout(pictured_lesions=0)


class Reader(HTMLParser):
    """Collects tags, attributes and text, and checks that every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        """Keep tag and attributes."""
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Check the nesting."""
        if tag not in VOID:
            assert self.open.pop() == tag, f"</{tag}> closes another tag"
        self.text += " " if tag in {"b", "dt", "dd", "td", "th", "li", "p"} else ""

    def handle_data(self, data):
        """Keep what a reader sees."""
        if "style" not in self.open:
            self.text += data


def page(result, folder, **layout) -> tuple[str, Reader]:
    html = write_report(result, folder, ReportLayout(**layout)).read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(html)
    assert reader.open == [], "every tag is closed"
    reader.text = " ".join(reader.text.split())
    return html, reader


def pictures(reader: Reader) -> list[str]:
    return [value for tag, name, value in reader.attributes if (tag, name) == ("img", "alt")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    further = (replace(ct_of(GRID), key="ct_art", phase=Phase.LATE_ARTERIAL), pet_of())
    result = result_of(grid=GRID, further=further, warnings=(a_notice(),))
    return page(result, tmp_path_factory.mktemp("whole"))


def test_the_answer_stands_in_the_headline(whole):
    _, reader = whole
    head = reader.text.split("Lesions No.")[0]
    for said in (
        "Local treatment with curative intent",
        "Goal: R0 or A0",
        "G2; simple",
        "Plan predicts at least 5 mm in 1 of 2 lesions",
        "Because: Resection or ablation where R0 or A0 can be reached. [S220, S149; ref. 10, 70]",
        "What is missing To settle single options: Somatostatin receptor status.",
    ):
        assert said in head


def test_research_use_is_said_first_and_last(whole):
    _, reader = whole
    assert reader.text.count("Research use only. Not a medical device.") == 2
    assert reader.text.index("Research use only") < 400
    assert len(reader.text) - reader.text.rindex("Research use only") < 250


def test_a_predicted_margin_is_never_called_a0(whole):
    """A0 is named as the goal only."""
    _, reader = whole
    lesions = reader.text.split("Lesions No.")[1].split("Treatment proposal Status")[0]
    assert "plan predicts a margin of at least 5 mm" in lesions
    assert "plan predicts untreated tumour" in lesions
    assert "A0" not in lesions


def test_every_statement_of_the_proposal_has_its_source(whole):
    _, reader = whole
    for said in (
        "Resection or ablation where R0 or A0 can be reached. [S220, S149; ref. 10, 70]",
        "because grade = G2, extrahepatic disease = no",
        "Reported: local recurrence 5 to 20 % [77]",
        "Decide in a multidisciplinary team. [S217]",
        "Every 3 to 6 months: CT or MRI [S105]",
        "Ki-67 > 20: systemic treatment",
        "An individual decision.",
    ):
        assert said in reader.text


def test_an_option_that_is_open_names_what_would_settle_it(whole):
    _, reader = whole
    row = reader.text.split("Undetermined: depends on what is not known")[1][:300]
    assert "(PRRT) option or not supported" in row
    assert "Somatostatin receptor status" in row


def test_the_way_to_the_answer_can_be_redone_by_hand(whole):
    _, reader = whole
    full = reader.text.split("Reasons in full")[1]
    assert "grade G2 Resection or ablation" in full
    assert "Facts used: Ki-67 = 3; MEN 1 = no." in full


def test_phases_stand_in_the_order_of_contrast(tmp_path):
    result = result_of(grid=GRID)
    phases = ("delayed", "late_arterial", "native", "portal_venous")
    lesion = replace(
        result.findings.lesions[0], measures={f"mean_hu_{phase}": 1.0 for phase in phases}
    )
    findings = replace(result.findings, lesions=(lesion,))
    _, reader = page(replace(result, findings=findings), tmp_path, pictured_lesions=0)
    head = reader.text.split("Lesions No.")[1]
    places = [head.index(f"Mean HU {p}") for p in ("native", "late arterial", "portal", "delayed")]
    assert places == sorted(places)


def test_free_texts_of_the_clinician_are_not_repeated(whole):
    html, _ = whole
    assert "pathologist" not in html


def test_what_nobody_looked_at_is_said(whole):
    _, reader = whole
    missing = reader.text.split("What is missing, or was not considered")[1]
    for said in (
        "Not outlined, so not kept clear of by the plan: gallbladder, bowel.",
        "Lesion 2 has no plan: Every path crosses bone.",
        "No control scan: the margins are predictions",
        "Clinical facts that are not known: 1; a table above says what they would decide.",
    ):
        assert said in missing


def test_every_lesion_is_pictured_in_every_series(whole):
    _, reader = whole
    alts = pictures(reader)
    assert len(alts) == 1 + 2 + 2 + 1, "overview, planes, other series, one planned needle"
    assert "PET maximum projection, 0 to 20 SUVbw" in reader.text
    assert "late arterial W 300 L 60 HU" in reader.text


def test_the_page_can_reach_nothing(whole):
    """No script, no link, no address but the pictures inside it, and a policy that forbids the rest."""
    html, reader = whole
    assert not {"script", "link", "iframe", "object", "form", "a", "base"} & set(reader.tags)
    assert not [a for a in reader.attributes if a[1].startswith("on")]
    sources = [v for _, name, v in reader.attributes if name in {"src", "href", "action", "srcset"}]
    assert sources
    assert all(re.match(r"data:image/(jpeg|png);base64,", v) for v in sources)
    policy = next(v for _, name, v in reader.attributes if name == "content" and "default-src" in v)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert "http" not in re.sub(r"data:[^\"]+", "", html).replace("http-equiv", "")
    assert "url(" not in html
    assert "@import" not in html


def test_hostile_words_stay_words(tmp_path):
    """H10: tags, terminal escapes and direction marks in every free text that reaches the page."""
    result = result_of(
        grid=GRID, case_id=HOSTILE, allocation=allocation_of(HOSTILE), warnings=(a_notice(HOSTILE),)
    )
    lesion = replace(result.findings.lesions[0], segment=HOSTILE, measures={HOSTILE: 1.0})
    plan = plan_of()
    ablation = replace(plan.ablations[0], why=(HOSTILE,), clearance_mm={HOSTILE: 1.0})
    result = replace(
        result,
        findings=replace(result.findings, lesions=(lesion, result.findings.lesions[1])),
        plan=replace(plan, ablations=(ablation,), not_considered=(HOSTILE,)),
    )
    html, reader = page(result, tmp_path, pictured_lesions=0)
    assert "script" not in reader.tags
    assert not [
        a for a in reader.attributes if a[1].startswith("on") or ("evil" in a[2] and a[1] != "alt")
    ]
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert reader.text.count("<script>alert(1)</script>") >= 6, "shown as words"


def test_a_rerun_gives_the_same_bytes(tmp_path):
    result = result_of(grid=GRID, further=(pet_of(),))
    for name in ("a", "b"):
        write_report(result, tmp_path / name)
    for name in ("report.html", "preview.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["preview.png", "report.html"]


def test_the_preview_is_a_plain_picture(tmp_path):
    from PIL import Image

    write_report(result_of(grid=GRID), tmp_path)
    image = Image.open(io.BytesIO((tmp_path / "preview.png").read_bytes()))
    assert (image.format, image.size) == ("PNG", (800, 860))
    assert not set(image.info) - {"dpi"}, "no software, no time"


def test_only_the_largest_lesions_are_pictured_and_the_rest_is_counted(tmp_path):
    _, reader = page(result_of(grid=GRID), tmp_path, pictured_lesions=1)
    assert "Listed but not pictured: 1, the smallest." in reader.text
    assert [a for a in pictures(reader) if "Lesion 2" in a] == []


def test_a_negative_number_of_pictures_is_refused():
    with pytest.raises(ValueError, match="pictured_lesions must not be negative; got -1"):
        ReportLayout(pictured_lesions=-1)


def test_no_lesion_is_an_answer(tmp_path):
    result = result_of(grid=GRID)
    segmentation = replace(result.segmentation, lesions=LabelMap.empty(GRID))
    findings = Findings(lesions=(), liver_volume_ml=697.0, lesion_volume_ml=0.0)
    bare = replace(
        result, segmentation=segmentation, findings=findings, plan=None, zones={}, margin=None
    )
    _, reader = page(bare, tmp_path)
    assert "Looked for lesions, none found." in reader.text
    assert "No margin was computed." in reader.text
    assert "No ablation was planned." in reader.text


def test_what_is_unknown_is_said_to_be_unknown(tmp_path):
    result = result_of(grid=GRID)
    series = replace(result.study.series[0], phase=None)
    result = replace(
        result,
        study=replace(result.study, series=(series, pet_of("9.9"))),
        segmentation=replace(result.segmentation, liver=None),
        findings=replace(
            result.findings, liver_volume_ml=None,
            segment_source=SegmentSource.APPROXIMATE_PARTITION,
        ),
    )  # fmt: skip
    _, reader = page(result, tmp_path, pictured_lesions=0)
    for said in (
        "Nobody outlined the liver",
        "The contrast phase of ct_portal_venous is unknown.",
        "Liver segments are a geometric approximation",
        "pt_ga68_dotatate was never registered to the lesions' series",
    ):
        assert said in reader.text
    assert "PET maximum projection" not in reader.text


def test_an_open_route_names_every_possible_one(tmp_path):
    allocation = replace(
        allocation_of(),
        status=AllocationStatus.UNDETERMINED,
        route=None,
        possible_routes=(Route.LOCAL_CURATIVE, Route.SYSTEMIC),
        must_ask=("ki67", "sstr"),
        ask_because={"ki67": ("route",), "sstr": ("prrt",)},
        trace=(),
    )
    _, reader = page(result_of(grid=GRID, allocation=allocation), tmp_path, pictured_lesions=0)
    assert "Open between local treatment with curative intent or systemic treatment" in reader.text
    assert "To settle the route: Ki-67. 1 further fact would settle single" in reader.text
    assert "Because:" not in reader.text


def test_contradictions_and_rejections_stand_in_the_headline(tmp_path):
    allocation = replace(
        allocation_of(),
        status=AllocationStatus.CONFLICT,
        route=None,
        conflicts=(Conflict(id="c", facts={}, text="Ki-67 3 % and poor differentiation."),),
        errors=(
            InputError(code="X", field="ki67", met="a", allowed="0-100", message="a is no number"),
        ),
    )
    _, reader = page(result_of(grid=GRID, allocation=allocation), tmp_path, pictured_lesions=0)
    head = reader.text.split("Lesions No.")[0]
    assert "Contradiction: Ki-67 3 % and poor differentiation." in head
    assert "ki67: a is no number" in head
    assert "No route can be named" in head


def test_the_bars_of_a_histogram_are_shares_of_the_surface():
    bars = histogram_bars({-1.0: 0.1, 4.0: 0.3, 5.0: 0.6, 7.0: 0.0})
    assert [(b.from_mm, b.band) for b in bars] == [
        (-1.0, "below_0"), (4.0, "0_to_5"), (5.0, "5_to_10"),
    ]  # fmt: skip
    assert [b.share_pct for b in bars] == pytest.approx([10, 30, 60])
    assert [b.height for b in bars] == pytest.approx([100 / 6, 50, 100])
    assert histogram_bars({}) == ()


def test_the_guard_finds_an_identifier_in_the_page(tmp_path):
    write_report(result_of(grid=GRID, case_id="Jane Doe"), tmp_path, TEXT_ONLY)
    with pytest.raises(StudyRejectedError, match=r"report\.html"):
        require_no_secrets(tmp_path, {"DOE^JANE"})


def test_a_full_disk_leaves_no_half_page(tmp_path, monkeypatch):
    def full(_handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFaultError, match="DISK_FULL"):
        write_report(result_of(grid=GRID), tmp_path, TEXT_ONLY)
    assert list(tmp_path.iterdir()) == []
