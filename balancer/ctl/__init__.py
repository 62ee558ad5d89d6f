"""`balancerctl`: what a person at a terminal asks of a running balancer, or of a HAProxy, over its stats socket.

It speaks the socket's own commands and imports nothing of the balancer, so it tells no more than any other tool could know,
and works against a HAProxy as well.
"""
