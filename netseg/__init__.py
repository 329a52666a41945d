"""netseg: from the scans of a patient with NET liver metastases to a treatment proposal.

Research use only; not a medical device.
"""

__version__ = "0.1.0"
