"""Results of made-up patients: simple bodies in any voxel order, everything known on paper."""

from __future__ import annotations

import numpy as np

from netseg.domain import (
    Ablation,
    AblationModality,
    AblationPlan,
    AblationProtocol,
    AblationZone,
    Code,
    Evidence,
    Findings,
    Grid,
    LabelMap,
    Lesion,
    LesionMargin,
    Lobe,
    MarginReport,
    Mask,
    Modality,
    ModelProvenance,
    Notice,
    Phase,
    PointMm,
    Probe,
    Provenance,
    Quantity,
    Segmentation,
    Series,
    Study,
    Unplanned,
    Verdict,
    Volume,
)
from netseg.domain.allocation import (
    Allocation,
    AllocationStatus,
    Counterfactual,
    Flag,
    FollowUp,
    Grade,
    ImagingAdvice,
    LiverPattern,
    Option,
    OptionStatus,
    Reason,
    Route,
    TraceStep,
)
from netseg.domain.clinical import ClinicalFindings
from netseg.domain.result import StudyResult

FRAME = "1.2.826.0.1"
LIVER_MM = (-40.0, 0.0, 0.0)  # the liver lies on the patient's right (negative x in LPS)
LESIONS_MM = {1: (-50.0, -10.0, 5.0), 2: (-20.0, 10.0, -15.0)}
RADII_MM = {1: 16.0, 2: 11.0}


def grid_of(
    order: tuple[int, int, int] = (0, 1, 2),
    signs: tuple[int, int, int] = (1, 1, 1),
    *,
    half_mm: tuple[float, float, float] = (120.0, 90.0, 70.0),
    spacing_mm: tuple[float, float, float] = (4.0, 4.0, 5.0),
    frame: str = FRAME,
) -> Grid:
    """A grid around the origin whose voxel axis n runs along `signs[n]` times LPS axis order[n]."""
    affine = np.eye(4)
    shape = [0, 0, 0]
    affine[:3, :3] = 0
    for voxel_axis, (axis, sign) in enumerate(zip(order, signs, strict=True)):
        shape[voxel_axis] = round(2 * half_mm[axis] / spacing_mm[axis])
        affine[axis, voxel_axis] = sign * spacing_mm[axis]
        affine[axis, 3] = -sign * spacing_mm[axis] * (shape[voxel_axis] - 1) / 2
    return Grid(shape=(shape[0], shape[1], shape[2]), affine_lps=affine, frame_uid=frame)


def ball(grid: Grid, centre_mm: tuple[float, ...], radius_mm: float) -> np.ndarray:
    """Voxels whose centre lies within a ball."""
    points = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, 3))
    distance = np.linalg.norm(points - np.array(centre_mm), axis=1)
    return (distance <= radius_mm).reshape(grid.shape)


def ct_of(grid: Grid) -> Series:
    """A body of 40 HU with a liver of 100 HU, lesions of 50 HU and air around."""
    hu = np.full(grid.shape, -1000, np.int16)
    hu[ball(grid, (0, 0, 0), 100)] = 40
    hu[ball(grid, LIVER_MM, 55)] = 100
    for number, centre in LESIONS_MM.items():
        hu[ball(grid, centre, RADII_MM[number])] = 50
    volume = Volume(hu, grid, Quantity.HU)
    return Series(
        key="ct_portal_venous", modality=Modality.CT, volume=volume, phase=Phase.PORTAL_VENOUS
    )


def pet_of(frame: str = FRAME) -> Series:
    """SUV 5 in the liver and 20 in the lesions, on a grid of its own."""
    grid = grid_of(spacing_mm=(6.0, 6.0, 6.0), frame=frame)
    suv = np.zeros(grid.shape, np.float32)
    suv[ball(grid, LIVER_MM, 55)] = 5
    for number, centre in LESIONS_MM.items():
        suv[ball(grid, centre, RADII_MM[number])] = 20
    return Series(
        key="pt_ga68_dotatate",
        modality=Modality.PT,
        volume=Volume(suv, grid, Quantity.SUVBW),
        tracer="ga68_dotatate",
        suv_factor=0.000551,
    )


