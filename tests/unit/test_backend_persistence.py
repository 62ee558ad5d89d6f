"""Stickiness, row by row as original-setup 2.3 has it: whom a cookie names, and which line goes back."""

import pytest
from records import cookie_record, images, living_servers, server_record

from balancer.backend.persistence import DOWN, INVALID, NONE, VALID, Persistence
from balancer.backend.server import MAINT, Server


def three_images() -> list[Server]:
    """app1 to app3 with the cookies app1inst1 to app1inst3, and `plain` without one."""
    return living_servers(*images(3), server_record("plain"))


def goes_down(server: Server) -> None:
    """One failed check downs a server that never passed one."""
    assert server.check_failed()


# (cookie lines, server by number, 0 for balanced; letter)
TABLE: list[tuple[list[bytes], int, int]] = [
    ([], 0, NONE),
    ([b""], 0, NONE),
    ([b"a=1; b=2"], 0, NONE),
    ([b"seaside=app1inst1"], 0, NONE),
    ([b"SEASIDE=app1inst1"], 1, VALID),
    ([b"SEASIDE=app1inst2"], 2, VALID),
    ([b"SEASIDE=app1inst9"], 0, INVALID),
    ([b"SEASIDE="], 0, INVALID),
    ([b'SEASIDE="app1inst2"'], 0, INVALID),
    ([b"SEASIDE=APP1INST2"], 0, INVALID),
    ([b"SEASIDE=app1inst2x"], 0, INVALID),
    ([b"SEASIDE=app1inst"], 0, INVALID),
    ([b"SEASIDE=app1inst2~x"], 0, INVALID),
    ([b"SEASIDE=app1inst2|x"], 2, VALID),
    ([b"SEASIDE=app1inst2|LLLLL|FFFFF"], 2, VALID),
    ([b"SEASIDE=|app1inst2"], 0, INVALID),
    ([b"SEASIDE = app1inst2"], 2, VALID),
    ([b"a=1, SEASIDE=app1inst2, b=2"], 2, VALID),
    ([b'a="; SEASIDE=app1inst2; "'], 0, NONE),
    ([b"SEASIDE=nope; SEASIDE=app1inst2"], 2, VALID),
    ([b"SEASIDE=app1inst2; SEASIDE=app1inst1"], 2, VALID),
    ([b"SEASIDE=app1inst2; SEASIDE=nope"], 2, VALID),
    ([b"a=1", b"SEASIDE=app1inst2"], 2, VALID),
    ([b"SEASIDE=nope", b"SEASIDE=app1inst2"], 2, VALID),
]


@pytest.mark.parametrize(("lines", "number", "letter"), TABLE)
def test_whom_a_cookie_names(lines: list[bytes], number: int, letter: int) -> None:
    servers = three_images()
    verdict = Persistence(cookie_record(), servers).judge(lines)
    assert verdict.letter == letter
    assert verdict.server is (servers[number - 1] if number else None)


@pytest.mark.parametrize("how", ["check", "maintenance"])
@pytest.mark.parametrize(
    ("line", "number", "letter"),
    [
        (b"SEASIDE=app1inst1", 0, DOWN),
        (b"SEASIDE=nope; SEASIDE=app1inst1", 0, DOWN),
        (b"SEASIDE=app1inst1; SEASIDE=nope", 0, DOWN),
        (b"SEASIDE=app1inst1; SEASIDE=app1inst2", 2, VALID),
        (b"SEASIDE=app1inst2; SEASIDE=app1inst1", 2, VALID),
    ],
)
def test_cookie_of_a_down_server_moves_the_user(how: str, line: bytes, number: int, letter: int) -> None:
    servers = three_images()
    if how == "check":
        goes_down(servers[0])
    else:
        servers[0].admin_state = MAINT
    verdict = Persistence(cookie_record(), servers).judge([line])
    assert verdict.letter == letter
    assert verdict.server is (servers[number - 1] if number else None)


