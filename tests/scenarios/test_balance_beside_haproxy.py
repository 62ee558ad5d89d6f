"""Keys beside HAProxy's: both programs read the same sections, and the same keys reach the same servers, thousands of them."""

import csv
import random
import string
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from ten_servers import LAYOUTS, Client, both, differing, get

# --- keys --------------------------------------------------------------------------------------------------------------

DICE_SEED: Final = 20060923


def uri_keys(count: int) -> list[bytes]:
    """Targets of all kinds: deep ones, with and without a query, numbered ones, absolute ones."""
    dice = random.Random(DICE_SEED)
    words = string.ascii_letters + string.digits + "-._~%!$&'()*+,;=:@"
    keys = []
    for n in range(count):
        path = "".join("/" + "".join(dice.choices(words, k=dice.randint(0, 9))) for _ in range(dice.randint(1, 5)))
        query = dice.choice(["", "", "?", f"?a={n}", f"?{n}/b/c?d", "?x=/"])
        keys.append(get(dice.choice([path, path, path, f"/page/{n}", f"/{n}"]) + query))
    return keys


def absolute_keys(count: int) -> list[bytes]:
    """Absolute targets, with the port of their scheme, with another, with none, in capitals; some without a path."""
    dice = random.Random(DICE_SEED)
    keys = []
    for n in range(count):
        scheme = dice.choice(["http", "http", "https", "HTTP"])
        host = f"site{n % 7}.example.org" + dice.choice(["", ":80", ":443", ":8080"])
        path = dice.choice([f"/p/{n}/q?r={n}", f"/p/{n}", "/", ""])
        keys.append(get(f"{scheme}://{host}{path}", f"Host: {host}", "X-After: 1"))
    return keys


def host_keys(count: int) -> list[bytes]:
    """Hosts with many dots and few, with ports.

    A field follows: with `use_domain_only` HAProxy looks at the octet behind the value, too, which must not be a left-over dot.
    """
    dice = random.Random(DICE_SEED)
    hosts = [".".join("".join(dice.choices("abcdexyz019-", k=4)) for _ in range(dice.randint(1, 4))) for _ in range(count)]
    return [get("/", f"Host: {host}{dice.choice(['', '', ':8080'])}", "X-After: 1") for host in hosts]


def field_keys(count: int) -> list[bytes]:
    """A field X-User: a word, a list, quoted, empty, twice, in other letters, absent."""
    dice = random.Random(DICE_SEED)
    keys = []
    for n in range(count):
        name = dice.choice(["X-User", "x-user", "X-USER"])
        value = "".join(dice.choices(string.ascii_letters + string.digits, k=dice.randint(1, 20)))
        lines = dice.choice(
            [
                [f"{name}: {value}"],
                [f"{name}:{value}"],
                [f"{name}:  {value} \t"],
                [f"{name}: {value}, {n}"],
                [f'{name}: "{value},{n}" ; x, y'],
                [f'{name}: "{value}\\",{n}", y'],
                [f"{name}: {value}", f"{name}: {n}"],
                [f"{name}: b\u00e4r{value}"],
                [f"{name}:"],
                [f"{name}: ,{value}"],
                [f"X-Users: {value}", f"X-Use: {n}"],
            ]
        )
        keys.append(get("/", "Host: a", *lines))
    return keys


def parameter_keys(count: int) -> list[bytes]:
    """A parameter `user` at all places of the query, empty, absent, and names that only look like it."""
    dice = random.Random(DICE_SEED)
    keys = []
    for n in range(count):
        value = "".join(dice.choices(string.ascii_letters + string.digits + "%+/", k=dice.randint(1, 20)))
        query = dice.choice(
            [
                f"?user={value}",
                f"?a=b&user={value}",
                f"?user={value}&user={n}",
                f"?a&b&&user={value}&c=d",
                f"?xuser={n}&user={value}",
                f"?users={n}&use={n}",
                f"?a=1;user={value}",
                f"?user&user={value}",
                f"?x?user={n}&user={value}",
                "?user=",
                "?user",
                "?",
                "",
            ]
        )
        keys.append(get(f"/{n}{query}"))
    return keys


