"""A treatment proposal, and every reason for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from netseg.domain.clinical import Grade, LiverPattern

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AblationResult",
    "AblationWindow",
    "Allocation",
    "AllocationStatus",
    "Conflict",
    "Counterfactual",
    "Flag",
    "FollowUp",
    "Grade",
    "ImagingAdvice",
    "InputError",
    "LiverPattern",
    "Option",
    "OptionCounterfactual",
    "OptionStatus",
    "Reason",
    "Route",
    "TraceStep",
]


class AllocationStatus(StrEnum):
    """Whether the facts suffice."""

    DETERMINED = "determined"
    UNDETERMINED = "undetermined"
    CONFLICT = "conflict"
    REJECTED = "rejected"


class Route(StrEnum):
    """The way a patient is led."""

    LOCAL_CURATIVE = "local_curative"
    TRANSARTERIAL = "transarterial"
    SYSTEMIC = "systemic"
    PRIMARY_SURGERY = "primary_surgery"
    SURVEILLANCE = "surveillance"
    MDT_REVIEW = "mdt_review"


class OptionStatus(StrEnum):
    """How strongly the source stands behind an option, strongest first."""

    RECOMMENDED = "recommended"
    OPTION = "option"
    CONSIDERED = "considered"
    INVESTIGATIONAL = "investigational"
    LIMITED = "limited"
    NOT_SUPPORTED = "not_supported"
    CONTRAINDICATED = "contraindicated"
    UNDETERMINED = "undetermined"


class AblationWindow(StrEnum):
    """Whether size and number of the lesions are those that ablation was shown effective in."""

    INSIDE = "inside"
    OUTSIDE = "outside"


class AblationResult(StrEnum):
    """What the control scan says about an ablation that was done."""

    A0 = "A0"
    NOT_A0 = "not_A0"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One rule row that spoke, in words and with its source.

    Attributes:
        rule: The row's id in the rule set.
        sentences: Sentence ids of the source; the first is the row's own.
        references: The source's reference numbers.
        facts: The facts the row looked at, with their values in this case.
        text: A paraphrase of what the source says.
        strength: The source's own word for how firmly it says so.
        assumption: Whether the source is silent and the project fixed it.
    """

    rule: str
    sentences: tuple[str, ...]
    references: tuple[int, ...]
    facts: Mapping[str, Any]
    text: str
    strength: str
    assumption: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionCounterfactual:
    """The fewest changed facts, all else equal, that give an option another status.

    Attributes:
        change: Field name to its other value, numbers as a condition ("> 20").
        status: The option's status then.
    """

    change: Mapping[str, Any]
    status: OptionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One treatment.

    Attributes:
        id: Its name in the contract.
        status: The answer; undetermined where the unknowns allow more than one.
        possible_statuses: Every status that some completion of the unknowns gives.
        intent: "curative", "debulking" or "symptom_control", where resection or ablation is meant.
        because: What speaks for it.
        against: What speaks against it.
        evidence: Outcome figures the source reports, with their reference.
        counterfactuals: The fewest changes that would give it another status; empty where nobody
            asked for them.
    """

    id: str
    status: OptionStatus
    possible_statuses: tuple[OptionStatus, ...]
    intent: str | None = None
    because: tuple[Reason, ...] = ()
    against: tuple[Reason, ...] = ()
    evidence: tuple[str, ...] = ()
    counterfactuals: tuple[OptionCounterfactual, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Something the reader must know.

    Attributes:
        id: Its name.
        text: What it means.
        sentence: Sentence id of the source, where it speaks of it.
        facts: The facts that raised it.
    """

    id: str
    text: str
    sentence: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Facts that cannot all be true, or statements that lead to different routes.

    Attributes:
        id: Name of the contradiction.
        facts: The facts by field name.
        text: What contradicts what, and who can settle it.
        sentence: Sentence id of the source, where it says so.
    """

    id: str
    facts: Mapping[str, Any]
    text: str
    sentence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingAdvice:
    """One scan the source asks for or offers.

    Attributes:
        id: Scan id.
        because: Why.
        strength: The source's own word.
        sentence: Sentence id.
        references: Reference numbers.
        done: Whether the document lists it as done; None when that is not known.
    """

    id: str
    because: str
    strength: str
    sentence: str
    references: tuple[int, ...] = ()
    done: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """When to look again.

    Attributes:
        interval_months: Shortest and longest interval.
        what: What to do then.
        sentence: Sentence id of the interval.
        assumption: Whether the source is silent on this situation.
        further: Further examinations due, as (text, sentence id).
    """

    interval_months: tuple[float, float]
    what: str
    sentence: str
    assumption: bool = False
    further: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """One changed fact, all else equal, and the route it would lead to.

    Attributes:
        change: Field name to its other value, numbers as a condition ("> 20").
        route: The route then.
    """

    change: Mapping[str, Any]
    route: Route


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """One table as it was read, so that a reader can redo it by hand.

    Attributes:
        table: The table's name.
        rows: Reasons of the rows that apply, or may apply, with their outcome.
        outcomes: The outcomes that are possible; one = decided.
    """

    table: str
    rows: tuple[tuple[Reason, str], ...]
    outcomes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputError:
    """One reason why a document was rejected.

    Attributes:
        code: Code of the refusal.
        field: The field, with its place ("lesions[2].segment").
        met: The value met, as text.
        allowed: What is allowed there.
        message: Both in one sentence.
    """

    code: str
    field: str
    met: str
    allowed: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The proposal for one patient. Decision support for a tumour board; research use.

    Attributes:
        rules_id: Name of the rule set.
        rules_sha256: Hash of its tables.
        status: Whether the facts suffice.
        grade: The grade, None unless exactly one is possible.
        possible_grades: Every grade that is possible.
        is_nec: Whether it is a neuroendocrine carcinoma, None when that is open.
        pattern: The liver pattern, None when open or not covered by the source.
        possible_patterns: Every pattern that is possible ("not_covered" beside the four names).
        route: The route, None unless exactly one is possible.
        possible_routes: Every route that is possible.
        goal: What the route aims at.
        ablation_window: Whether the lesions lie in the size and number window.
        ablation_window_reason: "size" or "count" where outside.
        ablation_result: What the control scan says; None where no ablation is on record.
        options: Every treatment with its status.
        must_ask: Fields whose value would split routes or option statuses.
        ask_because: For each of them what it would decide.
        flags: What the reader must know.
        conflicts: Contradictions, where `status` is conflict.
        imaging: Scans the source asks for or offers.
        follow_up: When to look again.
        counterfactuals: Single changes that lead to another route.
        staging: The staging record: site, diameter, necrosis, nodes, metastases; None is unknown.
        errors: Why the document was rejected.
        trace: Every deciding table as it was read.
        facts: The facts used, by field name, for the printed trace.
        caveat: What must be printed on every report.
    """

    rules_id: str
    rules_sha256: str
    status: AllocationStatus
    grade: Grade | None = None
    possible_grades: tuple[Grade, ...] = ()
    is_nec: bool | None = None
    pattern: LiverPattern | None = None
    possible_patterns: tuple[str, ...] = ()
    route: Route | None = None
    possible_routes: tuple[Route, ...] = ()
    goal: str = ""
    ablation_window: AblationWindow | None = None
    ablation_window_reason: str | None = None
    ablation_result: AblationResult | None = None
    options: tuple[Option, ...] = ()
    must_ask: tuple[str, ...] = ()
    ask_because: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    flags: tuple[Flag, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    imaging: tuple[ImagingAdvice, ...] = ()
    follow_up: FollowUp | None = None
    counterfactuals: tuple[Counterfactual, ...] = ()
    staging: Mapping[str, Any] = field(default_factory=dict[str, Any])
    errors: tuple[InputError, ...] = ()
    trace: tuple[TraceStep, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    caveat: str = ""

    def option(self, option_id: str) -> Option:
        """The option of this name.

        Raises:
            KeyError: If the rule set has no such option.
        """
        for option in self.options:
            if option.id == option_id:
                return option
        raise KeyError(option_id)
