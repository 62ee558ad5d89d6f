"""What a demonstration has to open, taken from the configuration that the balancer will read.

Each `server` line names an image, each `bind` line an address that has to be free. This is no second reader of haproxy.cfg: it
looks for the few plain words that demo.cfg uses and leaves everything else, mistakes included, to the balancer.
"""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SECTIONS: Final = ("global", "defaults", "listen", "frontend", "backend")
EXPORTER: Final = "prometheus-exporter"


class PlanError(ValueError):
    """A configuration that cannot be demonstrated; the text says why and where."""


@dataclass(frozen=True)
class Address:
    """Host and port as the configuration has them; an empty host is every address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host or '0.0.0.0'}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def url(self, path: str) -> str:
        """Where a browser on this machine finds it."""
        return f"http://{self.host if self.host not in ('', '0.0.0.0') else '127.0.0.1'}:{self.port}{path}"


@dataclass(frozen=True)
class PlannedImage:
    """One `server` line."""

    name: str
    address: Address
    cookie: str


@dataclass
class Plan:
    """The images and the balancer's addresses, in the order of the file."""

    images: list[PlannedImage] = field(default_factory=list)
    sites: list[Address] = field(default_factory=list)
    metrics: list[Address] = field(default_factory=list)
    cookie_name: str = ""


def read_plan(path: Path) -> Plan:
    """Reads the file; raises PlanError where it names no loopback image or nothing to open."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise PlanError(f"cannot read {path}: {error.strerror}") from None
    plan = Plan()
    for section in _sections(text):
        _take_section(plan, section)
    for image in plan.images:
        if not image.address.is_loopback:
            raise PlanError(f"{path}: server {image.name!r} is at {image.address}: images are opened on the loopback only")
    if not plan.images or not plan.sites:
        raise PlanError(f"{path}: expects 'bind HOST:PORT' and 'server NAME HOST:PORT' lines to demonstrate")
    return plan


def _sections(text: str) -> list[list[list[str]]]:
    sections: list[list[list[str]]] = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words and words[0] in SECTIONS:
            sections.append([words])
        elif words and sections:
            sections[-1].append(words)
    return sections


def _take_section(plan: Plan, section: list[list[str]]) -> None:
    binds: list[Address] = []
    for words in section:
        if words[0] == "bind" and len(words) > 1:
            binds += _addresses(words[1])
        elif words[0] == "listen" and len(words) > 2:
            binds += _addresses(words[2])
        elif words[0] == "cookie" and len(words) > 1:
            plan.cookie_name = words[1]
        elif words[0] == "server" and len(words) > 2:
            cookie = words[words.index("cookie", 3) + 1] if "cookie" in words[3:-1] else ""
            plan.images += [PlannedImage(words[1], address, cookie) for address in _addresses(words[2])]
    is_exporter = any(EXPORTER in words for words in section)
    (plan.metrics if is_exporter else plan.sites).extend(binds)


def _addresses(text: str) -> list[Address]:
    found: list[Address] = []
    for part in text.split(","):
        host, _, port = part.rpartition(":")
        if port.isascii() and port.isdigit() and "@" not in part:
            found.append(Address("" if host == "*" else host.strip("[]"), int(port)))
    return found
