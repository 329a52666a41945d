"""Generator, applicator and coolant over time: how much heat goes where in the next step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from netseg.simulate.applicator import ManyWays
from netseg.simulate.control import Memory, Reading
from netseg.simulate.hot import BoxedLaw

if TYPE_CHECKING:
    from torch import Tensor

    from netseg.simulate.applicator import Applicator, Deposit, State
    from netseg.simulate.control import Controller
    from netseg.simulate.hot import HotBox
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
        refresh_vapour: or this share of its water has left,
        refresh_load: or, of electrodes in several ways, when conductivity has changed by this
            share where the heat is: then the load has, too.
        record_s: Interval of the trace.
    """

    duration_s: float
    cooling_s: float = 60.0
    step_s: float = 1.0
    refresh_s: float = 5.0
    refresh_k: float = 8.0
    refresh_vapour: float = 0.04
    refresh_load: float = 0.05
    record_s: float = 10.0


@dataclass(slots=True, kw_only=True, eq=False)
class Drive:
    """Generator and applicator with what they remember.

    Attributes:
        applicator: Where the power goes.
        controller: How much, and through which connection.
        timing: Durations and when to renew.
        energy: Where delivered energy and what the coolant takes are booked.
        trace: Where the generator's record goes.
        memory: What the generator remembers.
        loads_ohm: Load of each connection for the tissue of `made_for`.
        deposits: The patterns used since, by connection.
        made_at_s: When all fields were renewed last,
        made_for: for which excess temperature and vapour any was,
        made_way: and which connection was in use then.
        renewals: How often it was.
    """

    applicator: Applicator
    controller: Controller
    timing: Timing
    energy: Ledger
    trace: dict[str, list[float]]
    memory: Memory = field(default_factory=Memory)
    loads_ohm: tuple[float, ...] = ()
    deposits: dict[int, Deposit] = field(default_factory=dict)
    made_at_s: float = 0.0
    made_for: tuple[Tensor, Tensor] | None = None
    made_way: int = 0
    renewals: int = 0

    def heating(
        self, problem: Problem, heat: Tensor, excess: Tensor, now: float, dt: float
    ) -> Tensor:
        """Heat in W/m3 for one step: the generator's and the coolant's."""
        energy = self.energy
        shape = (excess.shape[0], excess.shape[1], excess.shape[2])
        power = self._power_w(problem, heat, excess, now, dt)
        source = torch.zeros_like(excess)
        if power:
            deposit = self._deposit(self.memory.way)
            source.add_(deposit.per_watt_m3, alpha=power)
            absorbed = float(deposit.per_watt_m3.sum(dtype=torch.float64))
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
        law = problem.conduction.law
        box = law.box if isinstance(law, BoxedLaw) else None
        self._renew(excess, law.vapour(heat), now, box)
        hottest_c = problem.baseline_c + float(excess.max())
        seen = Reading(
            time_s=now,
            hottest_c=hottest_c,
            impedance_ohm=self._load_ohm(self.memory.way),
            loads_ohm=self.loads_ohm,
        )
        power, self.memory = self.controller.power_w(seen, self.memory)
        power *= min(dt, self.timing.duration_s - now) / dt
        if now % self.timing.record_s < 1e-6:
            self._record(now, power, hottest_c)
        return power

    def _record(self, now: float, power: float, hottest_c: float) -> None:
        entry = {"time_s": now, "power_w": power, "temperature_c": hottest_c}
        load = self._load_ohm(self.memory.way)
        if load is not None:
            entry["impedance_ohm"] = load
        if len(self.loads_ohm) > 1:
            entry["connection"] = float(self.memory.way)
        for name, value in entry.items():
            self.trace.setdefault(name, []).append(value)

    def _load_ohm(self, way: int) -> float | None:
        """What the generator feels; a plain applicator has one load, or none."""
        if self.loads_ohm:
            return self.loads_ohm[way]
        return self.deposits[0].impedance_ohm

    def _deposit(self, way: int) -> Deposit:
        if way not in self.deposits and isinstance(self.applicator, ManyWays):
            self.deposits[way] = self.applicator.way(way)
        return self.deposits[way]

    def _renew(self, excess: Tensor, vapour: Tensor, now: float, box: HotBox | None) -> None:
        """Renew the heating patterns if the tissue has changed since they were made."""
        way = self.memory.way
        due = self.made_for is None or now - self.made_at_s >= self.timing.refresh_s - 1e-9
        if self.made_for is not None:
            if now < self.memory.off_until_s or self.memory.ended:
                return
            if not due and way == self.made_way and not self._has_moved((excess, vapour), box):
                return
        if isinstance(self.applicator, ManyWays):
            self.loads_ohm = self.applicator.renew(excess, vapour, None if due else way)
            self.deposits = {}
        else:
            self.deposits = {0: self.applicator.deposit(excess, vapour)}
        if due or len(self.loads_ohm) <= 1:
            self.made_at_s = now
        self.made_way = way
        self.made_for = (excess, vapour)
        self.renewals += 1

    def _has_moved(self, after: State, box: HotBox | None) -> bool:
        """Whether the tissue is no longer what the patterns were made for."""
        before = self.made_for
        if before is None or (box is not None and box.is_empty):
            return before is None
        if box is not None:
            before = box.of(before[0]), box.of(before[1])
            after = box.of(after[0]), box.of(after[1])
        if isinstance(self.applicator, ManyWays):
            heat = self._deposit(self.memory.way).per_watt_m3
            heat = heat if box is None else box.of(heat)
            return self.applicator.drift(before, after, heat) >= self.timing.refresh_load
        return (
            float((after[0] - before[0]).abs().max()) >= self.timing.refresh_k
            or float((after[1] - before[1]).abs().max()) >= self.timing.refresh_vapour
        )
