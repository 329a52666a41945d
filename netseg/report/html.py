"""`report.html`: one self-contained page, and `preview.png`: one picture."""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netseg.domain import Code, EnvironmentFaultError
from netseg.report import wording
from netseg.report.control import control_view
from netseg.report.lesion_pictures import lesion_pictures
from netseg.report.overview import Overview
from netseg.report.scene import pictured, set_stage
from netseg.report.view import page_of

if TYPE_CHECKING:
    from jinja2 import Environment

    from netseg.domain.control import ControlCheck
    from netseg.domain.result import StudyResult
    from netseg.report.panel import Picture

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).with_name("templates")
HIDDEN = frozenset(range(0x202A, 0x202F)) | frozenset(range(0x2066, 0x206A)) | {0xFEFF}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLayout:
    """What a reader can choose about the page.

    Attributes:
        pictured_lesions: How many lesions get pictures, the largest first.
    """

    pictured_lesions: int = 12

    def __post_init__(self) -> None:
        """Keep the count a count."""
        if self.pictured_lesions < 0:
            raise ValueError(f"pictured_lesions must not be negative; got {self.pictured_lesions}.")


def write_report(result: StudyResult, folder: Path, layout: ReportLayout | None = None) -> Path:
    """Write `report.html` and `preview.png` into `folder`.

    The page needs no other file, no script and no network; the same result gives the same bytes.

    Args:
        result: What the stations said.
        folder: The study's folder; created when absent.
        layout: What a reader can choose.

    Returns:
        Path of `report.html`.

    Raises:
        EnvironmentFaultError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    layout = layout or ReportLayout()
    stage = set_stage(result)
    shown = pictured(result, stage, layout.pictured_lesions)
    pictures = {lesion.id: lesion_pictures(stage, lesion.id) for lesion in shown}
    overview = Overview(stage)
    page = page_of(result, pictures)
    control = (
        None if result.control is None else control_view(result.control, layout.pictured_lesions)
    )
    html = (
        _environment()
        .get_template("report.html.j2")
        .render(
            result=result,
            page=page,
            overview=overview.picture(),
            control=control,
            style=_style(),
        )
    )
    headline = f"case {result.study.case_id}: {_route(result)}"
    preview = overview.preview(shown[0].id if shown else None, plain(headline))
    _write(folder / "preview.png", preview.content)
    _write(folder / "report.html", html.encode())
    return folder / "report.html"


def write_control_report(
    check: ControlCheck, folder: Path, layout: ReportLayout | None = None
) -> Path:
    """Write `margin.html` into `folder`: a control scan's margins on a page of their own.

    Args:
        check: What the control scan showed.
        folder: Created when absent.
        layout: What a reader can choose.

    Returns:
        Path of the page.

    Raises:
        EnvironmentFaultError: DISK_FULL or OUTPUT_UNWRITABLE.
    """
    view = control_view(check, (layout or ReportLayout()).pictured_lesions)
    page = _environment().get_template("control_page.html.j2")
    _write(folder / "margin.html", page.render(view=view, style=_style()).encode())
    return folder / "margin.html"


def plain(text: str) -> str:
    """A text without control characters, terminal escapes and marks that turn its direction."""
    shown = (c if c.isprintable() or c == "\n" else " " for c in text if ord(c) not in HIDDEN)
    return "".join(shown)


def _style() -> Any:
    from markupsafe import Markup

    return Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))


def _route(result: StudyResult) -> str:
    route = result.allocation.route
    if route is None:
        return wording.STATUSES[result.allocation.status].lower()
    return wording.ROUTES[route].lower()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        """Every value on its way into the page; autoescape follows."""
        if isinstance(value, Markup):
            return value
        return plain(str(value)) if isinstance(value, str) else value

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )
    environment.filters.update(  # pyright: ignore[reportUnknownMemberType]
        term=wording.term,
        title_term=wording.title,
        fact=wording.fact,
        measure=wording.measure_label,
        route=wording.ROUTES.__getitem__,
        fixed=_fixed,
        picture=_picture,
    )
    environment.globals.update(  # pyright: ignore[reportUnknownMemberType]
        margin_headline=wording.margin_headline,
        statuses=wording.STATUSES,
        margin_evidence=wording.MARGIN_EVIDENCE,
    )
    return environment


def _fixed(number: float | None, digits: int = 1) -> str:
    """A number with so many decimals; an en dash for unknown."""
    return "\N{EN DASH}" if number is None else f"{number:.{digits}f}"


def _picture(picture: Picture) -> dict[str, Any]:
    return {"uri": picture.uri, "alt": picture.alt, "notes": " · ".join(picture.notes)}


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise EnvironmentFaultError(
            Code.DISK_FULL if full else Code.OUTPUT_UNWRITABLE,
            f"{path.name} could not be written: {error.strerror or type(error).__name__}.",
            file=path.name,
            hint="Check free space and permission of the output folder.",
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
