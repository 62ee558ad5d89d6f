"""Every row of `rules`: raw conversations with the program, each sent whole and octet by octet."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from program import Balancer, SyslogReceiver
from rules.cases import Request, Response
from rules.document import GROUPS, document
from rules.elsewhere import CHAPTERS
from rules.talk import RawServer, Stage
from running import free_port, is_serving, wait_until

pytestmark = pytest.mark.pure

REQUESTS = [row for group in GROUPS for row in group.rows if isinstance(row, Request)]
RESPONSES = [row for group in GROUPS for row in group.rows if isinstance(row, Response)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    port, server = free_port(), RawServer()
    with SyslogReceiver() as log:
        config = (
            f"global\n    log 127.0.0.1:{log.port} local0\n"
            "defaults\n    log global\n    mode http\n    option httplog\n    option dontlognull\n    retries 0\n"
            "    timeout connect 5s\n    timeout client 10s\n    timeout server 10s\n"
            f"listen rules\n    bind 127.0.0.1:{port}\n    server only 127.0.0.1:{server.port}\n"
        )
        with Balancer(config, tmp_path_factory.mktemp("rules")) as balancer:
            wait_until(lambda: is_serving(port), f"{balancer!r} listens")
            yield Stage(port, server, log)
    server.close()


@pytest.mark.parametrize("row", REQUESTS, ids=lambda row: row.rule)
def test_request(row: Request, stage: Stage) -> None:
    assert stage.hold(row) == []


@pytest.mark.parametrize("row", [row for row in REQUESTS if not row.goes_whole], ids=lambda row: row.rule)
def test_request_octet_by_octet(row: Request, stage: Stage) -> None:
    assert stage.hold(row, by_octet=True) == []


@pytest.mark.parametrize("row", RESPONSES, ids=lambda row: row.rule)
def test_response(row: Response, stage: Stage) -> None:
    assert stage.hold(row) == []
    if row.flags:
        assert f" {row.flags}-- " in stage.lines[0]


def test_the_document_is_made_from_the_rows() -> None:
    path = Path(__file__).resolve().parents[2] / "docs" / "http.md"
    assert path.read_text(encoding="utf-8") == document()


def test_the_tests_that_are_named_elsewhere_exist() -> None:
    folder = Path(__file__).resolve().parents[1]
    for _, rules in CHAPTERS:
        for rule in rules:
            path, _, name = rule.test.partition("::")
            assert re.search(rf"^(async )?def {name}\(", (folder / path).read_text(encoding="utf-8"), re.MULTILINE), rule.test


def test_no_two_rows_have_one_name() -> None:
    names = [row.rule for group in GROUPS for row in group.rows]
    assert len(names) == len(set(names))
