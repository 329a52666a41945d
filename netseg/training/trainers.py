"""Where a training runs: CPU or GPU, one process or several, number format, compilation."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from netseg.domain import Code, UsageError
from netseg.tensor.compiler import compiled, compiler_found

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)

Accelerator = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerSettings:
    """What of a training depends on the machine and not on the task.

    Attributes:
        accelerator: "cpu", "cuda", or "auto": CUDA where there is one.
        devices: Processes on this machine, one per GPU; None means all GPUs.
        nodes: Machines.
        strategy: "single" for one process, "ddp" for several that average their gradients.
        precision: "bf16-mixed", "32-true", or "auto": bf16 where the hardware multiplies it
            natively, since elsewhere it is slower than fp32.
        compiled: Whether to compile the network; without a compiler it runs uncompiled.
        channels_last: Whether convolutions keep their channels innermost.
        threads: Threads of torch per process; None leaves them alone.
        workers: Processes per training process that make samples; 0 makes them between the steps.
    """

    accelerator: str = "auto"
    devices: int | None = 1
    nodes: int = 1
    strategy: str = "single"
    precision: str = "auto"
    compiled: bool = False
    channels_last: bool = True
    threads: int | None = None
    workers: int = 0

    def __post_init__(self) -> None:
        """Keep the words known and the numbers possible."""
        _require("accelerator", self.accelerator, ("auto", "cpu", "cuda"))
        _require("strategy", self.strategy, ("single", "ddp"))
        _require("precision", self.precision, ("auto", "bf16-mixed", "32-true"))
        counts = {"devices": self.devices, "nodes": self.nodes, "threads": self.threads}
        for name, count in counts.items():
            if count is not None and count < 1:
                raise ValueError(f"{name} must be 1 or more; got {count}.")
        if self.workers < 0:
            raise ValueError(f"workers must be 0 or more; got {self.workers}.")
        if self.strategy == "single" and (self.devices != 1 or self.nodes != 1):
            raise ValueError(
                f"strategy single is one process; got devices {self.devices} and nodes "
                f"{self.nodes}. trainer=ddp takes more."
            )

    def lightning_arguments(self) -> dict[str, Any]:
        """Arguments of `pytorch_lightning.Trainer`.

        Every process draws its own samples by their numbers (`sample_number`), so Lightning is told
        not to deal them.

        Raises:
            UsageError: If the machine has not the devices that are asked for.
        """
        accelerator = self._accelerator()
        devices = self._devices(accelerator)
        return {
            "accelerator": accelerator,
            "devices": devices,
            "num_nodes": self.nodes,
            "strategy": _ddp(accelerator) if self.strategy == "ddp" else "auto",
            "precision": self.chosen_precision(),
            "use_distributed_sampler": False,
        }

    def chosen_precision(self) -> str:
        """The number format in Lightning's words; depends on this machine when it is "auto"."""
        if self.precision != "auto":
            return self.precision
        return "bf16-mixed" if multiplies_bf16(self._accelerator()) else "32-true"

    def prepare(self, network: torch.nn.Module) -> torch.nn.Module:
        """Lay out and compile a network, in place: names in its state dict stay as they are.

        Args:
            network: A network, or the part of it that has the same shapes at every step. Only calls
                of the module itself are compiled, not those of its methods.

        Returns:
            The same network.
        """
        if self.channels_last:
            network.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]
        if self.compiled:
            compiled(network)
        return network

    def set_up(self) -> None:
        """Threads of this process; Lightning's advertisements are kept out of the log."""
        logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(_no_advertisement)
        if self.threads is not None:
            torch.set_num_threads(self.threads)

    def facts(self) -> dict[str, str]:
        """What was chosen on this machine, for the record."""
        accelerator = self._accelerator()
        name = torch.cuda.get_device_name(0) if accelerator == "cuda" else _cpu_name()
        return {
            "accelerator": accelerator,
            "device": name,
            "processes": str(self._devices(accelerator) * self.nodes),
            "precision": self.chosen_precision(),
            "compiled": str(self.compiled and compiler_found() is not None),
            "threads": str(torch.get_num_threads()),
            "workers": str(self.workers),
        }

    def _accelerator(self) -> Accelerator:
        if self.accelerator == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        if self.accelerator == "cuda" and not torch.cuda.is_available():
            raise UsageError(
                Code.CONFIG_RANGE,
                "trainer.accelerator=cuda was asked for; this machine has 0 CUDA devices.",
                hint="Use trainer=cpu.",
            )
        return "cuda" if self.accelerator == "cuda" else "cpu"

    def _devices(self, accelerator: Accelerator) -> int:
        there = torch.cuda.device_count() if accelerator == "cuda" else None
        if self.devices is None:
            if there is None:
                raise UsageError(
                    Code.CONFIG_RANGE,
                    "trainer.devices=null means all GPUs; this machine trains on its CPU.",
                    hint="Name the number of processes, such as trainer.devices=2.",
                )
            return there
        if there is not None and self.devices > there:
            raise UsageError(
                Code.CONFIG_RANGE,
                f"trainer.devices={self.devices} was asked for; this machine has {there} CUDA "
                "devices.",
                hint="Use trainer.devices=null for all of them.",
            )
        return self.devices


def is_first_process(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is the one that keeps the record and writes the results.

    torchrun and SLURM number all processes; Lightning starts `train.py` once more for every further
    process of a machine and numbers machines and their processes.
    """
    for name in ("RANK", "SLURM_PROCID"):
        if environment.get(name):
            return environment[name] == "0"
    return all(environment.get(name, "0") == "0" for name in ("NODE_RANK", "LOCAL_RANK"))


def multiplies_bf16(accelerator: Accelerator) -> bool:
    """Whether bf16 is faster than fp32 here: CPU with AVX-512 BF16 or AMX, GPU with bf16 cores."""
    if accelerator == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def _no_advertisement(line: logging.LogRecord) -> bool:
    return "litlogger" not in line.getMessage() and "litmodels" not in line.getMessage()


def _ddp(accelerator: Accelerator) -> Any:
    from pytorch_lightning.strategies import DDPStrategy

    backend = "nccl" if accelerator == "cuda" else "gloo"
    return DDPStrategy(process_group_backend=backend)


def _cpu_name() -> str:
    return str(torch.cpu.get_capabilities().get("cpu_name", "CPU"))


def _require(name: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        raise ValueError(f"{name} is one of {', '.join(known)}; got {word!r}.")