def segmentation_on(grid: Grid) -> Segmentation:
    """Liver and both lesions as they truly are."""
    labels = np.zeros(grid.shape, np.uint8)
    for number, centre in LESIONS_MM.items():
        labels[ball(grid, centre, RADII_MM[number])] = number
    return Segmentation(
        series_key="ct_portal_venous",
        liver=Mask(ball(grid, LIVER_MM, 55), grid),
        lesions=LabelMap(labels, grid),
        provenance=ModelProvenance(backend="masks", name="made by hand"),
    )


def findings_of() -> Findings:
    """Measures of both lesions, from their radii."""
    lesions = tuple(
        Lesion(
            id=number,
            volume_ml=4.19e-3 * radius**3,
            longest_axial_diameter_mm=2 * radius,
            longest_diameter_mm=2 * radius,
            centroid_mm=PointMm.of(LESIONS_MM[number]),
            segment={1: "VIII", 2: None}[number],
            lobe={1: Lobe.RIGHT, 2: None}[number],
            measures={"mean_hu_portal_venous": 50.0, **({"suv_max": 20.0} if number == 1 else {})},
        )
        for number, radius in RADII_MM.items()
    )
    total = sum(lesion.volume_ml for lesion in lesions)
    return Findings(lesions=lesions, liver_volume_ml=697.0, lesion_volume_ml=total)


def zone_of(number: int, radius_mm: float = 22.0) -> AblationZone:
    """A ball of ablated tissue around a lesion, on a local grid of 2 mm."""
    centre = LESIONS_MM[number]
    half = radius_mm + 6
    grid = grid_of(half_mm=(half, half, half), spacing_mm=(2.0, 2.0, 2.0))
    affine = grid.affine_lps.copy()
    affine[:3, 3] += centre
    grid = Grid(shape=grid.shape, affine_lps=affine, frame_uid=FRAME)
    return AblationZone(
        mask=Mask(ball(grid, centre, radius_mm), grid),
        evidence=Evidence.SIMULATED,
        volume_band_ml=(35.0, 55.0),
        max_temperature_c=100.0 + number,
        energy_j={"delivered": 36_000.0, "balance_error": 1e-5 * number},
        trace={"time_s": (0.0, 600.0), "temperature_c": (37.0, 101.0)},
    )


def plan_of() -> AblationPlan:
    """One microwave needle for lesion 1, from the right side; none for lesion 2."""
    tip = PointMm.of(LESIONS_MM[1])
    entry = PointMm(tip.x - 60.0, tip.y, tip.z)
    probe = Probe(id="A", device="mwa_14g", entry_mm=entry, tip_mm=tip, active_length_mm=20.0)
    protocol = AblationProtocol(modality=AblationModality.MWA, duration_s=600.0, power_w=100.0)
    return AblationPlan(
        ablations=(
            Ablation(
                lesion_id=1,
                probes=(probe,),
                protocol=protocol,
                path_mm=60.0,
                clearance_mm={"bone": 7.5},
                why=("Shortest path that keeps 5 mm clear of bone.",),
            ),
        ),
        unplanned=(Unplanned(lesion_id=2, why="Every path crosses bone.", fallen={"bone": 812}),),
        obstacles={"bone": "above 200 HU"},
        not_considered=("gallbladder", "bowel"),
    )