def form_keys(count: int) -> list[bytes]:
    """The same parameters in the bodies of POSTs, whole or in chunks; and of PUTs, which nobody looks into."""
    dice = random.Random(DICE_SEED)
    keys = []
    for n, key in enumerate(parameter_keys(count)):
        path, _, form = key.split(b" ")[1].partition(b"?")
        form = dice.choice([form, form, b"a=" + form, form.replace(b"user=", b"user= "), form.replace(b"user=", b"user=/")])
        method = b"PUT" if n % 10 == 9 else b"POST"
        head = method + b" " + path + dice.choice([b"", b"", b"", b"?user=%d" % n, b"?x"]) + b" HTTP/1.1\r\nHost: a\r\n"
        if dice.random() < 0.3 and form:
            half = len(form) // 2 + 1
            pieces = [piece for piece in (form[:half], form[half:]) if piece]
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
            keys.append(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        else:
            keys.append(head + b"Content-Length: %d\r\n\r\n" % len(form) + form)
    return keys


# --- the comparisons of keys -------------------------------------------------------------------------------------------

TYPES: Final = [
    f"{method} {function}{modifier}"
    for method in ("map-based", "consistent")
    for function in ("sdbm", "djb2", "crc32", "wt6")
    for modifier in ("", " avalanche")
]
SHORT_TYPES: Final = ("", "hash-type consistent", "hash-type map-based wt6 avalanche", "hash-type consistent djb2")

LIVING: Final = [layout for layout in LAYOUTS if layout != "dead"]

Keys = Callable[[int], list[bytes]]

# (the balance line, the line of hash-type, the layout, the keys, how many)
CASES: Final[list[tuple[str, str, str, Keys, int]]] = [
    *[("uri whole", f"hash-type {each}", "mixed" if n % 2 else "plain", uri_keys, 1000) for n, each in enumerate(TYPES)],
    *[("uri whole", f"hash-type {each}", "plain" if n % 2 else "mixed", uri_keys, 300) for n, each in enumerate(TYPES)],
    *[("uri", each, "mixed", uri_keys, 1000) for each in SHORT_TYPES[:2]],
    *[("uri", each, "equal", uri_keys, 500) for each in SHORT_TYPES[:2]],
    *[("uri", each, "one", uri_keys, 50) for each in SHORT_TYPES[:2]],
    *[("uri", each, "backup", uri_keys, 50) for each in SHORT_TYPES[:2]],
    ("uri len 7", "", "plain", uri_keys, 500),
    ("uri depth 2", "", "plain", uri_keys, 500),
    ("uri depth 1 len 5 whole", "hash-type consistent", "plain", uri_keys, 500),
    ("uri whole depth 3", "", "plain", uri_keys, 500),
    ("uri", "", "plain", absolute_keys, 200),
    ("uri path-only", "", "plain", absolute_keys, 200),
    ("uri path-only depth 1", "hash-type consistent", "plain", absolute_keys, 200),
    *[("hdr(host)", each, "plain", host_keys, 500) for each in SHORT_TYPES],
    *[("hdr(Host) use_domain_only", each, "mixed", host_keys, 500) for each in SHORT_TYPES],
    *[("hdr(X-User)", each, "mixed", field_keys, 1000) for each in SHORT_TYPES],
    *[("url_param user", each, "mixed", parameter_keys, 1000) for each in SHORT_TYPES],
    ("url_param user", "hash-type consistent", "plain", parameter_keys, 1000),
    ("hdr(host)", "", "plain", absolute_keys, 200),
    ("url_param user check_post", "", "plain", form_keys, 500),
    ("url_param user", "hash-type consistent", "mixed", form_keys, 500),
    *[(line, "option allbackups", "backup", uri_keys, 50) for line in ("uri", "static-rr", "roundrobin", "leastconn", "first")],
    ("uri", "option allbackups\n hash-type consistent", "backup", uri_keys, 50),
    # Among several backups HAProxy's static-rr takes turns; ours is the first, as the manual says of all algorithms.
    *[("static-rr", "", layout, uri_keys, 300) for layout in LIVING if layout != "backup"],
    *[("roundrobin", "", layout, uri_keys, 100) for layout in LIVING],
    *[("first", "", layout, uri_keys, 30) for layout in LIVING],
    *[("leastconn", "", layout, uri_keys, 100) for layout in LIVING],
]


def test_the_same_keys_reach_the_same_servers(tmp_path: Path) -> None:
    sections = {f"case{n}": (f"balance {line}\n {kind}", layout) for n, (line, kind, layout, _, _) in enumerate(CASES)}
    found = {}
    with both(tmp_path, sections) as (theirs, ours):
        for n, (line, kind, layout, keys, count) in enumerate(CASES):
            requests = keys(count)
            section = f"case{n}"
            others = differing(theirs.take(section, requests), ours.take(section, requests), requests)
            if others:
                found[line, kind, layout] = others
    assert found == {}, "\n".join(f"{case}: {others}" for case, others in found.items())


SOURCE_TYPES: Final = (
    "hash-type map-based",
    "hash-type map-based wt6 avalanche",
    "hash-type consistent",
    "hash-type consistent crc32",
)
SOURCE_COUNT: Final = 250


def test_the_same_addresses_reach_the_same_servers(tmp_path: Path) -> None:
    dice = random.Random(DICE_SEED)
    addresses = [f"127.{dice.randint(0, 255)}.{dice.randint(0, 255)}.{dice.randint(1, 254)}" for _ in range(SOURCE_COUNT)]
    sections = {f"case{n}": (f"balance source\n {kind}", layout) for n, (kind, layout) in enumerate(source_cases())}
    found = {}
    with both(tmp_path, sections) as sides:
        for n, case in enumerate(source_cases()):
            chosen = []
            for side in sides:
                names = []
                for address in addresses:
                    with closing(Client(side.ports[f"case{n}"], address)) as client:
                        names.append(client.take([get("/")]))
                chosen.append(names)
            others = [row for row in zip(*chosen, addresses, strict=True) if row[0] != row[1]][:5]
            if others:
                found[case] = others
    assert found == {}, "\n".join(f"{case}: {others}" for case, others in found.items())


def source_cases() -> list[tuple[str, str]]:
    """Each type of hash on both layouts."""
    return [(kind, layout) for kind in SOURCE_TYPES for layout in ("plain", "mixed")]


def test_the_statistics_name_the_same_algorithms_ids_and_weights(tmp_path: Path) -> None:
    lines = ("roundrobin", "static-rr", "leastconn", "first", "source", "uri", "url_param x", "hdr(x)")
    sections = {f"case{n}": (f"balance {line}", "mixed") for n, line in enumerate(lines)}
    told = []
    with both(tmp_path, sections) as sides:
        for side in sides:
            rows = csv.DictReader(side.ask("show stat").removeprefix("# ").splitlines())
            told.append([[row[name] for name in ("pxname", "svname", "sid", "algo", "weight")] for row in rows])
    assert told[0] == told[1]
    assert [row[3] for row in told[0] if row[1] == "BACKEND"] == [line.split()[0].split("(")[0] for line in lines]
