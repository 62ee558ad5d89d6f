"""A real Chromium, driven over its debugging protocol: pages are opened, looked at, clicked, and drawn."""

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from running import wait_until
from websockets.sync.client import ClientConnection, connect

PATIENCE_S: Final = 20.0


class Browser:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.serial = 0
        self.complaints: list[str] = []  # what the page's console was told of errors
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **words: Any) -> dict[str, Any]:
        """One command of the protocol and its answer."""
        self.serial += 1
        self.connection.send(json.dumps({"id": self.serial, "method": method, "params": words}))
        while True:
            told: dict[str, Any] = json.loads(self.connection.recv(timeout=PATIENCE_S))
            if told.get("method") == "Log.entryAdded" and told["params"]["entry"]["level"] == "error":
                self.complaints.append(told["params"]["entry"]["text"])
            if told.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(str(told["params"]["exceptionDetails"]))
            if told.get("id") == self.serial:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result

    def open(self, url: str) -> None:
        """Goes to a page and waits for it to be there."""
        self.call("Page.navigate", url=url)
        wait_until(lambda: self.get("document.readyState") == "complete" and self.get("location.href") != "about:blank", url)

    def get(self, expression: str) -> Any:
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Returns when the expression is true in the page."""
        tried = f"(() => {{ try {{ return Boolean({expression}); }} catch (error) {{ return false; }} }})()"
        wait_until(lambda: bool(self.get(tried)), expression, PATIENCE_S, lambda: str(self.get("document.body.innerText")))

    def resize(self, width: int, height: int, is_phone: bool = False) -> None:
        """Another screen."""
        words = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}
        self.call("Emulation.setDeviceMetricsOverride", **words)

    def draw(self, path: Path) -> None:
        """A picture of what is seen."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextmanager
def browser(program: str, output: Path) -> Iterator[Browser]:
    """A Chromium with one tab for the length of a `with`."""
    profile = tempfile.mkdtemp(prefix="balancer-browser-")
    command = [
        program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank",
    ]  # fmt: skip
    with output.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        told = Path(profile) / "DevToolsActivePort"
        wait_until(lambda: told.exists() and told.read_text().count("\n") > 0, "Chromium's port", PATIENCE_S, output.read_text)
        port, place = told.read_text().split("\n")[:2]
        with connect(f"ws://127.0.0.1:{port}{place}", max_size=None) as control:
            control.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
            found: dict[str, Any] = {}
            while found.get("id") != 1:
                found = json.loads(control.recv(timeout=PATIENCE_S))
        page = next(each["targetId"] for each in found["result"]["targetInfos"] if each["type"] == "page")
        with connect(f"ws://127.0.0.1:{port}/devtools/page/{page}", max_size=None) as tab:
            yield Browser(tab)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(profile, ignore_errors=True)
