"""How good masks are, whoever made them: per voxel and per lesion."""

from netseg.evaluation.lesions import LesionScore, score_lesions
from netseg.evaluation.overlap import dice

__all__ = ["LesionScore", "dice", "score_lesions"]
