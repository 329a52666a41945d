"""Train the networks.    python train.py experiment=any_scan output=runs/any_scan.

The Hydra door to what `netseg train` does; it needs neither SimpleITK nor MLflow to begin.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, cast

import hydra
from omegaconf import OmegaConf

if TYPE_CHECKING:
    from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(config: DictConfig) -> None:
    """Compose the configuration and hand it to `netseg.training.run`."""
    from netseg.cli.main import guarded
    from netseg.cli.registry import build
    from netseg.training.run import run

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    settings = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True))
    sys.exit(guarded("train.py", lambda: 0 if run(settings, build) else 1))


if __name__ == "__main__":
    main()
