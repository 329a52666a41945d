"""The record of training runs: MLflow where it is installed, a spool of events elsewhere."""

from netseg.tracking.mlflow_store import MlflowTracker
from netseg.tracking.origin import run_key
from netseg.tracking.records import DatasetRecord, ModelRecord, TensorRecord
from netseg.tracking.registry import fetch_model, promote
from netseg.tracking.replay import import_spool, load_spool, spools_below
from netseg.tracking.spool import SpoolTracker
from netseg.tracking.tracker import NoTracker, Tracker, recording

__all__ = [
    "DatasetRecord",
    "MlflowTracker",
    "ModelRecord",
    "NoTracker",
    "SpoolTracker",
    "TensorRecord",
    "Tracker",
    "fetch_model",
    "import_spool",
    "load_spool",
    "promote",
    "recording",
    "run_key",
    "spools_below",
]
