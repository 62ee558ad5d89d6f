"""The benchmarks and the load tool, run as their users run them."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from peers import require_peer
from program import Balancer
from running import free_port

from balancer.demo import Image

ROOT = Path(__file__).resolve().parents[2]
PATH = "/seaside/examples/counter"


def benchmarks(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m benchmarks` in the checkout, where it is at home."""
    command = [sys.executable, "-m", "benchmarks", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


def configuration(port: int, images: list[Image]) -> str:
    """The balancer before these images."""
    servers = "".join(f"    server app{n} 127.0.0.1:{image.port} cookie c{n}\n" for n, image in enumerate(images, 1))
    return (
        "defaults\n    mode http\n    timeout connect 1s\n    timeout client 5s\n    timeout server 5s\n"
        f"listen smalltalk\n    bind 127.0.0.1:{port}\n    cookie SEASIDE insert nocache\n{servers}"
    )


async def test_a_load_on_healthy_images_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    async with Image("app1", port=0) as one, Image("app2", port=0) as two:
        with Balancer(configuration(port, [one, two]), tmp_path, port=port):
            words = ["load", f"http://127.0.0.1:{port}{PATH}", "--users", "6", "--clicks", "120", "--json", str(tmp_path / "r")]
            done = await _in_thread(*words)
        report = json.loads((tmp_path / "r").read_text())
        assert (done.returncode, report["clicks"], report["errors"], report["lost"], report["moved"]) == (0, 120, {}, [], [])
        assert report["servers"] == {"c1": 3, "c2": 3}
        assert "none lost" in done.stdout
        assert one.counters.clicks + two.counters.clicks == 120


async def test_every_session_of_an_image_that_forgets_is_reported(tmp_path: Path) -> None:
    port = free_port()
    async with Image("app1", port=0) as one, Image("app2", port=0) as two:
        with Balancer(configuration(port, [one, two]), tmp_path, port=port):
            words = ["load", f"http://127.0.0.1:{port}{PATH}", "--users", "4", "--seconds", "3", "--think", "0.05"]
            running = asyncio.ensure_future(_in_thread(*words, "--json", str(tmp_path / "r")))
            while one.counters.clicks < 4:
                await asyncio.sleep(0.02)
            await one.restart()
            done = await running
        report = json.loads((tmp_path / "r").read_text())
        assert done.returncode == 1
        # Both users of that image are named: the session is gone, or the click met the restart itself.
        hit = {(each["user"], each["cookie_before"]) for each in report["lost"]}
        hit |= {(each["user"], each["cookie"]) for each in report["failures"]}
        assert [cookie for _, cookie in sorted(hit)] == ["c1", "c1"]
        assert done.stdout.count("session lost") == len(report["lost"])


async def _in_thread(*words: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(benchmarks, *words)


def test_load_does_not_leave_this_machine_unasked() -> None:
    done = benchmarks("load", "http://192.0.2.1/", "--clicks", "1")
    assert done.returncode == 1
    assert "--yes" in done.stdout


@pytest.mark.parametrize(
    "words", [("--rounds", "0"), ("--scenario", "moon"), ("load",), ("load", "http://127.0.0.1/", "--users", "-1")]
)
def test_a_wrong_argument_is_refused_with_the_usage(words: tuple[str, ...]) -> None:
    done = benchmarks(*words)
    assert done.returncode == 2
    assert "usage: python -m benchmarks" in done.stderr


def test_a_short_run_gives_figures_for_every_proxy_that_is_there(tmp_path: Path) -> None:
    require_peer("haproxy")
    done = benchmarks("--rounds", "1", "--seconds", "0.3", "--output", str(tmp_path / "r.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "r.json").read_text())
    assert set(result["scenarios"]) == {"keepalive", "connect-close"}
    for all_series in result["scenarios"].values():
        assert [series["name"] for series in all_series] == ["balancer", "haproxy", "haproxy reuse always"]
        for series in all_series:
            [figures] = series["rounds"]
            assert figures["failed"] == 0
            assert figures["rate"] > 0
            assert figures["cpu_us"] > 0
    compared = benchmarks("--compare", str(tmp_path / "r.json"), str(tmp_path / "r.json"))
    assert compared.returncode == 0
    assert compared.stdout.count("1.00") == 6
