"""The record of training runs: MLflow where it is installed, a spool of events elsewhere."""

from netseg.tracking.mlflow_store import MlflowTracker
from netseg.tracking.spool import SpoolTracker, load_spool
from netseg.tracking.tracker import NoTracker, Tracker

__all__ = ["MlflowTracker", "NoTracker", "SpoolTracker", "Tracker", "load_spool"]
