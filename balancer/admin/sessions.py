"""Commands about requests under way: who they are, and their end by command.

A session is named by a number that no other has as long as it lasts, written like HAProxy's pointers. Fields that tell of
HAProxy's inner flags are 0 here.
"""

import time
from typing import Final

from balancer.admin.servers import server_named
from balancer.admin.table import ADMIN, OPERATOR, Refusal, Talk, command
from balancer.backend.sessions import Session
from balancer.observe.info import ProcessInfo

NOT_FOUND: Final = "Session not found.\n"
NO_SUCH: Final = "No such session (use 'show sess').\n"
POINTER_EXPECTED: Final = "Session pointer expected (use 'show sess').\n"
MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
# Seconds in each unit of a duration, the largest first.
UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@command("show sess", OPERATOR, "show sess [id]", "report the list of current sessions or dump this exact session")
def _show_sess(talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    sessions = _listed(info)
    number = _number_of(words[0]) if words else 0
    if words and words[0] == "all":
        return "".join(_whole(session) for session in sessions)
    if number:
        for session in sessions:
            if session.number == number:
                return _whole(session)
        raise Refusal(NOT_FOUND)
    return "".join(_line(session) for session in sessions) + _own_line(talk)


@command("shutdown session", ADMIN, "shutdown session [id]", "kill a specific session")
def _shutdown_session(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    number = _number_of(words[0]) if words else 0
    if not number:
        raise Refusal(POINTER_EXPECTED)
    for backend in info.farm.backends[:1]:
        if backend.sessions is not None and backend.sessions.kill(number):
            return ""
    raise Refusal(NO_SUCH)


@command("shutdown sessions server", ADMIN, "shutdown sessions server <bk>/<srv>", "kill sessions on a server")
def _shutdown_sessions(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    backend, server = server_named(info, words)
    if backend.sessions is not None:
        backend.sessions.kill_at(server)
    return ""


def duration(seconds: float | None) -> str:
    """As HAProxy shows it: the two largest units, `1m5s`; nothing where nothing is waited for."""
    if seconds is None:
        return ""
    rest = int(seconds)
    for position, (size, letter) in enumerate(UNITS):
        if rest >= size:
            text = f"{rest // size}{letter}"
            below = UNITS[position + 1 : position + 2]
            fraction = rest % size // below[0][0] if below else 0
            return f"{text}{fraction}{below[0][1]}" if fraction else text
    return "0s"


def _listed(info: ProcessInfo) -> list[Session]:
    # Every backend's are those of the whole process.
    for backend in info.farm.backends[:1]:
        if backend.sessions is not None:
            return backend.sessions.listed()
    return []


def _number_of(word: str) -> int:
    """As C's strtoul with base 0; 0 for what is no number."""
    try:
        return max(0, int(word, 0)) if word.isascii() and "_" not in word else 0
    except ValueError:
        return 0


def _protocol(session: Session) -> str:
    return "tcpv6" if session.is_ipv6 else "tcpv4"


def _line(session: Session) -> str:
    exp = duration(session.expires_s)
    return (
        f"0x{session.number:x}: proto={_protocol(session)} src={session.client} fe={session.frontend} be={session.backend} "
        f"srv={session.server} ts=00 epoch=0 age={duration(session.age_s)} calls=1 rate=0 cpu=0 lat=0 "
        f"rq[f=0h,i=0,an=00h,rx={exp},wx=,ax=] rp[f=0h,i=0,an=00h,rx=,wx=,ax=] scf=[8,0h,fd={session.client_fileno}] "
        f"scb=[8,1h,fd=-1] exp={exp} rc={session.retries} c_exp=\n"
    )


def _own_line(talk: Talk) -> str:
    """The session in which it is asked, as HAProxy lists it."""
    exp = duration(talk.timeout_s)
    return (
        "0x0: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1 rate=1 cpu=0 lat=0 "
        f"rq[f=0h,i=0,an=00h,rx={exp},wx=,ax=] rp[f=0h,i=0,an=00h,rx=,wx=,ax=] scf=[8,0h,fd=-1] scb=[8,1h,fd=-1] exp={exp} "
        "rc=0 c_exp=\n"
    )


def _whole(session: Session) -> str:
    began = time.localtime(session.begun_wall)
    microseconds = int(session.begun_wall % 1 * 1_000_000)
    date = f"{began.tm_mday:02d}/{MONTHS[began.tm_mon - 1]}/{began.tm_year}:{time.strftime('%H:%M:%S', began)}"
    server = "<NONE> (id=-1)"
    if session.server_number > 0:
        server = f"{session.server} (id={session.server_number}) addr={session.server_address}"
    mode = "http" if session.backend_number > 0 else "-"
    exp = "<NEVER>" if session.expires_s is None else duration(session.expires_s)
    return (
        f"0x{session.number:x}: [{date}.{microseconds:06d}] id={session.number} proto={_protocol(session)} "
        f"source={session.client}\n"
        f"  flags=0x0, conn_retries={session.retries}, conn_exp=<NEVER> conn_et=0x000 srv_conn=(nil), "
        f"pend_pos={'0x1' if session.waits else '(nil)'} waiting={int(session.waits)} epoch=0\n"
        f"  frontend={session.frontend} (id={session.frontend_number} mode=http), listener=? (id=1) addr={session.local}\n"
        f"  backend={session.backend} (id={session.backend_number} mode={mode})\n"
        f"  server={server}\n"
        f"  task=0x{session.number:x} (state=0x00 nice=0 calls={session.requests} rate=0 exp={exp} tmask=0x1 "
        f"age={duration(session.age_s)})\n"
        f"  txn=0x{session.number:x} flags=0x0 meth=0 status=-1 req.st=MSG_{session.phase} rsp.st=MSG_{session.phase} "
        "req.f=0x00 rsp.f=0x00\n"
        f"  req=0x{session.number:x} (f=0x0 an=0x0 pipe=0 tofwd=0 total={session.octets_in})\n"
        f"  res=0x{session.number:x} (f=0x0 an=0x0 pipe=0 tofwd=0 total={session.octets_out})\n"
    )
