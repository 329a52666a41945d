"""What a network is taught of a set: no more than its outlines say."""

import numpy as np
import pytest
import torch

from netseg.domain import UsageError
from netseg.training.datasets import Amos, AutoPet, Lits
from netseg.training.datasets.source import DatasetSource
from netseg.training.patches import RealPatches
from netseg.training.tasks import generator_of
from netseg.training.warp import Warp
from tests.training.datasets import trees


def source(layout, tmp_path, **changes):
    settings = {"spacing_mm": 2.0, "margin_mm": 10.0, "cache": tmp_path / "cache"}
    return DatasetSource(layout=layout, **(settings | changes))


def test_a_scene_is_mapped_from_the_disk_unless_memory_is_asked_for(tmp_path):
    layout = Lits(root=trees.write_lits(tmp_path / "set", (2,)))
    mapped = source(layout, tmp_path).scenes()[0]
    held = source(layout, tmp_path, in_memory=True).scenes()[0]
    assert torch.equal(mapped.images["ct_portal"], held.images["ct_portal"])
    assert torch.equal(mapped.labels, held.labels)
    entry = next((tmp_path / "cache").glob("lits-2-*"))
    on_disk = np.load(entry / "ct_portal.npy")
    assert np.array_equal(on_disk, mapped.images["ct_portal"].numpy())
    mapped.images["ct_portal"].zero_()
    assert np.array_equal(on_disk, np.load(entry / "ct_portal.npy"))


def test_a_liver_in_which_nobody_looked_for_lesions_is_unseen_by_the_lesion_network(tmp_path):
    layout = Amos(root=trees.write_amos(tmp_path / "set", (3,)))
    scene = source(layout, tmp_path).scenes()[0]
    assert not scene.clean
    patches = RealPatches(scenes=[scene], weights=[1.0], warp=Warp(patch=(24, 24, 24)))
    centre = 0.5 * torch.tensor(scene.labels.shape)
    patch = patches(lambda *_: centre, generator_of(1, 1))
    assert bool(patch.liver.any())
    assert bool(patch.unseen[patch.liver].all())


def test_where_nobody_outlined_livers_nothing_is_called_not_liver(tmp_path):
    layout = AutoPet(root=trees.write_autopet(tmp_path / "set", ("a",)))
    scene = source(layout, tmp_path, needs=("lesions",)).scenes()[0]
    assert sorted(scene.labels.unique().tolist()) == [2, 255]


def test_a_set_that_lacks_what_is_needed_leaves_nothing_to_train_on(tmp_path):
    layout = Amos(root=trees.write_amos(tmp_path / "set", (3,)))
    with pytest.raises(
        UsageError, match="Amos: no case is left: 0 refused, 1 without liver or les"
    ):
        source(layout, tmp_path, needs=("liver", "lesions")).scenes()


def test_a_scan_without_any_liver_is_left_out(tmp_path):
    """Kept whole and looked through, it holds nothing to cut a patch around."""
    root = trees.write_lits(tmp_path / "set", (2, 3))
    trees.save(root / "segmentation-2.nii", np.zeros(trees.SHAPE, np.uint8), "RAS")
    scenes = source(Lits(root=root), tmp_path, margin_mm=None).scenes()
    assert [scene.name for scene in scenes] == ["lits-3"]


def test_when_every_case_is_refused_the_reasons_are_told(tmp_path):
    root = trees.write_lits(tmp_path / "set", (2,))
    trees.save(root / "segmentation-2.nii", trees.outlines(1, 3), "RAS")
    with pytest.raises(UsageError, match=r"1 refused.*lits-2: The label map holds \[3\]"):
        source(Lits(root=root), tmp_path).cases()
