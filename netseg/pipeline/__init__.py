"""One study, or many: the stations in their order."""

from netseg.pipeline.batch import BatchOutcome, StudyOutcome, run_batch
from netseg.pipeline.jobs import PlanOnly, SegmentOnly, WholeWay
from netseg.pipeline.lock import output_lock
from netseg.pipeline.stations import Stations
from netseg.pipeline.study import process_study

__all__ = [
    "BatchOutcome",
    "PlanOnly",
    "SegmentOnly",
    "Stations",
    "StudyOutcome",
    "WholeWay",
    "output_lock",
    "process_study",
    "run_batch",
]
