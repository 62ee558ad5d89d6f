"""Where state changes are told: HAProxy's event lines, with the severity that HAProxy gives them."""

from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class EventLog:
    """Receives event lines. The process gives one that writes to the proxies' log targets; tests keep the lines."""

    def event(self, severity: int, proxy_name: str, text: str) -> None:
        """Tells `text` to the log targets of that proxy; severity as in RFC 5424."""
        raise AssertionError("the process's logger writes")
