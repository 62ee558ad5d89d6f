"""The benchmarks and the load tool, run as their users run them."""

import asyncio
import contextlib
import importlib.util
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from peers import find_peer, require_peer
from program import Balancer
from running import free_port, wait_until

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


@contextlib.asynccontextmanager
async def balancer(config: str, folder: Path, *, port: int) -> AsyncIterator[None]:
    """A balancer that serves. It is awaited in a thread: the images answer on this loop, its first request among others."""
    started = Balancer(config, folder, port=port)
    try:
        await asyncio.to_thread(started.__enter__)
        yield
    finally:
        started.__exit__()


async def test_a_load_on_healthy_images_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    async with Image("app1", port=0) as one, Image("app2", port=0) as two:
        async with balancer(configuration(port, [one, two]), tmp_path, port=port):
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
        async with balancer(configuration(port, [one, two]), tmp_path, port=port):
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


async def test_on_a_terminal_the_load_is_shown_as_it_goes(tmp_path: Path) -> None:
    async with Image("app1", port=0) as one:
        words = ["load", f"http://127.0.0.1:{one.port}{PATH}", "--users", "2", "--seconds", "1.2", "--think", "0.05"]
        shown = await asyncio.to_thread(on_a_terminal, words)
    # The head of the live table, drawn before the report.
    assert 0 < shown.find("p99.9 ms") < shown.find("latency of a click")
    assert "none lost" in shown


