"""The answer of our own that ends a request, and what becomes of the client's connection after it."""

from typing import TYPE_CHECKING

from balancer.http.errors import READY, ErrorPage

if TYPE_CHECKING:
    from balancer.proxy.exchange import Exchange


def own_page(exchange: "Exchange", status: int) -> ErrorPage | None:
    """The page that is due: a rule's, the monitor's, or that of the status; as `http-after-response` leaves it."""
    route = exchange.route
    page = exchange.reply or (READY if exchange.is_monitored else route.pages.get(status))
    if page is None or route.ruling is None:
        return page
    return route.ruling.dressed(exchange, page)


def send_page(exchange: "Exchange", page: ErrorPage) -> None:
    """Sends the page; the connection stays where the page, the client and the file allow it, and the request was read whole."""
    client = exchange.client
    must_close = page.always_closes or exchange.route.closes_client or exchange.services.is_stopping
    keeps = not (must_close or exchange.head.wants_close() or not exchange.upload.is_done)
    if not client.is_gone:
        head = page.keeps if keeps else page.closes
        client.send_head(head if exchange.asks_head() else head + page.body)
    client.finish(keeps)
