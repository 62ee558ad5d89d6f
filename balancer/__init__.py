"""A sticky-session HTTP load balancer that reads haproxy.cfg."""

__version__ = "0.1.0"
