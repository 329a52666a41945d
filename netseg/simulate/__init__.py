"""What a needle will destroy: heat, electricity and damage in torch, one physics per file.

Start with `BioheatModel` for an ablation of a plan, `read_plan` and `simulate_plan` for a plan
file. The solver's parts (`diffusion`, `stepping`, `electric`, `microwave`, `damage`) work on plain
tensors.
"""

from netseg.simulate.devices import Device, device_names, load_device, protocols
from netseg.simulate.model import BioheatModel
from netseg.simulate.plan_file import SimulationPlan, parse_plan, read_plan
from netseg.simulate.plan_run import SimulationResult, simulate_plan, zone_document
from netseg.simulate.tissue import Tissue, load_tissue, tissue_names

__all__ = [
    "BioheatModel",
    "Device",
    "SimulationPlan",
    "SimulationResult",
    "Tissue",
    "device_names",
    "load_device",
    "load_tissue",
    "parse_plan",
    "protocols",
    "read_plan",
    "simulate_plan",
    "tissue_names",
    "zone_document",
]
