"""What a needle will destroy: heat, current, cold and pulses in torch, one physics per file.

Start with `BioheatModel` for an ablation of a plan, `read_plan` and `simulate_plan` for a plan file,
`Scene` and `simulate_scene` for one run put together by hand. A run's parts are `HeatingParts`
(equation, source, controller, damage, stepper), `FreezingParts` and `PulsingParts`. The solver's
parts (`diffusion`, `stepping`, `electric`, `microwave`, `freezing`, `electroporation`, `damage`)
work on plain tensors.
"""

from netseg.simulate.certified import certified_zone
from netseg.simulate.cooling import FreezingParts, freezing_parts
from netseg.simulate.devices import Device, device_names, load_device, protocols
from netseg.simulate.drive import Timing
from netseg.simulate.ensemble import Ensemble, ensemble
from netseg.simulate.gradient import DifferentiableBioheat
from netseg.simulate.heating import HeatingParts, heating_parts
from netseg.simulate.lethal import lethal_models, lethal_names
from netseg.simulate.model import BioheatModel
from netseg.simulate.plan_file import SimulationPlan, parse_plan, read_plan
from netseg.simulate.plan_run import SimulationResult, simulate_plan, zone_document
from netseg.simulate.plan_space import plan_scene
from netseg.simulate.pulsing import PulsingParts, pulsing_parts
from netseg.simulate.scene import PlacedProbe, Scene
from netseg.simulate.scene_run import Simulated, simulate_scene
from netseg.simulate.tissue import Tissue, load_tissue, tissue_names
from netseg.simulate.vessel import Vessel

__all__ = [
    "BioheatModel",
    "Device",
    "DifferentiableBioheat",
    "Ensemble",
    "FreezingParts",
    "HeatingParts",
    "PlacedProbe",
    "PulsingParts",
    "Scene",
    "Simulated",
    "SimulationPlan",
    "SimulationResult",
    "Timing",
    "Tissue",
    "Vessel",
    "certified_zone",
    "device_names",
    "ensemble",
    "freezing_parts",
    "heating_parts",
    "lethal_models",
    "lethal_names",
    "load_device",
    "load_tissue",
    "parse_plan",
    "plan_scene",
    "protocols",
    "pulsing_parts",
    "read_plan",
    "simulate_plan",
    "simulate_scene",
    "tissue_names",
    "zone_document",
]
