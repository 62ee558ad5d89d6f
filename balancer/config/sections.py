"""The sections of a file: which there are, and how a line opens one."""

from typing import Final

# Sections that work, with the letter of `keywords.SECTIONS`.
PROXIES: Final[dict[str, str]] = {"defaults": "D", "frontend": "F", "listen": "L", "backend": "B"}
# Sections that HAProxy knows and that would change what is served, or run something.
REFUSED_SECTIONS: Final[dict[str, str]] = {
    "cache": "answers are not cached",
    "fcgi-app": "FastCGI is not supported yet",
    "log-forward": "log lines are not taken from others",
    "peers": "the cookie names the server, so balancers need not talk to each other",
    "program": "start the program by the system's own service manager",
    "userlist": "access is not controlled here yet; let the web server in front do it",
}
# Sections that do nothing by themselves: whatever uses them is refused where it does.
IDLE_SECTIONS: Final[dict[str, str]] = {
    "mailers": "no mail is sent; watch the log or the metrics",
    "resolvers": "names are resolved once, when the file is read",
}
# The section whose lines are error files that proxies name.
HTTP_ERRORS: Final = "http-errors"
# The section that keeps log lines in memory.
RING: Final = "ring"
ALL_SECTIONS: Final[tuple[str, ...]] = ("global", *PROXIES, HTTP_ERRORS, RING, *REFUSED_SECTIONS, *IDLE_SECTIONS)
