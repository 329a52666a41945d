"""Generator, applicator and coolant over time: how much heat goes where in the next step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from netseg.simulate.control import Memory, Reading

if TYPE_CHECKING:
    from torch import Tensor

    from netseg.simulate.applicator import Applicator, Deposit
    from netseg.simulate.control import Controller
    from netseg.simulate.ledger import Ledger
    from netseg.simulate.solver import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When things happen.

    Attributes:
        duration_s: Time with energy on.
        cooling_s: Simulated time after it, in which damage goes on.
        step_s: Step of control and damage.
        refresh_s: The heating pattern is renewed at least this often while power is on,
        refresh_k: and when a cell's temperature has changed by this much,
        refresh_vapour: or this share of its water has left.
        record_s: Interval of the trace.
    """

    duration_s: float
    cooling_s: float = 60.0
    step_s: float = 1.0
    refresh_s: float = 5.0
    refresh_k: float = 8.0
    refresh_vapour: float = 0.04
    record_s: float = 10.0


@dataclass(slots=True, kw_only=True, eq=False)
class Drive:
    """Generator and applicator with what they remember."""

    applicator: Applicator
    controller: Controller
    timing: Timing
    energy: Ledger
    trace: dict[str, list[float]]
    memory: Memory = field(default_factory=Memory)
    deposit: Deposit | None = None
    made_at_s: float = 0.0
    made_for: tuple[Tensor, Tensor] | None = None

    def heating(
        self, problem: Problem, heat: Tensor, excess: Tensor, now: float, dt: float
    ) -> Tensor:
        """Heat in W/m3 for one step: the generator's and the coolant's."""
        energy = self.energy
        shape = (excess.shape[0], excess.shape[1], excess.shape[2])
        power = self._power_w(problem, heat, excess, now, dt)
        source = torch.zeros_like(excess)
        if power and self.deposit is not None:
            source.add_(self.deposit.per_watt_m3, alpha=power)
            absorbed = float(self.deposit.per_watt_m3.sum(dtype=torch.float64))
            energy.delivered += absorbed * power * dt * problem.cell_m3
        if now < self.timing.duration_s - 1e-9:
            for coolant in problem.coolants:
                drawn = coolant.link_w_k * (coolant.kernel.feel(excess) - coolant.excess_k)
                source.sub_(coolant.kernel.spread(drawn, shape), alpha=1.0 / problem.cell_m3)
                energy.coolant += float(drawn.sum(dtype=torch.float64)) * dt
        return source

    def _power_w(
        self, problem: Problem, heat: Tensor, excess: Tensor, now: float, dt: float
    ) -> float:
        if now >= self.timing.duration_s - 1e-9:
            return 0.0
        deposit = self._fresh(excess, problem.conduction.law.vapour(heat), now)
        hottest_c = problem.baseline_c + float(excess.max())
        load = deposit.impedance_ohm
        power, self.memory = self.controller.power_w(
            Reading(time_s=now, hottest_c=hottest_c, impedance_ohm=load), self.memory
        )
        power *= min(dt, self.timing.duration_s - now) / dt
        if now % self.timing.record_s < 1e-6:
            trace = {"time_s": now, "power_w": power, "temperature_c": hottest_c}
            if load is not None:
                trace["impedance_ohm"] = load
            for name, value in trace.items():
                self.trace.setdefault(name, []).append(value)
        return power

    def _fresh(self, excess: Tensor, vapour: Tensor, now: float) -> Deposit:
        """The heating pattern, renewed if the tissue has changed since it was made."""
        if now < self.memory.off_until_s and self.deposit is not None:
            return self.deposit
        if self.deposit is not None and self.made_for is not None:
            old_excess, old_vapour = self.made_for
            if (
                now - self.made_at_s < self.timing.refresh_s - 1e-9
                and float((excess - old_excess).abs().max()) < self.timing.refresh_k
                and float((vapour - old_vapour).abs().max()) < self.timing.refresh_vapour
            ):
                return self.deposit
        self.deposit = self.applicator.deposit(excess, vapour)
        self.made_at_s, self.made_for = now, (excess, vapour)
        return self.deposit
