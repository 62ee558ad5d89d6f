"""Answers of the stats socket with what is never the same twice blotted out, so that two programs' can be compared."""

import json
import re
from typing import Any, Final

VOLATILE: Final = frozenset(
    "pid Pid Uptime Uptime_sec Start_time_sec Name Version Release_date Build_info Ulimit-n Maxsock PoolAlloc_MB PoolUsed_MB "
    "PoolAlloc_bytes PoolUsed_bytes Tasks Idle_pct CurrConns CumConns CumReq ConnRate SessRate MaxConnRate MaxSessRate "
    "TotalBytesOut BytesOutRate Jobs Listeners Run_queue Maxpipes lastchg downtime check_duration check_status status "
    "need_conn_est last_chk check_health check_desc chkfail chkdown Unstoppable_Jobs "
    "h1_total_streams h1_bytes_out rate req_rate conn_rate".split()
)


def calm(text: str) -> str:
    """The answer without what depends on the moment and on whose program it is."""
    if text.startswith('{"$schema"'):
        return json.dumps(json.loads(text))
    if text.startswith(("[{", "[[")):
        return json.dumps(calm_json(json.loads(text)))
    lines = text.split("\n")
    names: list[str] = []
    for number, line in enumerate(lines):
        if line.startswith("# pxname"):
            names = line.removeprefix("# ").split(",")
        elif names and line.count(",") == len(names) - 1:
            fields = zip(names, line.split(","), strict=True)
            lines[number] = ",".join("*" if name in VOLATILE and value else value for name, value in fields)
        else:
            lines[number] = calm_line(line)
    return "\n".join(lines)


def calm_line(line: str) -> str:
    typed = re.fullmatch(r"([FBS]\.\d+\.\d+\.)?(\d+)\.([^.]+)\.1:(\w+:\w+):(.*?)(:\".*\")?", line)
    if typed is not None:
        value = "*" if typed[3].replace(" ", "_") in VOLATILE else typed[5]
        return f"{typed[1] or ''}{typed[2]}.{typed[3]}:{typed[4]}:{value}{typed[6] or ''}"
    plain = re.fullmatch(r"([A-Z][A-Za-z_ -]*): ([^:]*|\d+d.*?)(:\".*\")?", line)
    if plain is not None and plain[1].replace(" ", "_") in VOLATILE:
        return f"{plain[1]}: *{plain[3] or ''}"
    state = line.split(" ")
    if len(state) == 25 and state[0].isdigit():
        for place in (9, 10, 11, 12, 13):  # since when, and what the last check said
            state[place] = "*"
        return " ".join(state)
    conn = line.split(" ")
    if len(conn) == 14 and "/" in conn[0]:
        conn[7] = conn[8] = "*"  # HAProxy counts its checks among the connections
        return " ".join(conn)
    return line


def calm_json(item: Any) -> Any:
    if isinstance(item, list):
        return [calm_json(each) for each in item]
    if item["field"]["name"].replace(" ", "_") in VOLATILE:
        item["value"]["value"] = "*"
    return item
