"""A user's way through a site: where the next click leads, and whether the page that came is the one of his session.

Wrong stickiness never shows as an error in Seaside: the image that gets a foreign click begins a new session. It shows in the
page, as a count that is not what the user expects or as another session key, and each walk looks for it where its site has it.
"""

import html
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urljoin, urlsplit

COUNT: Final = re.compile(r"<h1>\s*(-?\d+)\s*</h1>")
PLUS: Final = re.compile(r'<a [^>]*href="([^"]+)"[^>]*>\s*\+\+\s*</a>')
LINK: Final = re.compile(r'<a [^>]*href="([^"]+)"')
SESSION_KEY: Final = "_s"
CONTINUATION_KEY: Final = "_k"


class PageError(Exception):
    """An answer that is no page of the site."""


@dataclass(frozen=True)
class Gone:
    """A session that is not the user's: what the page should have shown, and what it shows."""

    expected: str
    found: str


class Walk:
    """The common part: a site whose pages are not understood."""

    def __init__(self, url: str) -> None:
        self.url = url

    def begin(self, page: str) -> None:
        """The first page has come."""

    def next_url(self) -> str:
        """Where the next click leads."""
        return self.url

    def arrive(self, page: str) -> Gone | None:
        """The page behind it has come; what is lost, if anything is."""
        return None


class CounterWalk(Walk):
    """Clicks `++` on Seaside's counter and knows what it must show."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.count = 0
        self.link = ""

    def begin(self, page: str) -> None:
        """Whatever it shows is the beginning."""
        self.count, self.link = count_on(page), plus_on(page)

    def next_url(self) -> str:
        """`++`."""
        return urljoin(self.url, self.link)

    def arrive(self, page: str) -> Gone | None:
        """One more than before, or it is another counter."""
        expected, found = self.count + 1, count_on(page)
        self.count, self.link = found, plus_on(page)
        return None if found == expected else Gone(str(expected), str(found))


class SeasideWalk(Walk):
    """Follows any link of a Seaside application; the session key in the links must stay the user's own."""

    def __init__(self, url: str, choose: random.Random) -> None:
        super().__init__(url)
        self.choose = choose
        self.links: list[str] = []
        self.session = ""

    def begin(self, page: str) -> None:
        """Whichever session it is, it is the user's from now on."""
        self.links, self.session = seaside_links(page)

    def next_url(self) -> str:
        """One of the page's links."""
        return urljoin(self.url, self.choose.choice(self.links))

    def arrive(self, page: str) -> Gone | None:
        """The same session, or it is lost."""
        expected = self.session
        self.links, self.session = seaside_links(page)
        return None if self.session == expected else Gone(expected, self.session)


class ListWalk(Walk):
    """Visits given pages in turn. Sessions are not understood: only a cookie that changes is seen, and a pattern, if given."""

    def __init__(self, url: str, paths: list[str], pattern: re.Pattern[str] | None, start: int) -> None:
        super().__init__(url)
        self.paths = paths
        self.pattern = pattern
        self.place = start % len(paths)

    def begin(self, page: str) -> None:
        """The first page, too, has what every page must have."""
        self.arrive(page)

    def next_url(self) -> str:
        """The next of the list, the first after the last."""
        path = self.paths[self.place]
        self.place = (self.place + 1) % len(self.paths)
        return urljoin(self.url, path)

    def arrive(self, page: str) -> Gone | None:
        """A page without the pattern is an error of its own."""
        if self.pattern is not None and not self.pattern.search(page):
            raise PageError("the page has not what --expect says")
        return None


# A walk for user N.
Walks = Callable[[int], Walk]


def walks(url: str, application: str, paths: list[str], expect: str, seed: int) -> Walks:
    """How the users of a site walk: over a list where there is one, else as the application asks."""
    if paths:
        pattern = re.compile(expect) if expect else None
        return lambda number: ListWalk(url, paths, pattern, number)
    if application == "seaside":
        return lambda number: SeasideWalk(url, random.Random(seed + number))
    return lambda number: CounterWalk(url)


def count_on(page: str) -> int:
    """What the counter shows."""
    found = COUNT.search(page)
    if found is None:
        raise PageError("no count on the page")
    return int(found[1])


def plus_on(page: str) -> str:
    """Where `++` leads."""
    found = PLUS.search(page)
    if found is None:
        raise PageError("no ++ on the page")
    return html.unescape(found[1])


def seaside_links(page: str) -> tuple[list[str], str]:
    """The links that a Seaside application put on its page, and the session that they belong to."""
    links = [link for found in LINK.findall(page) if (link := html.unescape(found)) and key_in(link, CONTINUATION_KEY)]
    if not links:
        raise PageError("no link with _k on the page")
    return links, key_in(links[0], SESSION_KEY)


def key_in(link: str, key: str) -> str:
    """One of Seaside's keys in a link, empty without it."""
    return parse_qs(urlsplit(link).query).get(key, [""])[0]
