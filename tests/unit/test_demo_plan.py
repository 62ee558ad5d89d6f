"""What the demonstration takes from the configuration: addresses and names, and nothing that it cannot open."""

import argparse
from pathlib import Path

import pytest

from balancer.demo import arguments
from balancer.demo.plan import Address, PlanError, PlannedImage, read_plan
from balancer.demo.runner import exit_text, printable, what_to_try

CONFIG = """
# comment
global
    log stdout format raw local0
    stats socket unix@demo.sock
frontend metrics
    bind 127.0.0.1:8081
    http-request use-service prometheus-exporter if { path /metrics }
listen smalltalk 127.0.0.1:8080,*:8090
    cookie SEASIDE insert nocache
    server app1 127.0.0.1:3001 cookie app1inst1 check  # the first
    server app2 [::1]:3002 check
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "demo.cfg"
    path.write_text(text)
    return path


def test_images_and_addresses_are_those_of_the_file(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path, CONFIG))
    assert plan.images == [
        PlannedImage("app1", Address("127.0.0.1", 3001), "app1inst1"),
        PlannedImage("app2", Address("::1", 3002), ""),
    ]
    assert plan.sites == [Address("127.0.0.1", 8080), Address("", 8090)]
    assert plan.metrics == [Address("127.0.0.1", 8081)]
    assert plan.cookie_name == "SEASIDE"


def test_delivered_configuration_has_ten_images_on_3001_to_3010() -> None:
    plan = read_plan(Path(__file__).resolve().parents[2] / "conf" / "demo.cfg")
    assert [(image.name, str(image.address)) for image in plan.images] == [
        (f"app{number}", f"127.0.0.1:{3000 + number}") for number in range(1, 11)
    ]
    assert plan.sites == [Address("127.0.0.1", 8080)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expects 'bind HOST:PORT'"),
        ("listen a\n bind 127.0.0.1:1\n", "expects 'bind HOST:PORT'"),
        (
            "listen a\n bind :1\n server b 192.0.2.1:80\n",
            "server 'b' is at 192.0.2.1:80: images are opened on the loopback only",
        ),
    ],
)
def test_what_cannot_be_demonstrated_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        read_plan(written(tmp_path, text))


def test_missing_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"cannot read .*nothing\.cfg: No such file"):
        read_plan(tmp_path / "nothing.cfg")


def test_newcomer_is_told_what_to_open_and_what_to_try(tmp_path: Path) -> None:
    text = what_to_try(read_plan(written(tmp_path, CONFIG)), "python -m balancer.demo tell")
    assert "Open  http://127.0.0.1:8080/seaside/examples/counter" in text
    assert "python -m balancer.demo tell die app2" in text
    assert "curl -s http://127.0.0.1:8081/metrics" in text


@pytest.mark.parametrize(
    ("text", "found"),
    [("3001-3003", [3001, 3002, 3003]), ("3001,3005-3006", [3001, 3005, 3006]), ("0", [0])],
)
def test_ports_are_ranges_and_lists(text: str, found: list[int]) -> None:
    assert arguments.ports(text) == found


@pytest.mark.parametrize("text", ["", "x", "70000", "3-1", "1-1000", "-1", "1-"])
def test_ports_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        arguments.ports(text)


def test_log_line_cannot_move_the_cursor() -> None:
    assert printable(b'a\tb \x1b[2J "caf\xc3\xa9" \xff\r') == 'a b ?[2J "café" \N{REPLACEMENT CHARACTER}'


@pytest.mark.parametrize(("status", "text"), [(1, "ended with status 1"), (-9, "was ended by SIGKILL")])
def test_end_of_a_process_in_words(status: int, text: str) -> None:
    assert exit_text(status) == text