def margin_of() -> MarginReport:
    """A predicted margin of 6 mm around lesion 1; lesion 2 is not covered at all."""
    first = LesionMargin(
        id=1,
        smallest_margin_mm=6.0,
        smallest_margin_to_zone_mm=6.0,
        box_lower_bound_mm=5.2,
        p5_margin_mm=6.0,
        median_margin_mm=6.1,
        surface_share={"below_0": 0.0, "0_to_5": 0.0, "5_to_10": 1.0, "above_10": 0.0},
        covered_fraction=1.0,
        residual_volume_ml=0.0,
        histogram_mm={5.0: 0.2, 6.0: 0.8},
        verdict=Verdict.A0,
        why=("The smallest margin is 6.0 mm.",),
    )
    second = LesionMargin(
        id=2,
        smallest_margin_mm=-22.0,
        smallest_margin_to_zone_mm=-22.0,
        covered_fraction=0.0,
        residual_volume_ml=5.6,
        verdict=Verdict.RESIDUAL,
    )
    return MarginReport(
        cutoff_mm=5.0, evidence=Evidence.SIMULATED, observed=False, lesions=(first, second)
    )


def allocation_of(text: str = "Resection or ablation where R0 or A0 can be reached.") -> Allocation:
    """A local curative route with one reason, one thing to ask and one flag."""
    reason = Reason(
        rule="R031",
        sentences=("S220", "S149"),
        references=(10, 70),
        facts={"grade": Grade.G2, "extrahepatic_disease": False},
        text=text,
        strength="can be accomplished",
    )
    possible = (OptionStatus.OPTION, OptionStatus.NOT_SUPPORTED)
    return Allocation(
        rules_id="seed-2020",
        rules_sha256="ab" * 32,
        status=AllocationStatus.DETERMINED,
        grade=Grade.G2,
        pattern=LiverPattern.SIMPLE,
        route=Route.LOCAL_CURATIVE,
        goal="R0 or A0",
        options=(
            Option(
                id="mwa",
                status=OptionStatus.OPTION,
                possible_statuses=(OptionStatus.OPTION,),
                intent="curative",
                because=(reason,),
                evidence=("local recurrence 5 to 20 % [77]",),
            ),
            Option(id="prrt", status=OptionStatus.UNDETERMINED, possible_statuses=possible),
        ),
        must_ask=("sstr",),
        ask_because={"sstr": ("prrt",)},
        flags=(Flag(id="mdt", text="Decide in a multidisciplinary team.", sentence="S217"),),
        imaging=(
            ImagingAdvice(
                id="ga68_sstr_pet", because="Status unknown.", strength="should", sentence="S087"
            ),
        ),
        follow_up=FollowUp(interval_months=(3.0, 6.0), what="CT or MRI", sentence="S105"),
        counterfactuals=(Counterfactual(change={"ki67": "> 20"}, route=Route.SYSTEMIC),),
        trace=(
            TraceStep(table="grade", rows=((reason, "G2"),), outcomes=("G2",)),
            TraceStep(table="route", rows=((reason, "local_curative"),), outcomes=("local",)),
        ),
        facts={"ki67": "3", "men1": False, "histology_text": "words of the pathologist"},
        caveat="An individual decision.",
    )


def result_of(
    *,
    grid: Grid | None = None,
    case_id: str = "p01",
    allocation: Allocation | None = None,
    further: tuple[Series, ...] = (),
    secrets: frozenset[str] = frozenset(),
    warnings: tuple[Notice, ...] = (),
) -> StudyResult:
    """A whole result on `grid`."""
    grid = grid or grid_of()
    return StudyResult(
        study=Study(case_id=case_id, series=(ct_of(grid), *further), secrets=secrets),
        segmentation=segmentation_on(grid),
        findings=findings_of(),
        clinical=ClinicalFindings(),
        plan=plan_of(),
        zone=None,
        zones={1: zone_of(1)},
        margin=margin_of(),
        allocation=allocation or allocation_of(),
        provenance=Provenance(
            netseg_version="0.1.0", config_sha256="cd" * 32, input_sha256={"ct": "ef" * 32}
        ),
        warnings=warnings,
    )


def a_notice(message: str = "The liver is cut off.") -> Notice:
    """A warning with everything a notice can carry."""
    return Notice(
        code=Code.LESION_AT_BORDER,
        message=message,
        file="ct.nii.gz",
        detail={"slices": 3},
        hint="Scan further.",
    )
