"""`track` across sections, and what is to be said of a section's checks once all of it is known.

A chain of tracking servers must end at a server with a check; HAProxy's words for what is wrong with one.
"""

from collections.abc import Sequence
from typing import Final

from balancer.config.checks import check_steps, session_notice
from balancer.config.drafts import ProxyDraft, ServerLine
from balancer.config.findings import Report
from balancer.config.keywords import nearest, suggestion
from balancer.model import CheckExpect, CheckStep

NOT_FOUND: Final = 404


def full_name(track: str, proxy: ProxyDraft) -> str:
    """`BACKEND/SERVER` of what `track` says in this section; "" for nothing."""
    return track if "/" in track or not track else f"{proxy.name}/{track}"


def check_tracking(proxy: ProxyDraft, proxies: Sequence[ProxyDraft], report: Report) -> None:
    """Refuses a `track` that leads nowhere, in a circle, or to a server whose state nobody knows."""
    for server in proxy.servers:
        if server.options.track:
            refusal = _refusal(proxy, server, proxies)
            if refusal:
                report.alert(server.origin, f"'server {proxy.name}/{server.name}' : {refusal}")


def _refusal(proxy: ProxyDraft, server: ServerLine, proxies: Sequence[ProxyDraft]) -> str:
    if server.options.check:
        return "unable to enable checks and tracking at the same time!"
    holder, found = proxy, server
    seen = {(holder.name, found.name)}
    while found.options.track:
        holder_name, _, name = full_name(found.options.track, holder).partition("/")
        following = next((each for each in proxies if each.is_backend() and each.name == holder_name), None)
        if following is None:
            near = suggestion(nearest(holder_name, [each.name for each in proxies if each.is_backend()]))
            return f"unable to find required proxy '{holder_name}' for tracking{near or '.'}"
        target = next((each for each in following.servers if each.name == name), None)
        if target is None:
            near = suggestion(nearest(name, [each.name for each in following.servers]))
            return f"unable to find required server '{name}' for tracking{near or '.'}"
        if following.settings.disables_on_404 != proxy.settings.disables_on_404:
            return f"unable to use {holder_name}/{name} for tracking: disable-on-404 option inconsistency."
        if (holder_name, name) in seen:
            return (
                f"unable to track {holder_name}/{name} as it belongs to a tracking chain looping back to {holder_name}/{name}."
            )
        seen.add((holder_name, name))
        holder, found = following, target
    if not found.options.check:
        return f"unable to use {holder.name}/{found.name} for tracking as it does not have any check nor agent enabled."
    return ""


def remark_on_checks(proxy: ProxyDraft, report: Report) -> None:
    """Says what rules do nothing, and what a check costs an image."""
    settings = proxy.settings
    if settings.check_rules and not settings.has_httpchk:
        report.warning(
            proxy.origin,
            f"{proxy.label()} '{proxy.name}' uses http-check rules without 'option httpchk', so the rules are ignored.",
        )
    if not settings.has_httpchk or not any(server.options.check for server in proxy.servers):
        return
    rules = settings.check_rules
    if any(isinstance(rule.step, CheckExpect) for rule in rules) and not any(rule.is_send for rule in rules):
        report.warning(
            proxy.origin,
            f"{proxy.label()} '{proxy.name}' : the request of the 'option httpchk' in 'defaults' is gone with the first "
            "'http-check' rule of the section : 'OPTIONS / HTTP/1.0' is sent; repeat 'option httpchk' here",
        )
    steps = check_steps(settings)
    if settings.disables_on_404 and any(_awaits_404(step) for step in steps):
        report.warning(
            proxy.origin,
            f"{proxy.label()} '{proxy.name}' : 'http-check disable-on-404' goes before 'http-check expect status 404' : each "
            "good answer takes its server out of balancing",
        )
    notice = session_notice(steps)
    if notice:
        report.notice(proxy.origin, f"{proxy.label()} '{proxy.name}' : a check by {notice}")


def _awaits_404(step: CheckStep) -> bool:
    """Whether the answer that takes a server out of balancing is the one that is expected of it."""
    if not isinstance(step, CheckExpect) or step.is_negated:
        return False
    return any(low <= NOT_FOUND <= high for low, high in step.ranges)
