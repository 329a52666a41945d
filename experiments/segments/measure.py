"""Score the network and the geometric approximation on phantoms that were never trained on.

python experiments/segments/measure.py --weights FILE --count 10 --output experiments/segments/figures.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from cases import IMAGES, figures, geometric, phantom, score, segmentation, study

from netseg.segment.couinaud import SegmentsModel

HOLD_OUT = 900_000

if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--weights", type=Path, default=None)
    words.add_argument("--count", type=int, default=10)
    words.add_argument("--first", type=int, default=HOLD_OUT)
    words.add_argument("--output", type=Path, default=None)
    given = words.parse_args()
    torch.set_num_threads(1)
    model = SegmentsModel(given.weights, "cpu", least_confidence=0.0)
    answer: dict[str, object] = {}
    for kind, wide, first in (("house", False, given.first), ("wide", True, given.first + 500)):
        scores: dict[str, list] = {}
        for seed in range(first, first + given.count):
            case = phantom(seed, wide=wide)
            scores.setdefault("geometric", []).append(score(case, geometric(case)))
            for name in IMAGES:
                found = model.add(study(case, name), segmentation(case, name))
                scores.setdefault(name, []).append(score(case, found.segments.labels, found))
        answer[kind] = {name: figures(of) for name, of in scores.items()}
        for name, row in answer[kind].items():
            print(kind, name, row)
    if given.output:
        old = json.loads(given.output.read_text()) if given.output.is_file() else {}
        text = json.dumps({**old, "phantom": answer}, indent=1)
        given.output.write_text(text + "\n", encoding="utf-8")
