"""Measures the balancer beside other proxies, and lets users click through a site. See `python -m benchmarks --help`."""
