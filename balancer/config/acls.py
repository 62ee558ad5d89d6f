"""`acl` lines, and the conditions behind `if` and `unless`: names, anonymous `{ .. }`, `!`, `or` and `||`.

A name must have been declared before it is used. Several lines of one name are tests of which any is enough. Files of patterns
are read here, so before any chroot.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from balancer.config.drafts import ProxyDraft
from balancer.config.findings import Refusal
from balancer.config.keywords import Keyword, works
from balancer.config.references import keep_references, tests_of
from balancer.config.samples import check_pattern, parse_sample
from balancer.config.samplewords import FETCHES
from balancer.config.statement import Statement
from balancer.rulebook import Condition, Sample, Term, Test

PREDEFINED: Final[dict[str, tuple[str, ...]]] = {
    "TRUE": ("always_true",),
    "FALSE": ("always_false",),
    "LOCALHOST": ("src", "127.0.0.1/8", "::1"),
    "HTTP": ("always_true",),
    "HTTP_1.0": ("req.ver", "1.0"),
    "HTTP_1.1": ("req.ver", "1.1"),
    "HTTP_2.0": ("req.ver", "2.0"),
    "HTTP_CONTENT": ("req.hdr_val(content-length)", "gt", "0"),
    "HTTP_URL_ABS": ("url_reg", "^[^/:]*://"),
    "HTTP_URL_SLASH": ("url_beg", "/"),
    "HTTP_URL_STAR": ("url", "*"),
    "METH_CONNECT": ("method", "CONNECT"),
    "METH_DELETE": ("method", "DELETE"),
    "METH_GET": ("method", "GET", "HEAD"),
    "METH_HEAD": ("method", "HEAD"),
    "METH_OPTIONS": ("method", "OPTIONS"),
    "METH_POST": ("method", "POST"),
    "METH_PUT": ("method", "PUT"),
    "METH_TRACE": ("method", "TRACE"),
}
MATCHES: Final = ("found", "bool", "int", "ip", "str", "beg", "end", "sub", "dir", "dom", "len", "reg", "bin")
BY_KIND: Final[dict[str, str]] = {"bool": "bool", "int": "int", "addr": "ip", "str": "str", "any": "str"}
NUMBER_MAX: Final = 2**63 - 1
OPERATORS: Final = ("eq", "ge", "gt", "le", "lt")
FILE_OCTETS_MAX: Final = 1 << 26


def parse_acl(proxy: ProxyDraft, statement: Statement) -> None:
    """One `acl NAME FETCH .. PATTERN ..` line."""
    refuse_anonymous(proxy, statement)
    words = statement.arguments
    if not words:
        raise Refusal("'acl' expects a name and a fetch method (got nothing)")
    name = words[0]
    subject = f"error detected while parsing ACL '{name}' :"
    if name.lower() in ("or", "and") and name.lower() == "or":
        raise Refusal(f"acl name '{name}' will never match. 'or' is used to express a disjunction within a condition.")
    for char in name:
        if not (char.isascii() and (char.isalnum() or char in "_-.:")):
            raise Refusal(f"character '{char}' is not permitted in acl name '{name}'.")
    try:
        test = parse_test(words[1:])
    except Refusal as refusal:
        raise Refusal(f"{subject} {refusal}") from refusal
    proxy.acls.setdefault(name, []).append(test)
    keep_references(proxy, statement, (test,))
    if not test.octets and not test.ranges and not test.networks and test.match not in ("found", "bool") and "--" not in words:
        statement.warn(
            f"acl keyword '{words[1]}' : no pattern to match against were provided, so this ACL will never match. If this is "
            "what you intended, please add '--' to get rid of this warning. If you intended to match only for existence, "
            "please use '-m found'."
        )


def refuse_anonymous(proxy: ProxyDraft, statement: Statement) -> None:
    """Rules of a `defaults` section want it to have a name."""
    if proxy.letter == "D" and not proxy.name:
        raise Refusal(f"'{statement.keyword}' not allowed in anonymous 'defaults' section.")


def parse_test(words: Sequence[str]) -> Test:
    """A fetch, flags and patterns."""
    if not words or not words[0]:
        raise Refusal("missing fetch method in ACL expression ''.")
    sample = parse_sample(words[0])
    row = FETCHES[sample.fetch.name]
    match = row.match if row.match and not sample.converters else BY_KIND[sample.kind]
    is_chosen = sample.kind != "any"
    if match == "meth":
        match = "str"
    rest = list(words[1:])
    patterns: list[str] = []
    ignores_case = False
    while rest and rest[0].startswith("-") and len(rest[0]) > 1 and not rest[0][1:2].isdigit():
        flag = rest.pop(0)
        if flag == "--":
            break
        if flag == "-i":
            ignores_case = True
        elif flag == "-n" or flag == "-M":
            if flag == "-M":
                raise Refusal("'-M' is not supported : maps are not, write the cases as conditions")
        elif flag == "-m" and rest:
            match = _match(rest.pop(0))
            is_chosen = True
        elif flag == "-f" and rest:
            patterns += _patterns_of(rest.pop(0))
        elif flag == "-u" and rest:
            rest.pop(0)
        else:
            raise Refusal(f"'{flag}' is not a valid ACL option. Please use '--' before any pattern beginning with a '-'.")
    if not is_chosen:
        name = sample.fetch.name
        raise Refusal(
            f"matching method must be specified first (using '-m') when using a sample fetch of this type ('{name}')."
        )
    return _test(sample, match, ignores_case, patterns + rest)


def _match(word: str) -> str:
    if word not in MATCHES:
        raise Refusal(f"unknown matching method '{word}', expects one of {', '.join(MATCHES)}")
    return word


def _patterns_of(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            octets = file.read(FILE_OCTETS_MAX + 1)
    except OSError as error:
        raise Refusal(f"failed to open pattern file <{path}>.") from error
    if len(octets) > FILE_OCTETS_MAX:
        raise Refusal(f"pattern file <{path}> expects at most {FILE_OCTETS_MAX} octets")
    lines = [line.strip(b" \t\r") for line in octets.split(b"\n")]
    return [line.decode("utf-8", "surrogateescape") for line in lines if line and not line.startswith(b"#")]


def _test(sample: Sample, match: str, ignores_case: bool, patterns: list[str]) -> Test:
    if match in ("found", "bool"):
        return Test(sample, match, ignores_case)
    if match in ("int", "len"):
        return Test(sample, match, ignores_case, ranges=_ranges(patterns))
    if match == "ip":
        return Test(sample, match, ignores_case, networks=tuple(_network(word) for word in patterns))
    if match == "reg":
        for pattern in patterns:
            check_pattern(pattern, ignores_case)
    octets = [pattern.encode("utf-8", "surrogateescape") for pattern in patterns]
    if match == "bin":
        try:
            octets, match = [bytes.fromhex(pattern) for pattern in patterns], "str"
        except ValueError as error:
            raise Refusal(f"an even number of hexadecimal digits is expected (got '{' '.join(patterns)}')") from error
    if ignores_case and match != "reg":
        octets = [pattern.lower() for pattern in octets]
    return Test(sample, match, ignores_case, octets=tuple(octets))


def _number(word: str) -> int:
    try:
        if word.startswith("+") or not word.lstrip("-").isdigit():
            raise ValueError(word)
        return int(word)
    except ValueError:
        raise Refusal(f"'{word}' is not a number.") from None


def _ranges(patterns: list[str]) -> tuple[tuple[int, int], ...]:
    operator = "eq"
    found: list[tuple[int, int]] = []
    for word in patterns:
        if word in OPERATORS:
            operator = word
            continue
        if ":" in word:
            low, _, high = word.partition(":")
            if (not low.lstrip("-").isdigit() and low) or (high and not high.lstrip("-").isdigit()):
                raise Refusal(f"'{word}' is not a valid number range.")
            first, last = int(low) if low else -NUMBER_MAX, int(high) if high else NUMBER_MAX
            if first > last:
                raise Refusal(f"'{word}' is not a valid number range.")
            found.append((first, last))
            continue
        number = _number(word)
        found.append(
            {
                "eq": (number, number),
                "ge": (number, NUMBER_MAX),
                "gt": (number + 1, NUMBER_MAX),
                "le": (-NUMBER_MAX, number),
                "lt": (-NUMBER_MAX, number - 1),
            }[operator]
        )
    return tuple(found)


def _network(word: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(word, strict=False)
    except ValueError:
        raise Refusal(f"'{word}' is not a valid IPv4 or IPv6 address.") from None


def parse_condition(proxy: ProxyDraft, statement: Statement, words: Sequence[str]) -> Condition | None:
    """What stands behind an action: nothing, or `if` or `unless` and terms."""
    if not words:
        return None
    if words[0] not in ("if", "unless"):
        raise Refusal(f"'{statement.keyword}' expects 'if' or 'unless' (got '{words[0]}')")
    try:
        alternatives = _alternatives(proxy, list(words[1:]))
    except Refusal as refusal:
        what = (
            f"a '{statement.keyword}' rule" if statement.keyword.startswith("stats ") else f"an '{statement.keyword}' condition"
        )
        raise Refusal(f"error detected while parsing {what} : {refusal}") from refusal
    condition = Condition(alternatives, words[0] == "unless")
    keep_references(proxy, statement, tests_of(condition))
    return condition


def _alternatives(proxy: ProxyDraft, words: list[str]) -> tuple[tuple[Term, ...], ...]:
    alternatives: list[tuple[Term, ...]] = []
    terms: list[Term] = []
    while words:
        word = words.pop(0)
        if word in ("or", "||"):
            alternatives.append(tuple(terms))
            terms = []
            continue
        is_negated = False
        while word.startswith("!"):
            is_negated = not is_negated
            word = word[1:] or (words.pop(0) if words else "")
        if word == "{":
            if "}" not in words:
                raise Refusal("missing closing '}' in condition.")
            end = words.index("}")
            tests: tuple[Test, ...] = (parse_test(words[:end]),)
            words = words[end + 1 :]
        elif word in proxy.acls:
            tests = tuple(proxy.acls[word])
        elif word in PREDEFINED:
            tests = (parse_test(PREDEFINED[word]),)
        else:
            raise Refusal(f"no such ACL : '{word}'.")
        terms.append(Term(tests, is_negated))
    if not terms:
        raise Refusal("expects the name of an ACL or '{' (got nothing)")
    alternatives.append(tuple(terms))
    return tuple(alternatives)


def fetches_of(condition: Condition | None) -> set[str]:
    """The names of the fetches that a condition asks."""
    return {test.sample.fetch.name for test in tests_of(condition)} if condition is not None else set()


def sides_of(condition: Condition | None) -> set[str]:
    """The sides on which the samples of a condition can be asked."""
    return {test.sample.side for test in tests_of(condition)} if condition is not None else set()


ACL_ROWS: Final[tuple[Keyword[ProxyDraft], ...]] = (
    works("acl", "DFLB", "`NAME FETCH [flags] PATTERN ...`: a named test for conditions (docs/rules.md)", parse_acl),
)