def test_a_server_of_weight_0_and_a_backup_keep_their_users() -> None:
    servers = living_servers(server_record("a", cookie=b"a", weight=0), server_record("b", cookie=b"b", backup=True))
    persistence = Persistence(cookie_record(), servers)
    for value, server in ((b"SEASIDE=a", servers[0]), (b"SEASIDE=b", servers[1])):
        verdict = persistence.judge([value])
        assert verdict.server is server
        assert persistence.insertion(server, b"GET", verdict.server) == b""


def test_of_two_servers_with_one_value_the_first_usable_one_serves() -> None:
    servers = living_servers(server_record("a", cookie=b"x"), server_record("b", cookie=b"x", backup=True))
    persistence = Persistence(cookie_record(), servers)
    assert persistence.judge([b"SEASIDE=x"]).server is servers[0]
    servers[0].admin_state = MAINT
    verdict = persistence.judge([b"SEASIDE=x"])
    assert (verdict.server, verdict.letter) == (servers[1], VALID)
    servers[1].admin_state = MAINT
    assert persistence.judge([b"SEASIDE=x"]).letter == DOWN


# --- what goes back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS"])
def test_the_inserted_line(method: bytes) -> None:
    servers = three_images()
    persistence = Persistence(cookie_record(), servers)
    assert persistence.insertion(servers[0], method, None) == b"set-cookie: SEASIDE=app1inst1; path=/\r\n"


def test_no_line_while_the_cookie_names_the_server_that_answers() -> None:
    servers = three_images()
    persistence = Persistence(cookie_record(), servers)
    assert persistence.insertion(servers[0], b"GET", servers[0]) == b""
    assert persistence.insertion(servers[1], b"GET", servers[0]) == b"set-cookie: SEASIDE=app1inst2; path=/\r\n"


def test_a_server_without_cookie_value_takes_the_cookie_away() -> None:
    servers = three_images()
    persistence = Persistence(cookie_record(), servers)
    expected = b"set-cookie: SEASIDE=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/\r\n"
    assert persistence.insertion(servers[3], b"GET", None) == expected


def test_postonly_inserts_on_post_alone() -> None:
    servers = three_images()
    persistence = Persistence(cookie_record(postonly=True), servers)
    assert persistence.insertion(servers[0], b"GET", None) == b""
    assert persistence.insertion(servers[0], b"post", None) == b""
    assert persistence.insertion(servers[0], b"POST", None) != b""
    assert persistence.insertion(servers[0], b"POST", servers[0]) == b""


@pytest.mark.parametrize(
    ("words", "tail"),
    [
        ({"domains": (b".ex.org",)}, b"; domain=.ex.org"),
        ({"domains": (b".a.org", b".b.org")}, b"; domain=.a.org; domain=.b.org"),
        ({"httponly": True}, b"; HttpOnly"),
        ({"secure": True}, b"; Secure"),
        ({"attrs": (b"SameSite=Lax", b"Priority=High")}, b"; SameSite=Lax; Priority=High"),
        (
            {"attrs": (b"SameSite=Lax",), "secure": True, "httponly": True, "domains": (b".ex.org",)},
            b"; domain=.ex.org; HttpOnly; Secure; SameSite=Lax",
        ),
    ],
)
def test_the_order_of_attributes(words: dict[str, object], tail: bytes) -> None:
    servers = three_images()
    persistence = Persistence(cookie_record(**words), servers)
    assert persistence.insertion(servers[0], b"GET", None) == b"set-cookie: SEASIDE=app1inst1; path=/" + tail + b"\r\n"


def test_the_rule_is_at_hand_for_the_exchange() -> None:
    rule = cookie_record(indirect=True, nocache=True, preserve=True)
    persistence = Persistence(rule, three_images())
    assert (persistence.name, persistence.indirect, persistence.nocache, persistence.preserve) == (b"SEASIDE", True, True, True)
    assert persistence.is_own(b"SEASIDE=x; path=/")
    assert not persistence.is_own(b"seaside=x")
