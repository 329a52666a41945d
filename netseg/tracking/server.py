"""MLflow's pages on the store, served by a process of its own that ends with ours."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import URLError

from netseg.domain import Code, EnvironmentFaultError, UsageError
from netseg.tracking.store import QUIET, open_store, store_root, store_uri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger(__name__)

LOCAL, PORT = "127.0.0.1", 5000
LOG = "ui.log"
START_S, STOP_S = 180.0, 10.0


@contextmanager
def serving(
    root: Path | str | None = None, *, host: str = LOCAL, port: int = PORT
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve the store while the block runs.

    Args:
        root: The store's folder; None means the default one.
        host: Address to listen on. Nobody is asked for a password: another than this machine's own
            shows the record to everyone who reaches it, and is warned about.
        port: Port to listen on.

    Yields:
        The pages' address, which answers by now, and the process that serves them.

    Raises:
        UsageError: If `host` is no address of this machine, or `port` no port.
        EnvironmentFaultError: If MLflow or the store is missing, the port is in use, or the pages
            do not answer.
    """
    folder = store_root(root)
    open_store(folder, make=False)
    require_free(host, port)
    if not _is_loopback(host):
        logger.warning("%s is not this machine alone: whoever reaches it reads everything.", host)
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--backend-store-uri", store_uri(folder)]
    command += ["--default-artifact-root", (folder / "artifacts").as_uri()]
    command += ["--host", host, "--port", str(port)]
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, **QUIET},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches us alone, and we end it with its workers
        )
    try:
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        _wait(process, f"{address}/health", folder / LOG)
        yield address, process
    finally:
        _stop(process)


def require_free(host: str, port: int) -> None:
    """Refuse a port that somebody listens on.

    Raises:
        UsageError: If `host` is no address of this machine, or `port` no port.
        EnvironmentFaultError: If the port is in use.
    """
    if not 0 < port < 65536:
        raise UsageError(Code.CONFIG_RANGE, f"--port must lie in 1 to 65535; got {port}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise EnvironmentFaultError(
                Code.PORT_IN_USE,
                f"port {port} is kept for the system.",
                hint="Choose one from 1024 on with --port.",
            ) from error
        except socket.gaierror as error:
            raise UsageError(
                Code.CONFIG_RANGE, f"--host {host!r} is no address: {error.strerror}."
            ) from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UsageError(
                    Code.CONFIG_RANGE, f"--host {host} is no address of this machine."
                ) from error
            raise EnvironmentFaultError(
                Code.PORT_IN_USE,
                f"another program listens on port {port} of {host}.",
                hint=f"Choose another with --port, such as --port {port + 1}.",
            ) from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.2)
    raise EnvironmentFaultError(
        Code.PACKAGE_MISSING,
        f"MLflow's server did not answer ({'it ended' if process.poll() else 'too slow'}).",
        hint=f"{log} says why.",
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and its workers."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(STOP_S)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
