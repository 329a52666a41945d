"""Carry one study or a batch to a report.    python infer.py input=STUDY output=OUT verify=wide.

The Hydra door to what `netseg run` does; `python infer.py --help` shows every setting.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

import hydra
from omegaconf import OmegaConf

if TYPE_CHECKING:
    from omegaconf import DictConfig


@hydra.main(config_path="configs", config_name="infer", version_base="1.3")
def main(config: DictConfig) -> None:
    """Build the stations the configuration names and run them."""
    from netseg.cli.logs import set_up_logging
    from netseg.cli.main import guarded
    from netseg.cli.run_command import run

    set_up_logging(quiet=False, verbose=False, as_json=False)

    settings = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=True))
    sys.exit(guarded("infer.py", lambda: run(settings)))


if __name__ == "__main__":
    main()
