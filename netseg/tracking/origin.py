"""Where a run comes from: version, commit, and the key by which a resumed run is found again."""

from __future__ import annotations

import re
import subprocess
import uuid
from pathlib import Path

import netseg
from netseg.domain import Code, UsageError

KEY_FILE = "run.key"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def run_key(folder: Path, *, resume: bool) -> str:
    """The key of the training run whose checkpoints lie in `folder`.

    Args:
        folder: Made if it is not there.
        resume: Whether the run goes on; otherwise it gets a new key.

    Returns:
        32 hexadecimal digits, kept in the folder beside the checkpoints: a run that goes on, on
        this machine or another, with MLflow or a spool, is the same run of the record.
    """
    file = folder / KEY_FILE
    if resume and file.is_file():
        return file.read_text(encoding="utf-8").strip()
    folder.mkdir(parents=True, exist_ok=True)
    key = uuid.uuid4().hex
    file.write_text(key + "\n", encoding="utf-8")
    return key


def origin_tags() -> dict[str, str]:
    """Version of netseg, and the commit where it runs from a checkout."""
    tags = {"netseg.version": netseg.__version__}
    commit = git_commit(Path(netseg.__file__).resolve().parents[1])
    if commit is not None:
        tags["mlflow.source.git.commit"] = commit
    return tags


def git_commit(checkout: Path) -> str | None:
    """The commit of a checkout, None where there is none or no git.

    A folder inside somebody else's checkout (an environment in a project's folder) is not one.
    """
    if not (checkout / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "-C", str(checkout), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def require_name(what: str, name: str) -> str:
    """A name that can be a folder's and stand in a query.

    Raises:
        UsageError: If it has other characters, or begins with a dot.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            Code.CONFIG_RANGE,
            f"{what} {name!r} must be letters, digits, '.', '_' and '-', at most 100.",
        )
    return name
