"""Generator, applicator and coolant over time: how much heat goes where in the next step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from netseg.simulate.applicator import ManyWays
from netseg.simulate.control import Memory, Reading
from netseg.simulate.hot import BoxedLaw, HotBox

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from netseg.simulate.applicator import Applicator, Deposit, State
    from netseg.simulate.control import Controller
    from netseg.simulate.enthalpy import HeatLaw
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
        beyond_j: What blocks beyond a window have been given; None where there are none.
        sums: Watts in tissue for one watt of the patterns used since.
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
    beyond_j: Tensor | None = None
    sums: dict[int, float] = field(default_factory=dict)
    made_at_s: float = 0.0
    made_for: tuple[Tensor, Tensor] | None = None
    made_way: int = 0
    renewals: int = 0

    def heating(
        self, problem: Problem, heat: Tensor, excess: Tensor, now: float, dt: float
    ) -> Tensor:
        """Heat in W/m3 for one step: the generator's and the coolant's."""
        energy = self.energy
        power = self._power_w(problem, heat, excess, now, dt)
        if power:
            deposit = self._deposit(self.memory.way)
            source = deposit.per_watt_m3 * power
            energy.delivered += self._absorbed(self.memory.way, problem.cell_m3) * power * dt
            if deposit.beyond_w is not None and self.beyond_j is not None:
                self.beyond_j.add_(deposit.beyond_w, alpha=power * dt)
        else:
            source = torch.zeros_like(excess)
        if now < self.timing.duration_s - 1e-9:
            for coolant in problem.coolants:
                drawn = coolant.link_w_k * (coolant.kernel.feel(excess) - coolant.excess_k)
                source.sub_(
                    coolant.kernel.spread(drawn, _shape(excess)), alpha=1.0 / problem.cell_m3
                )
                energy.coolant += float(drawn.sum(dtype=torch.float64)) * dt
        return source

    def look(
        self, applicator: Applicator, beyond_j: Tensor, laid_out: Callable[[State], State] | None
    ) -> None:
        """Go on with fields of another part of the grid.

        Args:
            applicator: The same, for that part.
            beyond_j: Where heat beyond it is booked, per block.
            laid_out: Lays temperature and vapour of the former part out in this one; None at the start.
        """
        self.applicator, self.beyond_j = applicator, beyond_j
        self.deposits, self.sums = {}, {}
        if laid_out is None or self.made_for is None:
            self.made_for = None
            return
        made_for = self.made_for = laid_out(self.made_for)
        if not isinstance(applicator, ManyWays):  # whose fields stay, to be cut anew
            self.deposits = {0: applicator.deposit(*made_for)}

    def _absorbed(self, way: int, cell_m3: float) -> float:
        """Watts in tissue for one watt; summed once per pattern."""
        if way not in self.sums:
            deposit = self._deposit(way)
            watt = float(deposit.per_watt_m3.sum(dtype=torch.float64)) * cell_m3
            if deposit.beyond_w is not None:
                watt += float(deposit.beyond_w.sum(dtype=torch.float64))
            self.sums[way] = watt
        return self.sums[way]

    def _power_w(
        self, problem: Problem, heat: Tensor, excess: Tensor, now: float, dt: float
    ) -> float:
        if now >= self.timing.duration_s - 1e-9:
            return 0.0
        law = problem.conduction.law
        box = law.box if isinstance(law, BoxedLaw) else None
        self._renew(excess, heat, now, law)
        seen_k = excess if box is None or box.is_empty else box.of(excess)
        hottest_c = problem.baseline_c + float(seen_k.max())
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

    def _renew(self, excess: Tensor, heat: Tensor, now: float, law: HeatLaw) -> None:
        """Renew the heating patterns if the tissue has changed since they were made."""
        way = self.memory.way
        due = self.made_for is None or now - self.made_at_s >= self.timing.refresh_s - 1e-9
        if self.made_for is not None:
            if now < self.memory.off_until_s or self.memory.ended:
                return
            if not due and way == self.made_way and not self._has_moved(excess, heat, law):
                return
        vapour = law.vapour(heat)
        if isinstance(self.applicator, ManyWays):
            self.loads_ohm = self.applicator.renew(excess, vapour, None if due else way)
            self.deposits = {}
        else:
            self.deposits = {0: self.applicator.deposit(excess, vapour)}
        self.sums = {}
        if due or len(self.loads_ohm) <= 1:
            self.made_at_s = now
        self.made_way = way
        self.made_for = (excess, vapour)
        self.renewals += 1

    def _has_moved(self, excess: Tensor, heat: Tensor, law: HeatLaw) -> bool:
        """Whether the tissue is no longer what the patterns were made for."""
        made, box, warm = self.made_for, None, None
        if isinstance(law, BoxedLaw):
            law, box, warm = law.law, law.box, law.warm
        if made is None or (box is not None and box.is_empty):
            return made is None
        if isinstance(self.applicator, ManyWays):
            now, before = (excess, law.vapour(heat)), made
            given = self._deposit(self.memory.way).per_watt_m3
            if box is not None:
                now, before = (box.of(excess), law.vapour(box.of(heat))), _part(made, box)
                given = box.of(given)
            return self.applicator.drift(before, now, given) >= self.timing.refresh_load
        cells, water = box or HotBox.whole(_shape(heat)), warm or box or HotBox.whole(_shape(heat))
        if _largest(cells.of(excess) - cells.of(made[0])) >= self.timing.refresh_k:
            return True
        if water.is_empty:
            return False
        lost = law.vapour(water.of(heat)).sub_(water.of(made[1]))
        return _largest(lost) >= self.timing.refresh_vapour


def _part(state: State, box: HotBox) -> State:
    return box.of(state[0]), box.of(state[1])


def _shape(field: Tensor) -> tuple[int, int, int]:
    return field.shape[0], field.shape[1], field.shape[2]


def _largest(change: Tensor) -> float:
    low, high = change.aminmax()
    return max(-float(low), float(high))
