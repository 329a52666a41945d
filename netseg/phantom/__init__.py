"""A procedural abdomen with NET-like liver lesions: synthetic studies whose truth is known.

The demo's study, the tests' oracle and the trainer's source. Nothing here is from a real patient.
"""

from netseg.phantom.ct import CtContrast, render_ct
from netseg.phantom.lesions import LesionKind, LesionSpec, LesionTruth
from netseg.phantom.phantom import Phantom, make_phantom
from netseg.phantom.planting import LesionPrior
from netseg.phantom.tissue import Tissue
from netseg.phantom.training import training_case, training_sample

__all__ = [
    "CtContrast",
    "LesionKind",
    "LesionPrior",
    "LesionSpec",
    "LesionTruth",
    "Phantom",
    "Tissue",
    "make_phantom",
    "render_ct",
    "training_case",
    "training_sample",
]
