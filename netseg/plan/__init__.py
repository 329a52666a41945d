"""One needle per lesion: access from the skin, tip, energy."""

from netseg.plan.access import AccessRules
from netseg.plan.energy import MarginOf
from netseg.plan.planner import Planner

__all__ = ["AccessRules", "MarginOf", "Planner"]
