"""A procedural abdomen with NET-like liver lesions: synthetic studies whose truth is known.

The demo's study, the tests' oracle and the trainer's source. Nothing here is from a real patient.
"""

from netseg.phantom.ct import CtContrast, render_ct
from netseg.phantom.dicom_study import write_dicom_study
from netseg.phantom.lesions import LesionKind, LesionSpec, LesionTruth
from netseg.phantom.mr import render_mr
from netseg.phantom.nifti_study import write_nifti_study
from netseg.phantom.pet import render_pet
from netseg.phantom.phantom import DEMO_LESIONS, Phantom, make_phantom
from netseg.phantom.planting import LesionPrior
from netseg.phantom.protocol import CT_AND_PET, Protocol, series_of
from netseg.phantom.tissue import Tissue
from netseg.phantom.training import training_case, training_sample
from netseg.phantom.truth_files import WrittenStudy

__all__ = [
    "CT_AND_PET",
    "DEMO_LESIONS",
    "CtContrast",
    "LesionKind",
    "LesionPrior",
    "LesionSpec",
    "LesionTruth",
    "Phantom",
    "Protocol",
    "Tissue",
    "WrittenStudy",
    "make_phantom",
    "render_ct",
    "render_mr",
    "render_pet",
    "series_of",
    "training_case",
    "training_sample",
    "write_dicom_study",
    "write_nifti_study",
]
