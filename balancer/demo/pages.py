"""The few pages that an image serves: the counter, the list of applications, the refusals, and the style sheet.

The counter's `<h1>` holds the count and nothing else, and its two links are named `++` and `--`, as in Seaside's own example:
load testers and tests read them. Each image has a colour of its own, so that a visitor who was moved sees it at once.
"""

from dataclasses import dataclass
from html import escape
from typing import Final

STYLE_PATH: Final = "/seaside/files/WAStandardFiles/toolbar.css"
COUNTER_PATH: Final = "/seaside/examples/counter"
HUE_STEP: Final = 137  # degrees: the golden angle keeps neighbouring images apart

STYLE: Final = """\
body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 16px/1.5 system-ui, sans-serif;
  color: #222; background: hsl(var(--hue) 45% 94%) }
main { width: min(30rem, 92vw); padding: 1.5rem 2rem; border-radius: 12px; background: #fff; text-align: center;
  border-top: 8px solid hsl(var(--hue) 60% 45%); box-shadow: 0 4px 24px hsl(var(--hue) 30% 30% / .18); box-sizing: border-box }
h1 { margin: .2em 0; font-size: 5rem; line-height: 1.1; color: hsl(var(--hue) 60% 35%); overflow-wrap: anywhere }
nav a { display: inline-block; margin: 0 .3rem; padding: .2rem 1.6rem; border-radius: 8px; text-decoration: none;
  font-size: 1.5rem; color: #fff; background: hsl(var(--hue) 60% 38%) }
nav a:hover, nav a:focus { background: hsl(var(--hue) 60% 28%) }
dl { display: grid; grid-template-columns: auto 1fr; gap: .2rem 1rem; margin: 1.6rem 0 1rem; text-align: left }
dt { color: #666 } dd { margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere }
p { color: #555; font-size: .9rem; text-align: left }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: hsl(var(--hue) 25% 12%) } main { background: #1d1f23 } dt, p { color: #aaa }
  h1 { color: hsl(var(--hue) 60% 65%) }
}
"""

PAGE: Final = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"/><title>{title}</title>'
    '<meta name="viewport" content="width=device-width"/><link rel="stylesheet" type="text/css" href="{style}"/></head>'
    '<body style="--hue:{hue}"><main>{content}</main></body></html>'
)


@dataclass(frozen=True)
class Visit:
    """What a page tells about the visit it belongs to."""

    image_name: str
    address: str
    hue: int
    session_key: str
    cookie: str  # the balancer's cookie as the image sees it, or nothing


def counter_page(visit: Visit, count: int, plus_url: str, minus_url: str) -> bytes:
    """The counter of one session."""
    cookie = escape(visit.cookie) if visit.cookie else "none yet: it comes with this page"
    content = (
        f"<h1>{count}</h1>"
        f'<nav><a href="{escape(plus_url)}">++</a>&nbsp;<a href="{escape(minus_url)}">--</a></nav>'
        f"<dl><dt>Image</dt><dd>{escape(visit.image_name)} on {escape(visit.address)}</dd>"
        f"<dt>Session</dt><dd>{escape(visit.session_key)}</dd>"
        f"<dt>Cookie</dt><dd>{cookie}</dd></dl>"
        "<p>The count lives inside this image alone. The cookie keeps you here; "
        "a private window is another visitor, on another image.</p>"
    )
    return _page(f"{visit.image_name}: {count}", visit.hue, content)


def applications_page(visit: Visit, counter_url: str) -> bytes:
    """The dispatcher's list of applications."""
    content = (
        f'<h1>Seaside</h1><nav><a href="{escape(counter_url)}">examples/counter</a></nav>'
        f"<dl><dt>Image</dt><dd>{escape(visit.image_name)} on {escape(visit.address)}</dd></dl>"
        "<p>Each request for this page opens a session: watch servers by TCP or by a file, not by this page.</p>"
    )
    return _page(f"{visit.image_name}: applications", visit.hue, content)


def not_found_page(path: str) -> bytes:
    """Seaside's words for a path without an application."""
    return (
        "<html><head><title>Internal Error</title></head><body>"
        f"<h1>Error: {escape(chr(34) + path + chr(34))} not found.</h1></body></html>"
    ).encode()


def refusal_page(title: str, reason: str) -> bytes:
    """A short page for a request that no session may answer."""
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{reason}</p></body></html>".encode()


def _page(title: str, hue: int, content: str) -> bytes:
    return PAGE.format(title=escape(title), style=STYLE_PATH, hue=hue, content=content).encode()
