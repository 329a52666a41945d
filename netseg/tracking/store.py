"""Where the one store lies, and how it is opened: an absolute sqlite file, telemetry off."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from netseg.domain import Code, EnvironmentFaultError
from netseg.tracking.lease import Lease, abandoned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient

DATABASE = "mlflow.db"
ROOT_VARIABLE = "NETSEG_TRACKING"
LEASES = "leases"
MAKING_S = 120.0
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # read once, when mlflow is imported
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # seven more processes for one reader
}


def store_root(root: Path | str | None = None) -> Path:
    """The folder of the store, absolute.

    Args:
        root: Any folder; None means `$NETSEG_TRACKING` if it is set, else
            `$XDG_DATA_HOME/netseg/tracking`, else `~/.local/share/netseg/tracking`: one store,
            wherever a command is started.

    Raises:
        EnvironmentFaultError: If the machine has no home folder to put it in.
    """
    named = root or os.environ.get(ROOT_VARIABLE)
    if named:
        return Path(named).expanduser().resolve()
    shared = os.environ.get("XDG_DATA_HOME")
    try:
        share = Path(shared) if shared else Path.home() / ".local" / "share"
    except RuntimeError as error:
        raise EnvironmentFaultError(
            Code.OUTPUT_UNWRITABLE,
            "there is no home folder for the training record.",
            hint=f"Name a folder: tracking.root=FOLDER, or {ROOT_VARIABLE}=FOLDER.",
        ) from error
    return share.resolve() / "netseg" / "tracking"


def store_uri(root: Path) -> str:
    """The store's address."""
    return f"sqlite:///{root / DATABASE}"


def open_store(root: Path, *, make: bool = True) -> MlflowClient:
    """A client of the store in `root`; runs whose process died are marked as killed.

    Args:
        root: The store's folder.
        make: Whether to make a store that is not there.

    Raises:
        EnvironmentFaultError: If MLflow is not installed, or the folder cannot be written.
    """
    if not make and not (root / DATABASE).is_file():
        raise EnvironmentFaultError(
            Code.NO_INPUT,
            f"there is no training record in {root}.",
            hint="Train with tracking=mlflow, load a spool with `netseg ui --import SPOOL`, or "
            "name the folder with --root.",
        )
    require_mlflow()
    from mlflow import MlflowClient

    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise EnvironmentFaultError(
            Code.OUTPUT_UNWRITABLE,
            f"the training record cannot be written to {root}: {error.strerror}.",
            hint=f"Name a folder: tracking.root=FOLDER, or {ROOT_VARIABLE}=FOLDER.",
        ) from error
    making = Lease(root / "making.lease", patience_s=MAKING_S)  # two at a time would break it
    try:
        with answering(root):
            client = MlflowClient(tracking_uri=store_uri(root), registry_uri=store_uri(root))
            client.search_experiments(max_results=1)
            for lease, run_id in abandoned(root / LEASES):
                _mark_killed(client, run_id)
                lease.release()
    finally:
        making.release()
    return client


@contextmanager
def answering(root: Path) -> Iterator[None]:
    """Refuse to begin with a store that cannot be read or written.

    Raises:
        EnvironmentFaultError: If MLflow or its database fails inside the block.
    """
    try:
        yield
    except faults() as error:
        reason = " ".join(str(error).split())[:200]
        raise EnvironmentFaultError(
            Code.OUTPUT_UNWRITABLE,
            f"the training record {root / DATABASE} cannot be opened: {reason}.",
            hint="Train with tracking=spool and load the spool later, or name another folder.",
        ) from error


def faults() -> tuple[type[Exception], ...]:
    """What a store that fails raises."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, SQLAlchemyError)


def require_mlflow() -> None:
    """Import MLflow, with telemetry switched off before.

    Raises:
        EnvironmentFaultError: If it is not installed.
    """
    os.environ.update(QUIET)
    try:
        import mlflow as _  # noqa: F401
    except ImportError as error:
        raise EnvironmentFaultError(
            Code.PACKAGE_MISSING,
            "mlflow is not installed.",
            hint="pip install mlflow; or train with tracking=spool here and load the spool with "
            "`netseg ui --import SPOOL` on a machine that has it.",
        ) from error


def _mark_killed(client: MlflowClient, run_id: str) -> None:
    """End a run at the time of its last figure."""
    run = client.get_run(run_id)
    if run.info.status != "RUNNING":
        return
    times = [
        figure.timestamp
        for key in run.data.metrics
        for figure in client.get_metric_history(run_id, key)[-1:]
    ]
    client.set_terminated(run_id, "KILLED", end_time=max(times, default=run.info.start_time))
