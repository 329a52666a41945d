"""Where a training runs: what is chosen, what is refused, and that two processes make one run."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from netseg.cli.registry import build
from netseg.domain import UsageError
from netseg.training import trainers
from netseg.training.ranks import sample_number
from netseg.training.trainers import TrainerSettings, is_first_process

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "trainer"


def compiling(test):
    """A test that compiles: slow, and torch's compiler imports what torch gave up."""
    return pytest.mark.slow(pytest.mark.filterwarnings("ignore:`torch.jit")(test))


@pytest.fixture
def no_gpu(monkeypatch):
    """A machine without CUDA."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.fixture
def two_gpus(monkeypatch):
    """A machine with two GPUs that multiply bf16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)


@pytest.mark.parametrize("name", ["cpu", "gpu", "ddp"])
def test_every_trainer_file_builds(name):
    settings = build(yaml.safe_load((CONFIGS / f"{name}.yaml").read_text()))
    assert isinstance(settings, TrainerSettings)
    assert settings.strategy == ("ddp" if name == "ddp" else "single")


@pytest.mark.usefixtures("two_gpus")
def test_auto_takes_the_gpu_where_there_is_one():
    assert TrainerSettings().lightning_arguments()["accelerator"] == "cuda"


@pytest.mark.usefixtures("no_gpu")
def test_auto_takes_the_cpu_where_there_is_no_gpu():
    assert TrainerSettings().lightning_arguments()["accelerator"] == "cpu"


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there_is_refused_and_not_replaced():
    with pytest.raises(UsageError, match=r"this machine has 0 CUDA devices\. Use trainer=cpu"):
        TrainerSettings(accelerator="cuda").lightning_arguments()


@pytest.mark.usefixtures("two_gpus")
def test_more_gpus_than_there_are_are_refused():
    with pytest.raises(UsageError, match=r"trainer\.devices=3 was asked for; .* has 2 CUDA"):
        TrainerSettings(devices=3, strategy="ddp").lightning_arguments()


@pytest.mark.usefixtures("two_gpus")
def test_all_gpus_are_counted_on_the_machine():
    arguments = TrainerSettings(devices=None, strategy="ddp").lightning_arguments()
    assert arguments["devices"] == 2
    assert arguments["strategy"].process_group_backend == "nccl"


@pytest.mark.usefixtures("no_gpu")
def test_all_gpus_of_a_cpu_are_no_number():
    with pytest.raises(UsageError, match="Name the number of processes"):
        TrainerSettings(devices=None, strategy="ddp").lightning_arguments()


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize(
    ("able", "precision"),
    [
        ({"avx512_bf16": True}, "bf16-mixed"),
        ({"amx_bf16": True}, "bf16-mixed"),
        ({"avx512_f": True, "avx512_bf16": False}, "32-true"),
        ({}, "32-true"),
    ],
)
def test_bf16_is_chosen_where_the_cpu_multiplies_it(monkeypatch, able, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert TrainerSettings().chosen_precision() == precision
    assert TrainerSettings(precision="32-true").chosen_precision() == "32-true"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"accelerator": "tpu"}, "accelerator is one of auto, cpu, cuda; got 'tpu'"),
        ({"precision": "16"}, "precision is one of"),
        ({"devices": 2}, "strategy single is one process; got devices 2"),
        ({"devices": 0, "strategy": "ddp"}, "devices must be 1 or more; got 0"),
        ({"threads": 0}, "threads must be 1 or more"),
        ({"workers": -1}, "workers must be 0 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainerSettings(**settings)


def test_without_a_compiler_the_network_runs_uncompiled_and_says_so(monkeypatch, caplog):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    network = TrainerSettings(compiled=True).prepare(nn.Conv3d(1, 2, 3))
    assert network._compiled_call_impl is None
    assert "no C++ compiler was found" in caplog.text


@compiling
def test_a_compiled_network_keeps_the_names_of_its_weights(monkeypatch, caplog):
    """A checkpoint of a compiled run goes on uncompiled, and the other way round."""
    monkeypatch.setattr("netseg.tensor.compiler.compiler_found", lambda: "g++")
    with caplog.at_level(logging.INFO):
        network = TrainerSettings(compiled=True).prepare(nn.Sequential(nn.Conv3d(1, 2, 3)))
    assert network._compiled_call_impl is not None
    assert list(network.state_dict()) == ["0.weight", "0.bias"]


@pytest.mark.parametrize("innermost", [True, False])
def test_channels_lie_innermost_where_asked(innermost):
    network = TrainerSettings(channels_last=innermost).prepare(nn.Conv3d(4, 8, 3))
    assert (network.weight.stride()[1] == 1) is innermost


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        ({}, True),
        ({"LOCAL_RANK": "0"}, True),
        ({"LOCAL_RANK": "1"}, False),
        ({"NODE_RANK": "1", "LOCAL_RANK": "0"}, False),
        ({"RANK": "0", "LOCAL_RANK": "0"}, True),
        ({"SLURM_PROCID": "3", "LOCAL_RANK": "0"}, False),  # first of the second machine
    ],
)
def test_one_process_keeps_the_record(environment, first):
    assert is_first_process(environment) is first


def test_batches_are_dealt_to_the_processes_like_cards():
    """Three processes, four batches of two each: every sample once, batches whole."""
    hands = [[sample_number(i, batch=2, rank=r, world=3) for i in range(8)] for r in range(3)]
    assert sorted(n for hand in hands for n in hand) == list(range(24))
    assert hands[1] == [2, 3, 8, 9, 14, 15, 20, 21]
    with pytest.raises(ValueError, match="rank must lie in 0 to 2"):
        sample_number(0, batch=2, rank=3, world=3)


