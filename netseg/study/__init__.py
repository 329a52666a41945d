"""Files to a `Study`: DICOM, NIfTI, NRRD, MetaImage; whatever is doubtful is refused by name.

No torch is needed, so that `netseg validate` can look at a study anywhere.
"""

from netseg.study.find import FoundStudy, find_studies
from netseg.study.hints import ReadHints
from netseg.study.privacy import hashed_case_id
from netseg.study.read import Inspection, inspect_study, read_study

__all__ = [
    "FoundStudy",
    "Inspection",
    "ReadHints",
    "find_studies",
    "hashed_case_id",
    "inspect_study",
    "read_study",
]
