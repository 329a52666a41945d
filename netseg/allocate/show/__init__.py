"""A rule set for its reader: as tables, by sentence of the source, as a flowchart."""

from netseg.allocate.show.flowchart import draw_flowchart
from netseg.allocate.show.sentences import (
    Trace,
    read_sentences,
    tell_coverage,
    tell_notes,
    tell_sentence,
    trace_of,
)
from netseg.allocate.show.tables import tell_rules

__all__ = [
    "Trace",
    "draw_flowchart",
    "read_sentences",
    "tell_coverage",
    "tell_notes",
    "tell_rules",
    "tell_sentence",
    "trace_of",
]
