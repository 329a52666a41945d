"""Data sets: how public ones and one's own lie on the disk, and what a network may learn of them.

Without torch, so that the processes that prepare cases begin fast; `netseg.training.datasets.source`
makes scenes of them.
"""

from netseg.training.datasets.amos import Amos
from netseg.training.datasets.case import (
    ImageFiles,
    LabelFiles,
    Layout,
    PreparedCase,
    RawCase,
)
from netseg.training.datasets.chaos import Chaos
from netseg.training.datasets.folds import fold_of_patient
from netseg.training.datasets.liver_ct import Lits, MsdTask03
from netseg.training.datasets.liver_mr import Atlas
from netseg.training.datasets.nnunet_raw import NnUNetRaw
from netseg.training.datasets.own_folder import OwnFolder
from netseg.training.datasets.pet_ct import AutoPet, AutoPetRaw
from netseg.training.datasets.preparing import Prepared, prepare
from netseg.training.datasets.reading import Recipe, read_case

__all__ = [
    "Amos",
    "Atlas",
    "AutoPet",
    "AutoPetRaw",
    "Chaos",
    "ImageFiles",
    "LabelFiles",
    "Layout",
    "Lits",
    "MsdTask03",
    "NnUNetRaw",
    "OwnFolder",
    "Prepared",
    "PreparedCase",
    "RawCase",
    "Recipe",
    "fold_of_patient",
    "prepare",
    "read_case",
]
