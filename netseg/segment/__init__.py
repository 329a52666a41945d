"""Study -> Segmentation: where liver and lesions are.

`BuiltinBackend` asks the shipped networks, `MasksBackend` takes masks of any tool. torch and MONAI
are imported when a network is first used.
"""

from netseg.segment.builtin import BuiltinBackend
from netseg.segment.card import ModelCard, NetworkCard
from netseg.segment.inputs import Inputs, choose
from netseg.segment.masks import MasksBackend
from netseg.segment.weights_file import check_weights, load_weights, shipped_weights

__all__ = [
    "BuiltinBackend",
    "Inputs",
    "MasksBackend",
    "ModelCard",
    "NetworkCard",
    "check_weights",
    "choose",
    "load_weights",
    "shipped_weights",
]
