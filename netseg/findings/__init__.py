"""Measures of lesions and liver: sizes, enhancement, uptake, segment. Nothing is judged here."""

from netseg.findings.measure import measure
from netseg.findings.partition import approximate_segments

__all__ = ["approximate_segments", "measure"]
