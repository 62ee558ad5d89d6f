"""What a section's words on logging come to, once all of them are known: which builder makes its lines, and when.

The plain `option httplog` has no parts: its lines are put together by `observe.accesslog`, faster than by any format.
"""

from balancer.config.drafts import LogText, ProxyDraft
from balancer.config.formats import parse_format
from balancer.config.logformats import HTTP_FORMAT
from balancer.config.logvariables import VARIABLES
from balancer.logbook import VARIABLE, Captures, LogPart, LogWords

NO_CAPTURES = Captures()


def log_words(proxy: ProxyDraft) -> LogWords:
    """Of a frontend."""
    settings = proxy.settings
    captures = proxy.captures()
    line, error, structured = settings.log_parts, _parts(settings.error_text), _parts(settings.structured_text)
    if settings.log_format == "http" and (captures != NO_CAPTURES or settings.logs_early or error or structured):
        line = parse_format(HTTP_FORMAT)
    return LogWords(
        line=line,
        error=error,
        structured=structured,
        identity=_parts(settings.identity_text),
        identity_field=settings.identity_field if settings.identity_text is not None else b"",
        captures=captures,
        is_early=settings.logs_early or (settings.log_format == "format" and not waits(settings.log_parts)),
        has_plus=settings.logs_early,
    )


def waits(parts: tuple[LogPart, ...]) -> bool:
    """Whether anything in the format can be told only when the exchange is over."""
    return any(part.kind == VARIABLE and VARIABLES[part.name].waits for part in parts)


def _parts(text: LogText | None) -> tuple[LogPart, ...]:
    return () if text is None else text.parts
