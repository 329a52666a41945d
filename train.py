"""Train the networks: python train.py experiment=first_ct output=runs/first_ct."""

from __future__ import annotations

import logging

import hydra
from omegaconf import DictConfig, OmegaConf

from netseg.training.run import run


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(config: DictConfig) -> None:
    """Compose the configuration and hand it to `netseg.training.run`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    run(OmegaConf.to_container(config, resolve=True))  # pyright: ignore[reportArgumentType]


if __name__ == "__main__":
    main()
