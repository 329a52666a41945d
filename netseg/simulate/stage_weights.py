"""One recursion for explicit Euler and every stage of RKL2."""

from __future__ import annotations

from netseg.simulate.stepping import rkl2_coefficients


def stage_weights(
    stage: int, stages: int, step_s: float
) -> tuple[float, float, float, float, float]:
    """Weights with which a stage's new state follows from what is there.

    new = now * a + before * b + first * c + rate(now) * d + rate(first) * e, where now, before and
    first are the last state, the one before it and the one at the start of the step. Stage 1 sees
    now = first and counts it once.

    Args:
        stage: From 1.
        stages: 1 for explicit Euler, else an odd number from 3.
        step_s: Length of the step.
    """
    if stages == 1:
        return 1.0, 0.0, 0.0, step_s, 0.0
    mu, nu, mu_rate, gamma_rate = rkl2_coefficients(stage, stages)
    if stage == 1:
        return 1.0, 0.0, 0.0, mu_rate * step_s, 0.0
    return mu, nu, 1.0 - mu - nu, mu_rate * step_s, gamma_rate * step_s