def on_a_terminal(words: list[str]) -> str:
    """What `python -m benchmarks` draws there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "benchmarks", *words]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        drawn = b""
        with contextlib.suppress(OSError):  # the end of a terminal is an error
            while piece := os.read(ours, 65536):
                drawn += piece
    os.close(ours)
    return drawn.decode()


def test_the_wait_behind_a_scrape_is_told_for_each_kind_of_reading() -> None:
    done = benchmarks("scrapes", "--servers", "30", "--scrapes", "2")
    assert done.returncode in (0, 1), done.stderr  # how long it is depends on the machine, and is not tested
    rows = [[cell.strip() for cell in line.strip("│\n").split("│")] for line in done.stdout.splitlines() if "│" in line]
    assert [row[0] for row in rows] == ["nothing", "metrics", "CSV", "page", "show stat", "servers state"]
    for row in rows:
        most_seen, median, judged, most = (float(row[place]) for place in (4, 5, 6, 7))
        assert 0.0 <= median <= judged <= most <= most_seen
        assert row[8] == ("within 5" if judged <= 5.0 else "over 5")
    assert all(int(row[1]) > 1 for row in rows[1:])


def test_load_does_not_leave_this_machine_unasked() -> None:
    done = benchmarks("load", "http://192.0.2.1/", "--clicks", "1")
    assert done.returncode == 1
    assert "--yes" in done.stdout


async def test_users_of_a_seaside_application_keep_their_sessions_at_a_constant_rate(tmp_path: Path) -> None:
    port = free_port()
    async with Image("app1", port=0) as one, Image("app2", port=0) as two:
        async with balancer(configuration(port, [one, two]), tmp_path, port=port):
            words = ["load", f"http://127.0.0.1:{port}{PATH}", "--application", "seaside", "--users", "5", "--clicks", "60"]
            done = await _in_thread(*words, "--rate", "120", "--json", str(tmp_path / "r"))
        report = json.loads((tmp_path / "r").read_text())
        assert (done.returncode, report["clicks"], report["errors"], report["lost"]) == (0, 60, {}, []), done.stdout
        # The last of 60 clicks at 120 a second falls due after 59/120 s, whatever comes back.
        assert report["seconds"] >= 59 / 120
        assert set(report["latency_ms"]) == {"p50", "p90", "p99", "p99.9", "max"}


async def test_a_session_of_a_seaside_application_that_is_forgotten_is_reported_lost(tmp_path: Path) -> None:
    port = free_port()
    async with Image("app1", port=0) as one:
        async with balancer(configuration(port, [one]), tmp_path, port=port):
            words = ["load", f"http://127.0.0.1:{port}{PATH}", "--application", "seaside", "--users", "1", "--seconds", "2"]
            running = asyncio.ensure_future(_in_thread(*words, "--think", "0.05", "--json", str(tmp_path / "r")))
            while one.counters.clicks < 3:
                await asyncio.sleep(0.02)
            await one.restart()
            done = await running
        report = json.loads((tmp_path / "r").read_text())
        assert done.returncode == 1
        assert len(report["lost"]) + len(report["failures"]) >= 1
        assert all(len(each["expected"]) == len(each["found"]) == 16 for each in report["lost"])


async def test_pages_of_a_list_are_visited_in_turn_and_must_have_what_is_expected(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "pages").write_text(f"# two of them\n{PATH}\n/seaside/files/WAStandardFiles/toolbar.css\n")
    async with Image("app1", port=0) as one:
        async with balancer(configuration(port, [one]), tmp_path, port=port):
            words = ["load", f"http://127.0.0.1:{port}{PATH}", "--urls", str(tmp_path / "pages"), "--users", "1"]
            words += ["--clicks", "10", "--json", str(tmp_path / "r")]
            fine = await _in_thread(*words)
            assert (fine.returncode, json.loads((tmp_path / "r").read_text())["clicks"]) == (0, 10), fine.stdout
            picky = await _in_thread(*words, "--expect", "<h1>")
            assert picky.returncode == 1
            assert "the page has not what --expect says" in picky.stdout


def test_a_list_of_pages_on_another_host_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pages").write_text("http://192.0.2.1/\n")
    done = benchmarks("load", "http://127.0.0.1:1/", "--urls", str(tmp_path / "pages"))
    assert (done.returncode, "is not on http://127.0.0.1:1" in done.stdout) == (1, True)


async def test_a_redirect_to_another_host_is_not_followed(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        done = await _in_thread("load", f"http://127.0.0.1:{port}/", "--clicks", "1", "--users", "1")
    assert (done.returncode, "leads to another host, 192.0.2.1" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        ("--rounds", "0"),
        ("--scenario", "moon"),
        ("load",),
        ("load", "http://127.0.0.1/", "--rate", "-1"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_usage(words: tuple[str, ...]) -> None:
    done = benchmarks(*words)
    assert done.returncode == 2
    assert "usage: python -m benchmarks" in done.stderr


# Every scenario in two runs beside each other, each in a network of its own; SMALL has those that all proxies pass.
SMALL = ("keepalive",)
RUNS = (
    ("bare", "keepalive-nolog", "first-visit", "connect-close", "post", "latency", "connections"),
    ("down-64k", "down-1m", "down-100m", "up-1m", "up-100m", "stream", "websocket", "idle", "servers"),
)
QUICK = ("--quick", "--seconds", "0.1")


def chosen(names: tuple[str, ...], output: Path, *words: str) -> list[str]:
    """The words of a quick run of these scenarios."""
    return [*QUICK, "--output", str(output), *words, *(word for name in names for word in ("--scenario", name))]


def result_of(done: subprocess.CompletedProcess[str], output: Path) -> list[dict[str, Any]]:
    """The scenarios that a run measured."""
    assert done.returncode == 0, done.stdout + done.stderr
    scenarios: list[dict[str, Any]] = json.loads(output.read_text())["scenarios"]
    return scenarios


async def test_every_scenario_gives_figures(tmp_path: Path) -> None:
    require_peer("haproxy")
    outputs = [tmp_path / f"{number}.json" for number in range(len(RUNS))]
    words = [chosen(names, file, "--proxy", "balancer") for names, file in zip(RUNS, outputs, strict=True)]
    done = await asyncio.gather(*(_in_thread(*each) for each in words))
    measured = [each for pair in zip(done, outputs, strict=True) for each in result_of(*pair)]
    listed = benchmarks("--list").stdout
    assert all(each["name"] in listed for each in measured)
    assert {each["family"] or each["name"] for each in measured} == {name for names in RUNS for name in names}
    for each in measured:
        [series] = each["all_series"]
        [figures] = series["rounds"]
        assert (each["name"], figures["failed"]) == (each["name"], 0)
        assert min(figures["rate"], figures["cpu_us"], figures["resident_kib"]) > 0, each


@pytest.fixture(scope="module")
def all_proxies(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a run of all proxies that are installed said, and the figures that it wrote."""
    require_peer("haproxy")
    output = tmp_path_factory.mktemp("benchmarks") / "r.json"
    done = benchmarks(*chosen(SMALL, output))
    result_of(done, output)
    return done.stdout, output


