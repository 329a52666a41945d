"""Experiments, runs and data sets in MLflow, found or made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from netseg.tracking.records import DatasetRecord

RUN_KEY = "netseg.run_key"
LONGEST_DIGEST = 36


def experiment_id(client: MlflowClient, name: str, root: Path) -> str:
    """The experiment of a name; made with its artifacts below `root` where it is not there."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(
                name, artifact_location=(root / "artifacts" / name).as_uri()
            )
        except MlflowException:  # another process made it since
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return found.experiment_id


def run_id(client: MlflowClient, experiment: str, key: str) -> str | None:
    """The run of a key, None where there is none."""
    query = f"tags.`{RUN_KEY}` = '{key}'"
    runs = client.search_runs([experiment], filter_string=query, max_results=1)
    return runs[0].info.run_id if runs else None


def new_run(
    client: MlflowClient, experiment: str, name: str, key: str, started_ms: int | None
) -> str:
    """A new run under a name and a key."""
    run = client.create_run(experiment, start_time=started_ms, tags={RUN_KEY: key}, run_name=name)
    return run.info.run_id


def figures(client: MlflowClient, run: str) -> Iterator[Metric]:
    """Every figure a run has."""
    for key in client.get_run(run).data.metrics:
        yield from client.get_metric_history(run, key)


def log_dataset(client: MlflowClient, run: str, record: DatasetRecord) -> None:
    """Name data as an input of a run; the whole hash stands in a tag."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=record.name,
        digest=record.sha256[:LONGEST_DIGEST],
        source_type="netseg",
        source=json.dumps({"name": record.name, "sha256": record.sha256}),
        profile=json.dumps(dict(record.facts), sort_keys=True),
    )
    context = InputTag("mlflow.data.context", record.context)
    client.log_inputs(run, [DatasetInput(dataset=dataset, tags=[context])])
    client.set_tag(run, f"netseg.dataset.{record.name}", record.sha256)


def is_refusal(error: Exception) -> bool:
    """Whether the store works and says that the caller is wrong."""
    return getattr(error, "error_code", None) in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
