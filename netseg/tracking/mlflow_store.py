"""A run's record in MLflow, written in batches; nothing that fails here stops a training."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from netseg.tracking import lookup
from netseg.tracking.lease import Lease
from netseg.tracking.origin import origin_tags, require_name
from netseg.tracking.registry import register
from netseg.tracking.seen import Seen
from netseg.tracking.spool import SpoolTracker
from netseg.tracking.store import LEASES, answering, faults, open_store, store_root, store_uri
from netseg.tracking.tracker import flat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from netseg.tracking.records import DatasetRecord, ModelRecord
    from netseg.tracking.tracker import State

logger = logging.getLogger(__name__)

BATCH = 200  # figures per write: one by one, sqlite would cost more than a training step
MOST = 1000  # figures that MLflow takes in one write
PATIENCE_S = 30.0  # older figures are written even if they are few: somebody may be looking
LONGEST_PARAM = 6000
SPARE = "spool"


class MlflowTracker:
    """Writes a run into `ROOT/mlflow.db`, or goes on with it where it is there.

    If the store fails in the middle of a run (locked, disk full, deleted), a warning is given, and
    the rest of the record goes into a spool below ROOT that can be imported into the same run.

    Attributes:
        root: The store's folder.
        uri: The store's address.
        run_id: The run in the store.
    """

    def __init__(
        self,
        root: Path | str | None = None,
        experiment: str = "netseg",
        run: str = "run",
        key: str | None = None,
        started_ms: int | None = None,
    ) -> None:
        """Open the record of a run.

        Args:
            root: The store's folder; None means the default one, see `store_root`.
            experiment: Name of the experiment.
            run: Name of the run.
            key: What tells runs of one name apart, as `run_key` gives it; None where the name does.
            started_ms: When the run began, if it began elsewhere; its origin then is not this
                machine's to tell. None means here and now.

        Raises:
            UsageError: If a name has other than plain characters.
            EnvironmentFaultError: If MLflow is missing, the folder cannot be written, or another
                process writes to this run.
        """
        self.root = store_root(root)
        self.uri = store_uri(self.root)
        self._name = {
            "experiment": require_name("experiment", experiment),
            "run": require_name("run", run),
            "key": key,
        }
        self._client = open_store(self.root)
        mark = key or run
        self._lease = Lease(self.root / LEASES / f"{experiment}.{mark}.lease")
        self._seen = Seen()
        with answering(self.root):
            number = lookup.experiment_id(self._client, experiment, self.root)
            found = lookup.run_id(self._client, number, mark)
            self.run_id = found or lookup.new_run(self._client, number, run, mark, started_ms)
            self._lease.write(self.run_id)
            self._client.update_run(self.run_id, "RUNNING")
            for metric in lookup.figures(self._client, self.run_id) if found else ():
                self._seen.fresh({metric.key: metric.value}, metric.step)
        self._held: list[tuple[dict[str, float], int, int]] = []
        self._written_s = time.monotonic()
        self._spare: SpoolTracker | None = None
        if started_ms is None:
            self.tags(origin_tags())

    def params(self, values: Mapping[str, Any]) -> None:
        """Write the settings in one go; those already known are left as they are."""
        settings = flat(values)
        self._write(lambda: self._send_params(settings), lambda spare: spare.params(settings))

    def tags(self, values: Mapping[str, str]) -> None:
        """Write tags in one go; the last word counts."""
        from mlflow.entities import RunTag

        entries = [RunTag(key, str(value)) for key, value in values.items()]
        self._write(
            lambda: self._client.log_batch(self.run_id, tags=entries),
            lambda spare: spare.tags(values),
        )

    def metrics(self, values: Mapping[str, float], step: int, *, at_ms: int | None = None) -> None:
        """Hold figures back until there are enough for one write, or half a minute has passed."""
        fresh = self._seen.fresh(values, step)
        if fresh:
            self._held.append((fresh, step, at_ms or int(time.time() * 1000)))
        waited = time.monotonic() - self._written_s
        if sum(len(held[0]) for held in self._held) >= BATCH or waited > PATIENCE_S:
            self._flush()

    def artifact(self, path: Path, folder: str = "") -> None:
        """Copy a file into the store."""
        self._write(
            lambda: self._client.log_artifact(self.run_id, str(path), folder or None),
            lambda spare: spare.artifact(path, folder),
        )

    def dataset(self, record: DatasetRecord) -> None:
        """Name the data as an input of the run, and its hash as a tag."""
        self._write(
            lambda: lookup.log_dataset(self._client, self.run_id, record),
            lambda spare: spare.dataset(record),
        )

    def model(self, record: ModelRecord) -> None:
        """Keep the weights, and register them once; done again, nothing is added."""
        self._write(
            lambda: register(self._client, self.run_id, record),
            lambda spare: spare.model(record),
        )

    def close(self, state: State = "FINISHED", *, at_ms: int | None = None) -> None:
        """Write what is held back and mark how the run ended."""
        self._flush()
        if state != "RUNNING":
            self._write(
                lambda: self._client.set_terminated(self.run_id, state, end_time=at_ms),
                lambda spare: spare.close(state, at_ms=at_ms),
            )
        if self._spare is not None:
            logger.warning(
                "part of the record lies in %s; `netseg ui --import` adds it.", self._spare.folder
            )
        self._lease.release()

    def _flush(self) -> None:
        held, self._held = self._held, []
        self._written_s = time.monotonic()
        if held:
            self._write(lambda: self._send(held), lambda spare: _tell(held, spare))

    def _send(self, held: list[tuple[dict[str, float], int, int]]) -> None:
        from mlflow.entities import Metric

        entries = [
            Metric(key, value, at_ms, step)
            for values, step, at_ms in held
            for key, value in values.items()
        ]
        for start in range(0, len(entries), MOST):
            self._client.log_batch(self.run_id, metrics=entries[start : start + MOST])

    def _send_params(self, settings: dict[str, str]) -> None:
        from mlflow.entities import Param

        known = self._client.get_run(self.run_id).data.params
        cut = {key: value[:LONGEST_PARAM] for key, value in settings.items()}
        changed = sorted(k for k, v in cut.items() if known.get(k, v) != v)
        if changed:
            logger.warning(
                "the run goes on with other settings than it began with: %s; the record keeps the "
                "first.",
                ", ".join(changed),
            )
        entries = [Param(key, value) for key, value in cut.items() if key not in known]
        for start in range(0, len(entries), 100):
            self._client.log_batch(self.run_id, params=entries[start : start + 100])

    def _write(
        self, to_store: Callable[[], object], to_spare: Callable[[SpoolTracker], None]
    ) -> None:
        """Write to the store while it answers, to the spare spool from the first failure on."""
        if self._spare is None:
            try:
                to_store()
            except (*faults(), OSError) as error:
                if lookup.is_refusal(error):
                    raise
                logger.warning("the training record failed (%s)", type(error).__name__)
                self._spare = SpoolTracker(self.root / SPARE, **self._name)
            else:
                return
        to_spare(self._spare)


def _tell(held: list[tuple[dict[str, float], int, int]], spare: SpoolTracker) -> None:
    for values, step, at_ms in held:
        spare.metrics(values, step, at_ms=at_ms)
