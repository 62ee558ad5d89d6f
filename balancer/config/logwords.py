"""What a section's words on logging come to, once all of them are known: which builder makes its lines, and when."""

from balancer.config.drafts import LogText, ProxyDraft
from balancer.config.logvariables import VARIABLES
from balancer.logbook import VARIABLE, LogPart, LogWords


def log_words(proxy: ProxyDraft) -> LogWords:
    """Of a frontend."""
    settings = proxy.settings
    return LogWords(
        line=settings.log_parts,
        error=_parts(settings.error_text),
        structured=_parts(settings.structured_text),
        identity=_parts(settings.identity_text),
        identity_field=settings.identity_field if settings.identity_text is not None else b"",
        captures=proxy.captures(),
        is_early=settings.logs_early or (settings.log_format == "format" and not waits(settings.log_parts)),
        has_plus=settings.logs_early,
    )


def waits(parts: tuple[LogPart, ...]) -> bool:
    """Whether anything in the format can be told only when the exchange is over."""
    return any(part.kind == VARIABLE and VARIABLES[part.name].waits for part in parts)


def _parts(text: LogText | None) -> tuple[LogPart, ...]:
    return () if text is None else text.parts