def test_every_proxy_that_is_there_is_measured(all_proxies: tuple[str, Path]) -> None:
    _, output = all_proxies
    result = json.loads(output.read_text())
    [scenario] = result["scenarios"]
    expected = ["balancer", "haproxy", "haproxy reuse always", "nginx", "aiohttp"]
    if find_peer("nginx") is None:
        expected.remove("nginx")
    assert [series["name"] for series in scenario["all_series"]] == expected
    for series in scenario["all_series"]:
        [figures] = series["rounds"]
        assert (series["name"], figures["failed"]) == (series["name"], 0)
        assert min(figures["rate"], figures["cpu_us"], figures["p99_ms"], figures["p999_ms"]) > 0
    assert {"kernel", "processor", "haproxy", "balancer"} <= set(result["machine"])
    assert any(name in result["settings"]["congestion_control"] for name in ("reno", "cubic"))


@pytest.mark.parametrize(("factor", "verdict"), [(0.5, "met"), (2.0, "missed")])
def test_the_last_table_says_which_promise_is_kept(
    all_proxies: tuple[str, Path], tmp_path: Path, factor: float, verdict: str
) -> None:
    result = json.loads(all_proxies[1].read_text())
    [scenario] = result["scenarios"]
    ours, haproxy = (next(each for each in scenario["all_series"] if each["name"] == name) for name in ("balancer", "haproxy"))
    ours["rounds"][0]["cpu_us"] = haproxy["rounds"][0]["cpu_us"] * factor
    (tmp_path / "r.json").write_text(json.dumps(result))
    shown = benchmarks("--show", str(tmp_path / "r.json"), "--markdown", str(tmp_path / "r.md"))
    assert shown.returncode == 0, shown.stderr
    [row] = [line for line in shown.stdout.splitlines() if "small GET keep-alive, browser" in line]
    cells = [cell.strip() for cell in row.strip().strip("│").split("│")]
    assert ([*cells[2:4], cells[-1]]) == ["<= 0.75", f"{factor:.2f}", verdict], cells
    assert f"| {factor:.2f} |" in (tmp_path / "r.md").read_text()
    assert "not measured" in shown.stdout


def test_two_results_are_compared(all_proxies: tuple[str, Path]) -> None:
    output = str(all_proxies[1])
    compared = benchmarks("--compare", output, output)
    assert compared.returncode == 0
    rows = [line for line in compared.stdout.splitlines() if "keepalive" in line]
    assert len(rows) >= 4
    assert all("1.00" in row for row in rows)


def test_plots_are_drawn_or_their_want_is_told(all_proxies: tuple[str, Path], tmp_path: Path) -> None:
    drawn = benchmarks("--show", str(all_proxies[1]), "--plots", str(tmp_path / "plots"))
    if importlib.util.find_spec("matplotlib") is None:
        assert (drawn.returncode, "matplotlib is not installed" in drawn.stdout) == (1, True)
    else:
        assert drawn.returncode == 0, drawn.stderr
        assert {file.name for file in (tmp_path / "plots").iterdir()} == {"ratios.png", "ratios.svg"}


def test_an_interrupted_run_leaves_no_process(tmp_path: Path) -> None:
    require_peer("haproxy")
    command = [sys.executable, "-m", "benchmarks", "--seconds", "60", "--scenario", "keepalive", "--proxy", "haproxy"]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    run = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: any("haproxy.cfg" in words for words in started_below(tmp_path)), "haproxy runs")
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
    finally:
        run.kill()
        run.wait()
    assert started_below(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def started_below(folder: Path) -> list[str]:
    """The command lines of the processes that work in that folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").resolve().is_relative_to(folder):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it has just ended, or is somebody else's
    return found
