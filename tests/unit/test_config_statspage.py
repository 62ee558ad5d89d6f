"""`stats ...` in a section: what is read, what is refused, and what is warned of."""

from pathlib import Path

import pytest
from config_files import DEFAULTS, load_text, told

from balancer.config.findings import ALERT, WARNING
from balancer.model import StatsPage


def page_of(folder: Path, words: str, section: str = "listen a\n bind 127.0.0.1:1\n", defaults: str = "") -> StatsPage:
    outcome = load_text(folder, DEFAULTS + defaults + section + words)
    assert outcome.model is not None, told(outcome, ALERT)
    page = outcome.model.frontends[-1].stats_page
    assert page is not None
    return page


def test_any_word_makes_the_page_with_haproxys_defaults(tmp_path: Path) -> None:
    page = page_of(tmp_path, " stats enable\n")
    assert (page.uri, page.realm, page.users, page.refresh_s) == (b"/haproxy?stats", "HAProxy Statistics", (), 0)
    assert page_of(tmp_path, " stats hide-version\n").hides_version


def test_the_words_are_kept(tmp_path: Path) -> None:
    page = page_of(
        tmp_path,
        " stats uri /st?x\n stats realm My\\ Realm\n stats auth ann:a:b\n stats auth bob\n stats refresh 1m\n"
        " stats scope .\n stats scope web\n stats show-node n1\n stats show-desc two words\n stats show-legends\n"
        " stats show-modules\n",
    )
    assert (page.uri, page.realm, page.refresh_s) == (b"/st?x", "My Realm", 60)
    assert page.users == (("ann", "a:b"), ("bob", ""))
    assert page.scopes == (".", "web")
    assert (page.node, page.description) == ("n1", "two words")
    assert page.shows_node and page.shows_description and page.shows_legends and page.shows_modules


def test_a_section_with_a_word_of_its_own_takes_none_of_those_of_defaults(tmp_path: Path) -> None:
    defaults = " stats uri /d\n stats refresh 5\n"
    inherited = page_of(tmp_path, "", defaults=defaults)
    own = page_of(tmp_path, " stats refresh 7\n", defaults=defaults)
    assert (inherited.uri, inherited.refresh_s) == (b"/d", 5)
    assert (own.uri, own.refresh_s) == (b"/haproxy?stats", 7)


def test_both_halves_of_a_listen_section_have_one_page(tmp_path: Path) -> None:
    outcome = load_text(tmp_path, DEFAULTS + "listen a\n bind 127.0.0.1:1\n stats enable\n")
    assert outcome.model is not None
    assert outcome.model.frontends[0].stats_page is outcome.model.backends[0].stats_page


REFUSED = (
    ("stats uri", "'stats uri' needs an URI prefix."),
    ("stats realm", "'stats realm' needs a realm name."),
    ("stats auth", "'stats auth' needs a user:password account."),
    ("stats scope", "'stats scope' needs a proxy name."),
    ("stats refresh", "'stats refresh' needs an interval."),
    ("stats refresh x", "'stats refresh'"),
    ("stats admin", "'stats admin' requires either 'if' or 'unless' followed by a condition."),
    ("stats admin TRUE", "'stats admin' requires either 'if' or 'unless' followed by a condition."),
    ("stats admin if bogus", "error detected while parsing a 'stats admin' rule : no such ACL : 'bogus'."),
    ("stats admin if { src nowhere }", "'nowhere' is not a valid IPv4 or IPv6 address"),
    ("stats http-request", "'stats http-request' expects one of allow, deny, auth"),
    ("stats http-request tarpit", "'stats http-request' expects one of allow, deny, auth"),
)


@pytest.mark.parametrize(("line", "text"), REFUSED)
def test_what_is_wrong_is_said(tmp_path: Path, line: str, text: str) -> None:
    outcome = load_text(tmp_path, DEFAULTS + f"listen a\n bind 127.0.0.1:1\n {line}\n")
    assert any(text in each for each in told(outcome, ALERT)), told(outcome, ALERT)


@pytest.mark.parametrize("line", ["stats admin if TRUE", "stats http-request allow"])
def test_rules_are_refused_in_defaults(tmp_path: Path, line: str) -> None:
    outcome = load_text(tmp_path, DEFAULTS + f" {line}\nlisten a\n bind 127.0.0.1:1\n")
    assert any("not allowed in 'defaults' section" in each for each in told(outcome, ALERT))


def test_accounts_and_rules_exclude_each_other(tmp_path: Path) -> None:
    outcome = load_text(
        tmp_path, DEFAULTS + "listen a\n bind 127.0.0.1:1\n stats auth a:b\n stats http-request deny if LOCALHOST\n"
    )
    assert any(
        "stats 'auth'/'realm' and 'http-request' can't be used at the same time" in each for each in told(outcome, ALERT)
    )


WARNED = (
    ("stats enable\n server s 127.0.0.1:2", "serves statistics beside traffic"),
    (
        "http-request use-service prometheus-exporter if { path /metrics }\n server s 127.0.0.1:2",
        "serves metrics beside traffic",
    ),
    ("stats admin if LOCALHOST", "rests on the client's address alone"),
    ("stats admin if { src 10.0.0.0/8 }", "rests on the client's address alone"),
    ("stats show-desc", "'show-desc' requires a parameter"),
    ("stats auth a:b\n stats auth a:c", "ignoring duplicated user 'a'"),
)


@pytest.mark.parametrize(("lines", "text"), WARNED)
def test_what_is_unwise_is_warned_of(tmp_path: Path, lines: str, text: str) -> None:
    outcome = load_text(tmp_path, DEFAULTS + f"listen a\n bind 127.0.0.1:1\n {lines}\n")
    assert outcome.model is not None, told(outcome, ALERT)
    assert any(text in each for each in told(outcome, WARNING)), told(outcome, WARNING)


def test_a_section_of_its_own_with_an_account_is_not_warned_of(tmp_path: Path) -> None:
    lines = "stats enable\n stats auth a:b\n stats admin if LOCALHOST\n"
    outcome = load_text(tmp_path, DEFAULTS + f"listen a\n bind 127.0.0.1:1\n {lines}\n")
    assert not told(outcome, WARNING)
