"""`log` and what belongs to it: addresses, samples, hosts, tags, rings, files of states of servers."""

from pathlib import Path

import pytest
from config_files import model_of

from balancer.model import Ring


@pytest.mark.parametrize(
    ("address", "kind", "port", "path"),
    [
        ("fd@7", "fd", 7, ""),
        ("fd@2", "stderr", 0, ""),
        ("ring@buf0", "ring", 0, "buf0"),
        ("dgram+unix@/run/x", "unix", 0, "/run/x"),
        ("abns@x", "unix", 0, "\0x" + "\0" * 106),
    ],
)
def test_addresses_of_log(tmp_path: Path, address: str, kind: str, port: int, path: str) -> None:
    (log,) = model_of(tmp_path, f"global\n log {address} local0\n").process.logs
    assert (log.kind, log.port, log.path) == (kind, port, path)


def test_samples_of_log_are_put_in_order(tmp_path: Path) -> None:
    (log,) = model_of(tmp_path, "global\n log 127.0.0.1 len 80 format raw sample 5,1-3:6 local0\n").process.logs
    assert (log.length_max, log.format, log.sample, log.sample_size) == (80, "raw", ((1, 3), (5, 5)), 6)


@pytest.mark.parametrize(
    ("words", "form", "hostname"),
    [
        ("", "local", ""),
        ("format rfc3164", "rfc3164", "localhost"),
        ("format rfc5424", "rfc5424", ""),
    ],
)
@pytest.mark.parametrize("sent", ["", " log-send-hostname here\n"])
def test_a_host_that_is_sent_makes_rfc3164_of_lines_without_a_format(
    tmp_path: Path, words: str, form: str, hostname: str, sent: str
) -> None:
    (log,) = model_of(tmp_path, f"global\n log 127.0.0.1 {words} local0\n{sent}").process.logs
    if sent:
        form, hostname = form if words else "rfc3164", "here"
    assert (log.format, log.hostname) == (form, hostname)


def test_a_proxy_has_its_own_tag_and_counts_its_own_samples(tmp_path: Path) -> None:
    text = (
        "global\n log 127.0.0.1 sample 1:2 local0\n log 127.0.0.2 local0\n log-tag whole\ndefaults\n mode http\n log global\n"
        "frontend a\n bind :80\n log-tag mine\nfrontend b\n bind :81\n"
    )
    whole = model_of(tmp_path, text)
    assert [log.tag for log in whole.process.logs] == ["", ""]
    assert [(log.tag, log.owner) for log in whole.frontends[0].logs] == [("mine", "a"), ("mine", "")]
    assert [(log.tag, log.owner) for log in whole.frontends[1].logs] == [("", "b"), ("", "")]


def test_rings_are_read_wherever_they_stand(tmp_path: Path) -> None:
    text = (
        "global\n log ring@late format short local0\nring late\n description 'last lines'\n format rfc5424\n maxlen 300\n"
        " size 32768\nring plain\n"
    )
    process = model_of(tmp_path, text).process
    assert process.rings == (Ring("late", "last lines", "rfc5424", 300, 32768), Ring("plain", "plain", "raw", 16384, 16384))
    assert process.logs[0].format == "rfc5424"


@pytest.mark.parametrize(
    ("words", "path", "is_own"),
    [
        ("", "", False),
        ("load-server-state-from-file none", "", False),
        ("load-server-state-from-file global", "/states/all", False),
        ("load-server-state-from-file local", "/states/web", True),
        ("load-server-state-from-file local\n server-state-file-name use-backend-name", "/states/web", True),
        ("load-server-state-from-file local\n server-state-file-name its", "/states/its", True),
        ("load-server-state-from-file local\n server-state-file-name /else/its", "/else/its", True),
    ],
)
def test_the_file_of_states_of_a_backend(tmp_path: Path, words: str, path: str, is_own: bool) -> None:
    text = f"global\n server-state-base /states\n server-state-file all\ndefaults\n mode http\nbackend web\n {words}\n"
    (backend,) = model_of(tmp_path, text).backends
    assert (backend.state_file, backend.has_own_state_file) == (path, is_own)


def test_a_global_file_that_nobody_names_is_none(tmp_path: Path) -> None:
    (backend,) = model_of(tmp_path, "defaults\n mode http\nbackend web\n load-server-state-from-file global\n").backends
    assert backend.state_file == ""
