"""Differential fuzzing of the HTTP/1.1 path, in both directions, without sockets.

An input is what a client sends on one connection, or what a server answers to one request. It goes through the proxy's own
client side and exchanges (`passage`), whole and in pieces; what comes out on the other side is read by readers that share
nothing with ours (`readers`, `plain`) and judged (`oracle`). Inputs are made of well-formed and of odd pieces (`grammar`) and
mutated (`mutate`); what once failed or stands for a family of faults lies in `tests/corpus` and is replayed by `make test`.
`make fuzz` searches for new ones (`python -m fuzz`).
"""
