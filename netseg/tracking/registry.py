"""Trained models in MLflow's registry: plain files with a signature, never a pickle."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from netseg.domain import Code, EnvironmentFaultError, UsageError
from netseg.tracking.records import file_sha256
from netseg.tracking.store import open_store, store_root

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import Model
    from mlflow.types import Schema

    from netseg.tracking.records import ModelRecord, TensorRecord

logger = logging.getLogger(__name__)

CANDIDATE, CHAMPION = "candidate", "champion"
FETCHED = "fetched"
SHA256, WEIGHTS, DONE = "netseg.sha256", "netseg.weights", "netseg.registered"


def register(client: MlflowClient, run: str, record: ModelRecord) -> int:
    """Keep a model's files with its run, and register them as a version under its alias.

    The files are the weights, their card and an `MLmodel` with the signature in a flavour of our
    own: no loader of MLflow opens them.

    Args:
        client: Of the store.
        run: The run that made the weights.
        record: The model.

    Returns:
        The version; the one of before, untouched, where the run registered these weights already.

    Raises:
        EnvironmentFaultError: If the weights are not those of the record's checksum.
    """
    known = _version_of(client, run, record)
    if known is not None and DONE in known.tags:
        return int(known.version)
    version = (known or _new_version(client, run, record)).version
    client.set_registered_model_alias(record.name, record.alias, version)
    client.set_model_version_tag(record.name, version, DONE, "true")
    logger.info("model %s version %s is %s", record.name, version, record.alias)
    return int(version)


def promote(
    name: str, root: Path | str | None = None, *, source: str = CANDIDATE, to: str = CHAMPION
) -> int:
    """Give the version with one alias another: the candidate becomes the champion.

    Args:
        name: Name in the registry.
        root: The store's folder; None means the default one.
        source: The alias it has; taken away.
        to: The alias it gets; taken from the version that had it, which stays registered.

    Returns:
        The version.

    Raises:
        UsageError: If no version has the alias.
        EnvironmentFaultError: If there is no store.
    """
    client = open_store(store_root(root), make=False)
    version = _by_alias(client, name, source).version
    client.set_registered_model_alias(name, to, version)
    client.delete_registered_model_alias(name, source)
    return int(version)


def fetch_model(
    name: str, alias: str = CHAMPION, root: Path | str | None = None, into: Path | None = None
) -> Path:
    """The weights of a registered model, checked, as `netseg segment --weights` takes them.

    Args:
        name: Name in the registry.
        alias: Which version.
        root: The store's folder; None means the default one.
        into: Where to put weights and card; None means `ROOT/fetched/NAME/VERSION`.

    Returns:
        The safetensors file; its card lies beside it.

    Raises:
        UsageError: If no version has the alias.
        EnvironmentFaultError: If there is no store, or a file is missing or is not the one that was
            registered. Nothing is left in `into` then.
    """
    place = store_root(root)
    client = open_store(place, make=False)
    version = _by_alias(client, name, alias)
    folder = into or place / FETCHED / name / str(version.version)
    weights = _tag(version, WEIGHTS)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        kept = [
            _download(version, file, Path(beside))
            for file in (weights, str(Path(weights).with_suffix(".json")))
        ]
        sha256 = _tag(version, SHA256)
        _require_checksum(kept[0], sha256, f"{name} version {version.version}")
        _require_card(kept[1], sha256)
        for path in kept:
            path.replace(folder / path.name)
    return folder / weights


def _new_version(client: MlflowClient, run: str, record: ModelRecord) -> ModelVersion:
    _require_checksum(record.weights, record.sha256, "the record")
    folder = f"models/{record.sha256[:12]}"
    with tempfile.TemporaryDirectory() as place:
        description = Path(place) / "MLmodel"
        _described(run, folder, record).save(str(description))
        for path in (record.weights, record.card, description):
            client.log_artifact(run, str(path), folder)
    _make_name(client, record.name)
    source = f"{client.get_run(run).info.artifact_uri}/{folder}"
    tags = {**record.tags, SHA256: record.sha256, WEIGHTS: record.weights.name}
    return client.create_model_version(record.name, source=source, run_id=run, tags=tags)


def _described(run: str, folder: str, record: ModelRecord) -> Model:
    from mlflow.models import Model
    from mlflow.models.signature import ModelSignature

    signature = ModelSignature(inputs=_schema(record.inputs), outputs=_schema(record.outputs))
    model = Model(artifact_path=folder, run_id=run, signature=signature)
    model.flavors["netseg"] = record.to_document()
    return model


def _schema(tensors: tuple[TensorRecord, ...]) -> Schema:
    import numpy as np
    from mlflow.types import Schema, TensorSpec

    return Schema([TensorSpec(np.dtype(t.dtype), t.shape, t.name) for t in tensors])


def _version_of(client: MlflowClient, run: str, record: ModelRecord) -> ModelVersion | None:
    versions = client.search_model_versions(f"run_id = '{run}'")
    same = [v for v in versions if v.name == record.name and v.tags.get(SHA256) == record.sha256]
    return same[0] if same else None


def _make_name(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _by_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        names = ", ".join(model.name for model in client.search_registered_models()) or "none"
        raise UsageError(
            Code.WEIGHTS_MISSING,
            f"no version of the model {name!r} is called {alias!r}; registered models: {names}.",
            hint="A training registers its weights as candidate; promote() makes them champion.",
        ) from error


def _tag(version: ModelVersion, key: str) -> str:
    value = version.tags.get(key)
    if value is None or Path(value).name != value:
        raise EnvironmentFaultError(
            Code.UNSAFE_CHECKPOINT,
            f"version {version.version} of {version.name} has no usable tag {key}: another "
            "program registered it.",
            hint="netseg fetches only models that netseg registered.",
        )
    return value


def _download(version: ModelVersion, file: str, into: Path) -> Path:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        return Path(download_artifacts(artifact_uri=f"{version.source}/{file}", dst_path=str(into)))
    except (MlflowException, OSError) as error:
        raise EnvironmentFaultError(
            Code.WEIGHTS_MISSING,
            f"{file} of {version.name} version {version.version} is not in the store.",
            file=file,
            hint="Its artifacts were removed; register the weights again.",
        ) from error


def _require_checksum(path: Path, expected: str, whose: str) -> None:
    met = file_sha256(path)
    if met != expected:
        raise EnvironmentFaultError(
            Code.CORRUPT_CHECKPOINT,
            f"checksum {met[:12]}… is not the {expected[:12]}… of {whose}.",
            file=path.name,
            detail={"expected": expected, "found": met},
            hint="The file was changed since; register the weights again.",
        )


def _require_card(path: Path, sha256: str) -> None:
    """The card must speak of these weights."""
    try:
        told = json.loads(path.read_text(encoding="utf-8")).get("sha256")
    except (ValueError, AttributeError):
        told = None
    if told != sha256:
        raise EnvironmentFaultError(
            Code.CORRUPT_CHECKPOINT,
            "the model card in the store is not that of the weights.",
            file=path.name,
            hint="The file was changed since; register the weights again.",
        )