DISTRIBUTED = '''
"""A linear network on samples that are functions of their numbers. argv: OUT DEVICES BATCH."""
import sys, warnings
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader
from netseg.training.ranks import sample_number
from netseg.training.trainers import TrainerSettings, is_first_process

warnings.filterwarnings("ignore")
out, devices, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.layer = torch.nn.Linear(3, 1)
        self.seen = []

    def training_step(self, sample, index):
        number, x = sample
        self.seen += number.tolist()
        return (self.layer(x) - x.sum(1, keepdim=True)).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def train_dataloader(self):
        world, rank = self.trainer.world_size, self.trainer.global_rank

        def sample(index):
            number = sample_number(index, batch=batch, rank=rank, world=world)
            generator = torch.Generator().manual_seed(number)
            return number, torch.randn(3, generator=generator)

        return DataLoader([sample(i) for i in range(6 * batch)], batch_size=batch)


settings = TrainerSettings(accelerator="cpu", devices=devices, strategy="ddp", precision="32-true")
trainer = pl.Trainer(**settings.lightning_arguments(), max_epochs=1, logger=False,
                     enable_checkpointing=False, enable_progress_bar=False)
line = Line()
trainer.fit(line)
assert is_first_process() == (trainer.global_rank == 0)
torch.save((line.seen, line.layer.weight.detach()), f"{out}/{devices}-{trainer.global_rank}.pt")
'''


@pytest.mark.slow
def test_two_processes_end_with_the_same_weights_and_those_of_one_with_twice_the_batch(tmp_path):
    """Gradients are averaged: two processes of batch 2 take the steps of one with batch 4."""
    script = tmp_path / "distributed.py"
    script.write_text(DISTRIBUTED)
    for devices, batch in ((2, 2), (1, 4)):
        command = [sys.executable, str(script), str(tmp_path), str(devices), str(batch)]
        subprocess.run(command, check=True, capture_output=True, timeout=900)
    read = {name: torch.load(tmp_path / f"{name}.pt") for name in ("2-0", "2-1", "1-0")}
    assert torch.equal(read["2-0"][1], read["2-1"][1])
    assert sorted(read["2-0"][0] + read["2-1"][0]) == read["1-0"][0] == list(range(24))
    torch.testing.assert_close(read["2-0"][1], read["1-0"][1], rtol=1e-5, atol=1e-6)


@compiling
def test_a_compiled_network_answers_as_an_uncompiled_one():
    if trainers.compiler_found() is None:
        pytest.skip("no C++ compiler: nothing to compare")
    torch.manual_seed(1)
    plain = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.LeakyReLU(), nn.Conv3d(4, 1, 1))
    x = torch.randn(1, 1, 8, 8, 8)
    with torch.no_grad():
        before = plain(x)
        after = TrainerSettings(compiled=True).prepare(plain)(x)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


DISTRIBUTED_FIT = '''
"""The real fit of a small network. argv: OUT."""
import sys, warnings
from pathlib import Path
import torch
from netseg.segment.networks import NetworkSpec
from netseg.training.fit import Schedule, fit
from netseg.training.sample import Sample
from netseg.training.steps import Curriculum, Stage
from netseg.training.trainers import TrainerSettings, is_first_process

warnings.filterwarnings("ignore")
out = Path(sys.argv[1])
seen, files = [], []


class Kept:
    def metrics(self, values, step):
        files.append(step)

    def artifact(self, path, folder=""):
        files.append(path.name)


def task(number):
    seen.append(number)
    generator = torch.Generator().manual_seed(number)
    image = torch.randn((1, 16, 16, 16), generator=generator)
    truth = (image > 0.5).float()
    return Sample(image, torch.tensor([number // 2 % 2]), truth, torch.ones_like(truth))


module = fit(
    NetworkSpec(inputs=("ct_native", "ct_portal"), filters=(4, 8, 8)),
    Curriculum((Stage(from_step=0, task=lambda: task),)),
    Schedule(steps=4, batch=2, checkpoint_every=2, pictures_every=1, warmup_steps=1),
    folder=out / "run",
    tracker=Kept(),
    resume=False,
    trainer=TrainerSettings(accelerator="cpu", devices=2, strategy="ddp", precision="32-true"),
)
rank = 0 if is_first_process() else 1
torch.save((seen, files, module.network.state_dict(), module.averaged.state_dict()),
           f"{out}/fit-{rank}.pt")
'''


@pytest.mark.slow
def test_a_network_is_trained_by_two_processes_as_one(tmp_path):
    """The same weights and averages in both; samples dealt; one of them writes the record."""
    script = tmp_path / "distributed.py"
    script.write_text(DISTRIBUTED_FIT)
    command = [sys.executable, str(script), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=900)
    first, second = (torch.load(tmp_path / f"fit-{rank}.pt") for rank in (0, 1))
    assert (first[0], second[0]) == ([0, 1, 4, 5, 8, 9, 12, 13], [2, 3, 6, 7, 10, 11, 14, 15])
    for mine, others in zip(first[2:], second[2:], strict=True):
        for name, value in mine.items():
            assert torch.equal(value, others[name]), name
    assert first[1] == ["seen_last_step0000002.png", "seen_last_step0000004.png"]
    assert second[1] == []
    assert (tmp_path / "run" / "last.ckpt").is_file()
