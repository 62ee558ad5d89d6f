"""`python -m balancer.ctl.document` prints docs/balancerctl.md, made from the commands; a test fails when it is stale."""

from collections.abc import Iterator

import click

from balancer.ctl.main import PROGRAM, command

HEAD = """# balancerctl

Made from the program's own commands by `python -m balancer.ctl.document`; a test fails when it is stale.

What a person at a terminal asks of a running balancer. It speaks over the stats socket (`stats socket PATH level admin` in the
file; to look around, `level user` is enough), finds it by `-s`, by the variable BALANCER_SOCKET or at the usual paths, and
works at a HAProxy's socket as well.

    balancerctl status                           the process and its proxies
    balancerctl servers                          the servers
    balancerctl watch                            the same, live
    balancerctl drain app3 --wait 600            no new visitors; returns when no request is in flight there
    balancerctl ready app3 --wait 30             back, and returns when it serves
    balancerctl weight app3 50%                  half of its share of new visitors
    balancerctl servers --json | jq .            for scripts

A server is `BACKEND/SERVER`, or `SERVER` where only one backend has one of that name. `eval "$(balancerctl completion bash)"`
makes the shell complete commands and the names of servers (bash, zsh, fish). On a narrow terminal a table goes without its less
needed columns; none is cut.

![balancerctl watch: the proxies and the servers with their states](balancerctl.png)

| exit status | means |
|---|---|
| 0 | done, or everything asked about serves |
| 1 | the balancer answers, and something does not serve, or did not get there in time |
| 2 | wrong words, or a name that is not there |
| 3 | nobody answers at the socket |
| 4 | the balancer refuses, in its own words |

## Commands
"""

OPTIONS_HEAD = ("| option | |", "|---|---|")


def document() -> str:
    """The whole page."""
    top = click.Context(command, info_name=PROGRAM)
    sections = "".join(_section(top, name) for name in command.list_commands(top))
    return "\n".join([HEAD + sections, "## Before any command", "", *OPTIONS_HEAD, *_rows(command), ""])


def _section(top: click.Context, name: str) -> str:
    found = command.get_command(top, name)
    assert found is not None, "the name is from the list"
    context = click.Context(found, info_name=name, parent=top)
    usage = " ".join(found.collect_usage_pieces(context)).replace("[OPTIONS] ", "").replace("[OPTIONS]", "").strip()
    lines = [f"\n### {name}\n", f"    {PROGRAM} {name} {usage}".rstrip(), "", found.help or ""]
    options = list(_rows(found))
    if options:
        lines += ["", *OPTIONS_HEAD, *options]
    return "\n".join(lines) + "\n"


def _rows(found: click.Command) -> Iterator[str]:
    for option in (each for each in found.params if isinstance(each, click.Option)):
        metavar = "" if option.is_flag else f" {option.metavar}"
        yield f"| `{', '.join(option.opts)}{metavar}` | {option.help} |"


if __name__ == "__main__":
    print(document(), end="")
