"""Ways to measure the smallest margin between a lesion and a zone, both masks on one grid."""

import numpy as np
from scipy import ndimage, spatial
from skimage import measure

from netseg.domain import AblationZone, Evidence, LabelMap
from netseg.verify import MarginRule

CUTOFF_MM = 5.0


def edt_in_out(lesion, zone, spacing_mm, **_):
    """The habitual distance_transform_edt(zone)[lesion].min()."""
    depth = ndimage.distance_transform_edt(zone, sampling=spacing_mm)
    beyond = ndimage.distance_transform_edt(~zone, sampling=spacing_mm)
    outside = lesion & ~zone
    return -beyond[outside].max() if outside.any() else depth[lesion].min()


def border_voxels(lesion, zone, spacing_mm, **_):
    """From the lesion's border voxels to the zone's border voxels, centre to centre."""
    edge = zone & ~ndimage.binary_erosion(zone)
    way = ndimage.distance_transform_edt(~edge, sampling=spacing_mm)
    border = lesion & ~ndimage.binary_erosion(lesion)
    return np.where(zone, way, -way)[border].min()


def marching_cubes(lesion, zone, spacing_mm, **_):
    """Between the triangles' corners of the two binary masks."""
    points = [
        measure.marching_cubes(np.pad(m, 1).astype(np.float32), 0.5, spacing=spacing_mm)[0]
        for m in (lesion, zone)
    ]
    way, _ = spatial.cKDTree(points[1]).query(points[0])
    index = np.rint(points[0] / spacing_mm).astype(int) - 1
    index = np.clip(index, 0, np.array(zone.shape) - 1)
    return np.where(zone[tuple(index.T)], way, -way).min()


def netseg(*_, masks):
    """`MarginRule`: the distance to the nearest viable liver."""
    seen = AblationZone(mask=masks["zone"], evidence=Evidence.GIVEN_MASKS)
    rule = MarginRule(required_mm=CUTOFF_MM)
    lesion, field = masks["lesion"], masks.get("field")
    alone = LabelMap(lesion.inside.astype(np.uint8), lesion.grid)  # in parts, if need be
    fields = {} if field is None else {1: field}
    (found,) = rule.check(
        alone, seen, observed=True, liver=masks["liver"], lesion_fields=fields, details=False
    ).lesions
    return found.smallest_margin_mm


METHODS = {
    "netseg": netseg,
    "EDT in-out": edt_in_out,
    "border voxels": border_voxels,
    "marching cubes": marching_cubes,
}
TO_ZONE = ("EDT in-out", "border voxels", "marching cubes")  # know no capsule
