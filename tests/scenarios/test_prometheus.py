"""Prometheus scrapes a running balancer; what conf/ delivers for it is judged: scrape file, alert rules, dashboard.

Grafana itself is not started. Its panels are queries to Prometheus: each is put to a real one, with the variables filled in as
Grafana fills them, and has to be answered with series of the balancer.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from operators import Lab, laboratory, run
from peers import require_peer as find
from prometheus_client.parser import text_string_to_metric_families
from running import free_port, running, wait_until

CONF: Final = Path(__file__).resolve().parents[2] / "conf"
# What Grafana puts in the place of its variables.
VARIABLES: Final = {"$instance": ".*", "$proxy": "smalltalk|other", "$__rate_interval": "1m"}
SAMPLES: Final = re.compile(r"haproxy_[a-z0-9_]+")


def dashboard() -> dict[str, Any]:
    """The delivered one."""
    found: dict[str, Any] = json.loads((CONF / "grafana-dashboard.json").read_text())
    return found


def expressions() -> list[tuple[str, str]]:
    """(title of the panel, expression) of every query."""
    return [(panel["title"], each["expr"]) for panel in dashboard()["panels"] for each in panel.get("targets", [])]


@dataclass(frozen=True)
class Scraped:
    """A balancer, and a Prometheus that has scraped it twice."""

    lab: Lab
    port: int

    def ask(self, path: str, **words: str) -> Any:
        """The data of an answer of Prometheus' own interface."""
        query = urllib.parse.urlencode(words)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}", timeout=15) as answer:
            told = json.load(answer)
        assert told["status"] == "success", told
        return told["data"]

    def value(self, expression: str) -> list[Any]:
        """The series of an expression, now."""
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    prometheus = find("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    with laboratory(folder) as lab:
        text = (CONF / "prometheus.yml").read_text()
        text = text.replace("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s")
        text = text.replace("127.0.0.1:8081", f"127.0.0.1:{lab.ports['page']}")
        (folder / "prometheus.yml").write_text(text)
        (folder / "alerts.yml").write_text(re.sub(r"for: \w+", "for: 1s", (CONF / "alerts.yml").read_text()))
        port = free_port()
        words = [prometheus, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        with running([*words, f"--web.listen-address=127.0.0.1:{port}"], folder / "prometheus.out") as program:
            program.wait_for_port(port)
            found = Scraped(lab, port)

            def has_scraped() -> bool:
                asked = 'count_over_time(haproxy_process_uptime_seconds{job="haproxy"}[1m]) >= 2'
                try:
                    return bool(found.value(asked))
                except urllib.error.HTTPError as error:
                    assert error.code == 503, error  # it listens before it is ready
                    return False

            wait_until(has_scraped, "two scrapes", within_s=30.0, tells=program.text)
            yield found


def test_every_sample_is_kept(scraped: Scraped) -> None:
    (target,) = scraped.ask("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    with urllib.request.urlopen(scraped.lab.metrics, timeout=15) as answer:
        page = answer.read().decode()
    families = list(text_string_to_metric_families(page))
    count = sum(len(family.samples) for family in families)
    # Numbers that are none are samples, too.
    (kept,) = scraped.value('scrape_samples_scraped{job="haproxy"}')
    assert int(kept["value"][1]) == count > 500
    names = set(scraped.ask("label/__name__/values"))
    assert set(re.findall(r"(?m)^haproxy_\w+", page)) <= names


@pytest.mark.parametrize(
    ("title", "expression"), [pytest.param(*each, id=f"{each[0]} {number}") for number, each in enumerate(expressions())]
)
def test_a_query_of_the_dashboard_is_answered(scraped: Scraped, title: str, expression: str) -> None:
    known = set(scraped.ask("label/__name__/values"))
    assert set(SAMPLES.findall(expression)) <= known
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    found = scraped.value(expression)
    assert found, title
    # NaN is what has no value yet; a panel shows a gap.
    assert all(re.fullmatch(r"NaN|-?[\d.e+-]+", each["value"][1]) for each in found)


def test_the_variables_of_the_dashboard_have_values(scraped: Scraped) -> None:
    asked = [each["definition"] for each in dashboard()["templating"]["list"] if "definition" in each]
    for definition in asked:
        found = re.fullmatch(r"label_values\((.*), (\w+)\)", definition)
        assert found is not None
        match = found[1].replace("$instance", ".*")
        values = scraped.ask(f"label/{found[2]}/values", **{"match[]": match})
        assert values and (found[2] != "proxy" or {"smalltalk", "other"} <= set(values))
    assert [each["name"] for each in dashboard()["templating"]["list"]] == ["source", "instance", "proxy"]


def test_the_alerts_of_what_is_wrong_fire_and_no_others(scraped: Scraped) -> None:
    def firing() -> dict[str, str]:
        found = [each for each in scraped.ask("alerts")["alerts"] if each["state"] == "firing"]
        return {each["labels"]["alertname"]: each["annotations"]["summary"] for each in found}

    # No server of that backend has ever been there.
    awaited = {"NoServerAvailable", "ServerDown"}
    wait_until(lambda: set(firing()) == awaited, "alerts", within_s=30.0, tells=lambda: str(firing()))
    assert firing() == {
        "NoServerAvailable": "nobody has no server: every visitor gets a 503",
        "ServerDown": "nobody/gone is DOWN; its visitors have lost their sessions",
    }


def test_the_alert_rules_are_well_formed(require_peer: Callable[[str], str]) -> None:
    rules = (CONF / "alerts.yml").read_text().count("- alert:")
    assert f"SUCCESS: {rules} rules found" in run(require_peer("promtool"), "check", "rules", str(CONF / "alerts.yml"))


def test_each_alert_fires_when_it_should_and_only_then(require_peer: Callable[[str], str]) -> None:
    told = run(require_peer("promtool"), "test", "rules", str(CONF / "alerts-test.yml"))
    assert "SUCCESS" in told
    tested = set(re.findall(r"alertname: (\w+)", (CONF / "alerts-test.yml").read_text()))
    assert tested == set(re.findall(r"- alert: (\w+)", (CONF / "alerts.yml").read_text()))


def test_every_metric_of_the_alerts_exists(scraped: Scraped) -> None:
    asked = set(SAMPLES.findall((CONF / "alerts.yml").read_text()))
    assert asked <= set(scraped.ask("label/__name__/values"))
