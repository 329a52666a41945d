"""`netseg ui`: pages that answer, spools that are loaded, ports and hosts that are refused."""

import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from netseg.cli.main import main
from netseg.cli.parser import parse_words
from netseg.domain import EnvironmentFaultError, UsageError
from netseg.tracking import import_spool
from netseg.tracking.server import _is_loopback, require_free

quiet = pytest.mark.filterwarnings("ignore:The ``noload`` loader")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_nobody_else_is_let_in_unless_told():
    words = parse_words(["ui"])
    assert (words.host, words.port, words.root, words.spools) == ("127.0.0.1", 5000, None, [])


def test_a_port_in_use_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentFaultError, match=f"PORT_IN_USE: another program .* {port} "):
            require_free("127.0.0.1", port)
    require_free("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("127.0.0.1", 0, "--port must lie in 1 to 65535; got 0"),
        ("127.0.0.1", 70_000, "got 70000"),
        ("192.0.2.1", 5000, r"--host 192\.0\.2\.1 is no address of this machine"),
    ],
)
def test_an_address_that_is_none_is_refused(host, port, message):
    with pytest.raises(UsageError, match=message):
        require_free(host, port)


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.1", False)]
)
def test_an_open_door_is_told_from_a_closed_one(host, local):
    assert _is_loopback(host) is local


def test_a_record_that_is_not_there_is_no_page(tmp_path, capsys):
    assert main(["ui", "--root", str(tmp_path / "typo")]) == 5
    told = capsys.readouterr().err
    assert "NO_INPUT: there is no training record in" in told
    assert "Traceback" not in told


def test_a_folder_without_spools_is_refused(tmp_path, capsys):
    assert main(["ui", "--import", str(tmp_path)]) == 2
    assert "NO_INPUT: no events.jsonl" in capsys.readouterr().err


def test_without_mlflow_the_way_is_told(tmp_path, capsys, monkeypatch):
    (tmp_path / "mlflow.db").touch()
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert main(["ui", "--root", str(tmp_path)]) == 5
    assert "PACKAGE_MISSING: mlflow is not installed. pip install mlflow" in capsys.readouterr().err


@pytest.mark.slow
@quiet
def test_spools_are_loaded_by_the_command(spool, store, capsys):
    for _ in range(2):
        assert main(["ui", "--root", str(store), "--import", str(spool.parents[1])]) == 0
        assert capsys.readouterr().out == "r: 9 events, finished\n"


@pytest.mark.slow
@quiet
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_pages_answer_and_end_when_asked(spool, store, sign):
    """200 for the page, the run's picture and the model's signature; then nobody listens."""
    run = import_spool(spool, store).run_id
    port = free_port()
    command = [sys.executable, "-c", "from netseg.cli.main import entry; entry()", "ui"]
    command += ["--root", str(store), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip()
        assert address == f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert answer.status == 200
            assert b"<html" in answer.read()
        picture = f"{address}/get-artifact?path=pictures/picture.png&run_uuid={run}"
        with urllib.request.urlopen(picture, timeout=60) as answer:
            assert answer.read() == b"a picture"
        signature = f"{address}/model-versions/get-artifact?path=MLmodel&name=toy&version=1"
        with urllib.request.urlopen(signature, timeout=60) as answer:
            assert b"tensor-spec" in answer.read()
        process.send_signal(sign)
        assert process.wait(60) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.stdout.close()
        process.stderr.close()
    require_free("127.0.0.1", port)
