"""How far the ablation zone reaches beyond each lesion: the margin check.

`MarginRule` answers; `surface` finds where the surfaces lie between the voxels, `viable` which
liver is left, `lesion` measures one lesion, `wording` says it in sentences.
"""

from netseg.verify.rule import MarginRule

__all__ = ["MarginRule"]
