"""The codes of refusals and warnings: constants with one sentence each.

A code is a promise to whoever reads `status.json`: its name never changes its meaning.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Code(StrEnum):
    """Why an input was refused, or what its user should know."""

    sentence: str

    def __new__(cls, name: str, sentence: str) -> Self:
        """Make one code of its name and its sentence."""
        code = str.__new__(cls, name)
        code._value_ = name
        code.sentence = sentence
        return code

    # files
    NO_INPUT = "NO_INPUT", "The path does not exist or holds no image netseg can read."
    EMPTY_FILE = "EMPTY_FILE", "A file of zero bytes is a failed copy."
    TRUNCATED_FILE = "TRUNCATED_FILE", "The file ends before the data its header announces."
    CORRUPT_FILE = "CORRUPT_FILE", "The file's checksum or compression stream is broken."
    MALFORMED_HEADER = "MALFORMED_HEADER", "The file's header cannot be parsed."
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT", "The file's format is not one netseg reads."
    ALLOCATION_LIMIT = "ALLOCATION_LIMIT", "The header announces more voxels than netseg accepts."
    PATH_OUTSIDE_ROOT = "PATH_OUTSIDE_ROOT", "A file refers to another outside the study's folder."
    SYMLINK_IGNORED = "SYMLINK_IGNORED", "A link that leaves the study's folder is not followed."
    INPUT_CHANGED = "INPUT_CHANGED", "An input file changed or vanished while it was processed."
    # DICOM series
    NO_DICOM = "NO_DICOM", "The folder holds no DICOM image."
    NO_PIXEL_DATA = "NO_PIXEL_DATA", "A DICOM image has no pixel data."
    DECODE_FAILED = "DECODE_FAILED", "A compressed image could not be decoded."
    UNSUPPORTED_TRANSFER_SYNTAX = (
        "UNSUPPORTED_TRANSFER_SYNTAX",
        "The pixel data are stored in a way netseg cannot decode.",
    )
    UNSUPPORTED_MODALITY = "UNSUPPORTED_MODALITY", "netseg reads CT, MR and PT images."
    UNSUPPORTED_IOD = "UNSUPPORTED_IOD", "This kind of DICOM object is not read as an image series."
    NOT_MONOCHROME = "NOT_MONOCHROME", "Colour images carry no HU, SUV or signal."
    DERIVED_IMAGE = "DERIVED_IMAGE", "A projection or screen capture is not an acquired volume."
    TOO_FEW_SLICES = "TOO_FEW_SLICES", "A volume needs at least five slices."
    MISSING_SLICES = "MISSING_SLICES", "The slice positions leave a gap."
    INCOMPLETE_SERIES = "INCOMPLETE_SERIES", "The series announces more images than are present."
    DUPLICATE_IGNORED = "DUPLICATE_IGNORED", "An identical copy of a slice was left out."
    AMBIGUOUS_SLICES = "AMBIGUOUS_SLICES", "Two different images claim one position."
    NONUNIFORM_SPACING = "NONUNIFORM_SPACING", "Slices lie more than 0.1 mm off a regular grid."
    MIXED_SERIES = "MIXED_SERIES", "Images of one series disagree in size, orientation or spacing."
    GANTRY_TILT = "GANTRY_TILT", "The slice direction is not perpendicular to the slices."
    GEOMETRY_MISSING = "GEOMETRY_MISSING", "Position, orientation or spacing is not stated."
    GEOMETRY_INVALID = "GEOMETRY_INVALID", "Position, orientation or spacing is impossible."
    GEOMETRY_CONFLICT = "GEOMETRY_CONFLICT", "Two statements of the geometry contradict each other."
    SERIES_AMBIGUOUS = "SERIES_AMBIGUOUS", "More than one series could serve and no rule decides."
    STUDY_MISMATCH = "STUDY_MISMATCH", "Images of more than one examination lie together."
    PATIENT_MISMATCH = "PATIENT_MISMATCH", "Images of more than one patient lie together."
    PIXELDATA_LENGTH = "PIXELDATA_LENGTH", "The pixel data are longer than the image they hold."
    PREAMBLE_NOT_EMPTY = "PREAMBLE_NOT_EMPTY", "The DICOM preamble holds bytes; they were not used."
    SERIES_SKIPPED = "SERIES_SKIPPED", "A series that this station cannot use was left out."
    # values
    HU_UNDEFINED = "HU_UNDEFINED", "A CT without rescale slope and intercept has no HU."
    HU_IMPLAUSIBLE = "HU_IMPLAUSIBLE", "The values cannot be Hounsfield units."
    SUV_UNAVAILABLE = "SUV_UNAVAILABLE", "The tags do not allow an SUV to be computed."
    SUV_IMPLAUSIBLE = "SUV_IMPLAUSIBLE", "Dose, weight or times give an impossible SUV factor."
    NON_FINITE_VALUES = "NON_FINITE_VALUES", "The image holds NaN or infinite values."
    VALUE_SCALING_INVALID = "VALUE_SCALING_INVALID", "The header's value scaling is not a number."
    UNITS = "UNITS", "The header states lengths in another unit than millimetres."
    NOT_3D = "NOT_3D", "One three-dimensional image per file is expected."
    MODALITY_ASSUMED = "MODALITY_ASSUMED", "The values look like HU and are taken as CT."
    MODALITY_UNKNOWN = "MODALITY_UNKNOWN", "The modality of a bare image file must be stated."
    PHASE_UNKNOWN = "PHASE_UNKNOWN", "No tag names the contrast phase."
    TRACER_UNKNOWN = "TRACER_UNKNOWN", "No tag names the tracer."
    # masks and frames
    LABEL_AMBIGUOUS = "LABEL_AMBIGUOUS", "A mask with more than one value needs a label suffix."
    LABEL_UNKNOWN = "LABEL_UNKNOWN", "The mask does not hold the label that was asked for."
    LABEL_NOT_INTEGER = "LABEL_NOT_INTEGER", "A mask's values must be whole numbers."
    MASK_EMPTY = "MASK_EMPTY", "The mask holds no voxel."
    MASK_OUTSIDE_LIVER = "MASK_OUTSIDE_LIVER", "Lesions lie outside the given liver."
    GRID_MISMATCH = "GRID_MISMATCH", "Two images that must share a voxel grid do not."
    FRAME_MISMATCH = "FRAME_MISMATCH", "Two images of different frames were never registered."
    LIVERS_DIFFER = "LIVERS_DIFFER", "Two liver outlines cannot be brought together rigidly."
    REGISTERED_WITHIN_FRAME = (
        "REGISTERED_WITHIN_FRAME",
        "Two scans share a frame and were registered all the same: the liver moves.",
    )
    PROBABILITY_RANGE = "PROBABILITY_RANGE", "A probability map's values must lie between 0 and 1."
    UNPAIRED_CASE = "UNPAIRED_CASE", "A case has truth and no prediction, or a prediction alone."
    LESION_AT_BORDER = "LESION_AT_BORDER", "A lesion touches the image's border and is cut off."
    UPTAKE_UNMEASURABLE = (
        "UPTAKE_UNMEASURABLE",
        "A lesion is too small for the PET's resolution; its uptake is unknown.",
    )
    # results
    NO_LIVER = "NO_LIVER", "No liver was found in the image."
    NO_USABLE_SERIES = "NO_USABLE_SERIES", "No series of the study fits the chosen model."
    NON_FINITE_OUTPUT = "NON_FINITE_OUTPUT", "The network's output holds NaN."
    OUTLINES_UNCHECKED = (
        "OUTLINES_UNCHECKED",
        "A network made the outlines and nobody checked them.",
    )
    NO_LESION_FOUND = "NO_LESION_FOUND", "A network found no lesion; it may have missed some."
    LIVER_BY_NETWORK = (
        "LIVER_BY_NETWORK",
        "Lesions were given, the liver was outlined by a network.",
    )
    SEGMENTS_APPROXIMATE = "SEGMENTS_APPROXIMATE", "Segments are a geometric approximation."
    SEGMENTS_BY_NETWORK = "SEGMENTS_BY_NETWORK", "A network drew the segments; nobody checked them."
    SEGMENTS_UNCERTAIN = "SEGMENTS_UNCERTAIN", "A network is not sure of segments or lobes."
    SIMULATION_REFUSED = "SIMULATION_REFUSED", "The ablation plan cannot be simulated as given."
    ZONE_NOT_SEEN = "ZONE_NOT_SEEN", "No ablation zone can be told from the liver at any lesion."
    ZONE_LEAKS = "ZONE_LEAKS", "The outline of the ablation zone runs out into other tissue."
    ZONE_OFF_LESIONS = "ZONE_OFF_LESIONS", "The given ablation zone touches no lesion."
    LESION_OUTSIDE_SCAN = "LESION_OUTSIDE_SCAN", "No lesion lies within the control scan."
    NO_ACCESS = "NO_ACCESS", "No straight path reaches the lesion without crossing an obstacle."
    NOT_BUILT_YET = "NOT_BUILT_YET", "This part of netseg is not built yet."
    # configuration, tables, weights, environment
    CONFIG_SYNTAX = "CONFIG_SYNTAX", "The document is not well-formed."
    CONFIG_UNKNOWN_KEY = "CONFIG_UNKNOWN_KEY", "The document holds a key netseg does not know."
    CONFIG_TYPE = "CONFIG_TYPE", "A value has the wrong type."
    CONFIG_RANGE = "CONFIG_RANGE", "A value lies outside its range."
    UNSAFE_CONFIG = "UNSAFE_CONFIG", "The configuration names something netseg will not run."
    TABLE_VALUE = "TABLE_VALUE", "A cell of the clinical table cannot be read."
    TABLE_DUPLICATE = "TABLE_DUPLICATE", "A case stands twice in the clinical table."
    TABLE_MISSING = "TABLE_MISSING", "Images without a row, or a row without images."
    TABLE_ENCODING = "TABLE_ENCODING", "The clinical table is not UTF-8."
    CASE_ID_IDENTIFIES = "CASE_ID_IDENTIFIES", "The case's name holds an identifier of the patient."
    IDENTIFIER_IN_OUTPUT = (
        "IDENTIFIER_IN_OUTPUT",
        "An identifier of the patient would have left with the results.",
    )
    CORRUPT_CHECKPOINT = "CORRUPT_CHECKPOINT", "The weights file is damaged."
    UNSAFE_CHECKPOINT = "UNSAFE_CHECKPOINT", "netseg reads weights as safetensors only."
    NON_FINITE_WEIGHTS = "NON_FINITE_WEIGHTS", "The weights hold NaN."
    ARCHITECTURE_MISMATCH = "ARCHITECTURE_MISMATCH", "The weights belong to another network."
    WEIGHTS_MISSING = "WEIGHTS_MISSING", "The weights file is not there."
    TRAINING_SET = "TRAINING_SET", "A training set's files are not what its layout says."
    NETWORK_UNKNOWN = "NETWORK_UNKNOWN", "netseg builds no network of that name."
    PROGRAM_MISSING = "PROGRAM_MISSING", "A program of another environment is not installed."
    PROGRAM_FAILED = "PROGRAM_FAILED", "A program of another environment gave no usable answer."
    OUTPUT_UNWRITABLE = "OUTPUT_UNWRITABLE", "The output folder cannot be written."
    DISK_FULL = "DISK_FULL", "The disk is full."
    LOCKED = "LOCKED", "Another run is writing to this output folder."
    OUT_OF_MEMORY = "OUT_OF_MEMORY", "The study does not fit into memory."
    PACKAGE_MISSING = "PACKAGE_MISSING", "A package that this needs is not installed."
    PORT_IN_USE = "PORT_IN_USE", "Another program listens on this port."
    INTERNAL = "INTERNAL", "netseg has a bug; the other studies go on."
