"""The numbers by which a needle's way is allowed and preferred."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """What a straight way from the skin must keep and what makes it better.

    The first block removes ways, the second only ranks those that are left. Numbers without a
    source are assumptions; an aiming error of 2-3 mm and angles up to 60 degrees from the axial
    plane are usual proposals for needle planners.

    Attributes:
        aiming_mm: Way kept from bone and from named obstacles: what the needle may miss by.
        gas_mm: Way kept from lung and bowel gas. More than the aiming error: the wall of a bowel
            and the lung's excursion lie around the gas that the scan shows.
        vessel_mm: Way kept from liver vessels.
        max_axial_angle_deg: Steepest needle against the axial plane.
        max_from_below_deg: How far below the horizontal the needle may come from, for a patient
            who lies on the back; farther down the table is in the way.
        max_soft_tissue_mm: Longest way through soft tissue that is neither fat nor liver. The wall
            of chest or belly takes some 10-25 mm of it; more means another organ is in between.
        handle_room_mm: Way beyond the skin on which no table and no arm may lie.
        directions: Number of ways tried per lesion, evenly over the sphere.
        step_mm: Distance of the points that are looked at along each way.
        liver_bridge_mm: Way through liver before the lesion that is enough against bleeding and
            seeding.
        capsule_angle_deg: Angle between needle and liver surface that is steep enough not to slip.
        clearance_mm: Way to the nearest obstacle beyond which more is no better.
    """

    aiming_mm: float = 3.0
    gas_mm: float = 5.0
    vessel_mm: float = 2.0
    max_axial_angle_deg: float = 60.0
    max_from_below_deg: float = 30.0
    max_soft_tissue_mm: float = 35.0
    handle_room_mm: float = 30.0
    directions: int = 4000
    step_mm: float = 1.0

    liver_bridge_mm: float = 10.0
    capsule_angle_deg: float = 30.0
    clearance_mm: float = 10.0

    def __post_init__(self) -> None:
        """Keep distances and angles positive."""
        for one in fields(self):
            value = getattr(self, one.name)
            if not value > 0:
                raise ValueError(f"{one.name} must be positive; got {value}.")
        if max(self.max_axial_angle_deg, self.max_from_below_deg, self.capsule_angle_deg) > 90:
            raise ValueError("angles against a plane end at 90 degrees.")

    def distance_for(self, obstacle: str) -> float:
        """The way to be kept from an obstacle of this name."""
        if obstacle in ("lung", "bowel gas"):
            return self.gas_mm
        return self.vessel_mm if obstacle == "liver vessels" else self.aiming_mm
