"""One MLflow store for everything: an absolute sqlite file, telemetry off."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netseg.domain import Code, EnvironmentFaultError
from netseg.tracking.tracker import flat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient

BATCH = 200  # figures per write: one by one, sqlite would cost more than a training step
LONGEST_PARAM = 6000


class MlflowTracker:
    """Writes a run into `ROOT/mlflow.db`; goes on with the run of the same name if there is one.

    Attributes:
        uri: The store's address.
        run_id: The run in the store.
    """

    def __init__(self, root: Path | str, experiment: str = "netseg", run: str = "run") -> None:
        folder = Path(root).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        self._client = _client(self.uri)
        found = self._client.get_experiment_by_name(experiment)
        if found is None:
            kept = (folder / "artifacts").as_uri()
            number = self._client.create_experiment(experiment, artifact_location=kept)
        else:
            number = found.experiment_id
        self.run_id = self._run(number, run)
        self._held: list[Any] = []

    def params(self, values: Mapping[str, Any]) -> None:
        """Write the settings in one go; those already known are left as they are."""
        from mlflow.entities import Param

        known = self._client.get_run(self.run_id).data.params
        new = {k: v for k, v in flat(values).items() if k not in known}
        entries = [Param(key, value[:LONGEST_PARAM]) for key, value in new.items()]
        for start in range(0, len(entries), 100):
            self._client.log_batch(self.run_id, params=entries[start : start + 100])

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Hold figures back until there are enough for one write."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._held += [Metric(key, float(value), now, step) for key, value in values.items()]
        if len(self._held) >= BATCH:
            self._flush()

    def artifact(self, path: Path) -> None:
        """Copy a file into the store."""
        self._client.log_artifact(self.run_id, str(path))

    def close(self) -> None:
        """Write what is held back and mark the run as finished."""
        self._flush()
        self._client.set_terminated(self.run_id, "FINISHED")

    def _flush(self) -> None:
        for start in range(0, len(self._held), 1000):
            self._client.log_batch(self.run_id, metrics=self._held[start : start + 1000])
        self._held.clear()

    def _run(self, experiment: str, name: str) -> str:
        runs = self._client.search_runs([experiment])
        same = [r for r in runs if r.info.run_name == name]
        if same:
            self._client.update_run(same[0].info.run_id, "RUNNING")
            return same[0].info.run_id
        return self._client.create_run(experiment, run_name=name).info.run_id


def _client(uri: str) -> MlflowClient:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read once, when mlflow is imported
    os.environ["DO_NOT_TRACK"] = "true"
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise EnvironmentFaultError(
            Code.CONFIG_RANGE,
            "tracking=mlflow, but mlflow is not installed.",
            hint="Use tracking=spool here and load the spool into a store later.",
        ) from error
    return MlflowClient(tracking_uri=uri)
