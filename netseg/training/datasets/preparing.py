"""A set prepared once: what is done stays done, a bad case is named and the others go on."""

from __future__ import annotations

import logging
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

from netseg.domain import Code, EnvironmentFaultError, NetsegError, Notice, StudyRejectedError
from netseg.training.datasets import cache
from netseg.training.datasets.listing import listed, wrong_set
from netseg.training.datasets.reading import Recipe, read_case

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from netseg.training.datasets.case import Layout, RawCase

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What preparing a set left behind.

    Attributes:
        entries: Folders of the prepared cases, in the order of their names.
        refused: Why a case is not among them, by its name.
        made: Cases that were prepared now.
        kept: Cases that were there already, whole.
    """

    entries: tuple[Path, ...]
    refused: Mapping[str, Notice]
    made: tuple[str, ...]
    kept: tuple[str, ...]


def prepare(
    layout: Layout,
    folder: Path,
    recipe: Recipe,
    *,
    exclude: Sequence[str] = (),
    workers: int = 0,
) -> Prepared:
    """Bring every case of a set onto cubic voxels, on the disk.

    An interrupted run goes on where it stopped: whole entries are kept, damaged ones are found by
    their hashes and made again, as are those whose files, meaning or recipe changed.

    Args:
        layout: The set.
        folder: The cache; several sets and recipes may share it.
        recipe: Voxel size and margin.
        exclude: Names of cases that are left out.
        workers: Processes beside this one; 0 works in this one.

    Returns:
        The entries, and the cases that were refused.

    Raises:
        UsageError: TRAINING_SET if the set is not what its layout says, or a name in `exclude` is
            not in it.
        EnvironmentFaultError: If the cache cannot be written or a worker was killed.
    """
    cases = _chosen(layout.cases(), exclude)
    with cache.held(folder):
        return _fill(cases, folder, recipe, workers)


def _fill(cases: Sequence[RawCase], folder: Path, recipe: Recipe, workers: int) -> Prepared:
    cache.remove_parts(folder)
    jobs, refused = _jobs(cases, recipe, folder)
    kept = tuple(job.case.name for job in jobs if cache.is_whole(job.entry, job.key))
    made: list[str] = []
    for name, notice in _done([job for job in jobs if job.case.name not in kept], workers):
        if notice is None:
            made.append(name)
        else:
            refused[name] = notice
        logger.info("%s: %s", name, "refused" if notice else "prepared")
    entries = {j.case.name: j.entry for j in jobs if j.case.name not in refused}
    twins = _twins(entries)
    for name, notice in sorted((refused | twins).items()):
        logger.warning("%s was left out: %s: %s", name, notice.code, notice.message)
    return Prepared(
        entries=tuple(entry for name, entry in entries.items() if name not in twins),
        refused=refused | twins,
        made=tuple(sorted(made)),
        kept=kept,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    case: RawCase
    recipe: Recipe
    entry: Path
    key: str


def _jobs(
    cases: Sequence[RawCase], recipe: Recipe, folder: Path
) -> tuple[list[_Job], dict[str, Notice]]:
    """What there is to do, and the cases whose files cannot even be looked at."""
    jobs: list[_Job] = []
    refused: dict[str, Notice] = {}
    for case in cases:
        try:
            key = cache.key_of(case, recipe)
        except OSError as error:
            refused[case.name] = _unreadable(error)
            continue
        entry = cache.entry_of(folder, case, key)
        jobs.append(_Job(case=case, recipe=recipe, entry=entry, key=key))
    return jobs, refused


def _chosen(cases: Sequence[RawCase], exclude: Sequence[str]) -> list[RawCase]:
    names = [case.name for case in cases]
    twice = sorted({name for name in names if names.count(name) > 1})
    absent = sorted(set(exclude) - set(names))
    where = cases[0].labels[0].path.parent if cases else None
    if where is None:
        raise StudyRejectedError(Code.TRAINING_SET, "the training set holds no case.")
    if twice:
        raise wrong_set(where, f"two cases of one name: {listed(twice)}")
    if absent:
        raise wrong_set(
            where,
            f"to be left out, and no such case: {listed(absent)}",
            hint=f"Its cases are called {listed(names[:3])}.",
        )
    return sorted((c for c in cases if c.name not in exclude), key=lambda case: case.name)


def _done(jobs: Sequence[_Job], workers: int) -> Iterator[tuple[str, Notice | None]]:
    """Name and refusal of every job as it ends."""
    if workers < 1 or len(jobs) < 2:
        for job in jobs:
            yield job.case.name, _make(job)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(_make, job): job.case.name for job in jobs}
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        except BrokenProcessPool as error:
            raise EnvironmentFaultError(
                Code.OUT_OF_MEMORY,
                f"a worker that prepared training cases was killed, with {workers} at work.",
                hint="Run again with fewer workers; whole cases are kept.",
            ) from error


def _make(job: _Job) -> Notice | None:
    """Prepare one case; a refusal of the case is returned, one of the machine is raised."""
    try:
        cache.write(job.entry, read_case(job.case, job.recipe), job.key)
    except EnvironmentFaultError:
        raise
    except NetsegError as refusal:
        return refusal.notice
    except OSError as error:
        return _unreadable(error)
    return None


def _twins(entries: Mapping[str, Path]) -> dict[str, Notice]:
    """Refuse a case whose image is, byte for byte, that of a case before it."""
    first: dict[object, str] = {}
    refused: dict[str, Notice] = {}
    for name, entry in sorted(entries.items()):
        hashes = cache.read(entry).facts.get("sha256", {})
        for sha256 in sorted(set(hashes.values())) if isinstance(hashes, dict) else []:
            if first.setdefault(sha256, name) != name:
                refused[name] = Notice(
                    code=Code.TRAINING_SET,
                    message=f"It holds the same image file as {first[sha256]}.",
                    hint="One patient under two names would be trained and scored on.",
                )
    return refused


def _unreadable(error: OSError) -> Notice:
    return Notice(
        code=Code.NO_INPUT, message=f"A file of it cannot be read: {error.strerror or 'no reason'}."
    )
