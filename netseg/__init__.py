"""netseg: from the scans of a patient with NET liver metastases to a treatment proposal.

Research use only; not a medical device.
"""

import os as _os

__version__ = "0.1.0"

# MONAI imports MLflow wherever it is installed, and MLflow's telemetry is decided at that moment:
# without these a clinic's segmentation would try to reach the network.
_os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
_os.environ.setdefault("DO_NOT_TRACK", "true")
