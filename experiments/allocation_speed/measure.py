"""How long one case takes after loading, and ten thousand draws over its lesions.

python experiments/allocation_speed/measure.py
"""

import json
import random
import statistics
import time
from pathlib import Path

import numpy as np

from netseg.allocate import allocate, argued, load_rules, parse_case, read_case, sensitivity

HERE = Path(__file__).parent
CASES = HERE.parents[1] / "docs" / "examples" / "cases"
RULES = load_rules()
REPEATS = 7
RANDOM_DOCUMENTS = 2000

FLAGS = (
    "extrahepatic_disease", "r0_a0_possible", "fit_for_local_treatment", "functioning",
    "symptomatic", "primary_resected", "men1", "liver_surgery_possible",
    "general_anaesthesia_possible", "portal_vein_thrombosis", "hepatic_failure", "prior_whipple",
    "other_drugs_available", "intestinal_obstruction_risk",
)  # fmt: skip
VALUES = {
    "primary": ["stomach", "small_intestine", "pancreas", "colon", "unknown"],
    "ki67": [1, 2, 20, 50, [1, 3], [15, 25], {"below": 2}, {"above": 20}],
    "grade_reported": ["G1", "G2", "G3"],
    "differentiation": ["well", "poor"],
    "sstr": ["positive", "negative", 1, 3],
    "ga68_pet": ["positive", "negative", "not_done"],
    "liver_pattern_reported": ["simple", "complex", "diffuse"],
    "lesion_count": list(range(13)),
    "gastric_type": [1, 2, 3],
    "primary_diameter_mm": [4, 5, 20],
    "hepatopulmonary_shunt_pct": [10, 11],
    "achievable_cytoreduction_pct": [70, 71],
    "disease_course": ["stable", "progressive", "response"],
    "extrahepatic_sites": [[], ["bone"]],
    "post_ablation": [
        {"min_margin_mm": margin, "registration_error_mm": error, "evidence": "control_scan"}
        for margin in (3, 5, 7) for error in (0, 3, None)
    ],
    **{name: [True, False] for name in FLAGS},
}  # fmt: skip


def milliseconds(work, repeats=REPEATS):
    """CPU time of each of some runs; no run remembers what another one was answered."""
    found = []
    for _ in range(repeats):
        RULES.diagrams.forget()
        start = time.process_time()
        work()
        found.append(1000 * (time.process_time() - start))
    return found


def summary(times):
    """Of one time a case: the fastest of its runs, since others on the machine only add."""
    ordered = sorted(times)
    return {
        "cases": len(ordered),
        "median_ms": round(statistics.median(ordered), 2),
        "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
        "worst_ms": round(ordered[-1], 2),
    }


def nearly_unknown():
    """Documents with one to five facts; those that cannot be read are drawn again."""
    generator = random.Random(3)
    for _ in range(RANDOM_DOCUMENTS):
        names = generator.sample(sorted(VALUES), generator.randint(1, 5))
        yield parse_case({name: generator.choice(VALUES[name]) for name in names})


def main():
    """Measure, print, keep."""
    examples = {path.stem: read_case(path) for path in sorted(CASES.glob("*.yaml"))}
    by_case = {
        name: milliseconds(lambda case=case: allocate(case, RULES))
        for name, case in examples.items()
    }
    empty = milliseconds(lambda: allocate(parse_case({}), RULES), 25)
    few = [milliseconds(lambda case=case: allocate(case, RULES), 3) for case in nearly_unknown()]
    told = {
        name: milliseconds(lambda case=case: argued(allocate(case, RULES), case, RULES), 3)
        for name, case in examples.items()
    }
    sizes = [("VI", 4.8), ("VII", 2.0), ("II", 1.1), ("IVb", 0.9), ("VIII", 3.0), ("V", 2.2)]
    lesions = [{"segment": s, "diameter_cm": d, "confidence": 0.8} for s, d in sizes]
    drawn = parse_case({"ki67": 3, "extrahepatic_disease": False, "lesions": lesions})
    draws = milliseconds(
        lambda: sensitivity(drawn, RULES, np.random.default_rng(1), draws=10_000), 5
    )
    figures = {
        "clock": "CPU time of the process; each case the fastest of its runs",
        "examples": summary([min(times) for times in by_case.values()]),
        "every_run_of_the_examples": summary([t for times in by_case.values() for t in times]),
        "nothing_known": summary([min(empty)]),
        "one_to_five_facts_known": summary([min(times) for times in few]),
        "every_run_with_few_facts": summary([t for times in few for t in times]),
        "with_counterfactuals_of_every_option": summary([min(times) for times in told.values()]),
        "ten_thousand_draws_over_six_lesions_s": round(min(draws) / 1000, 3),
        "each_example_ms": {name: round(min(times), 2) for name, times in by_case.items()},
    }
    (HERE / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
