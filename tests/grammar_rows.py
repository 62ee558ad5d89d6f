"""Conditions, and lines that are no lines, with what HAProxy 2.6 was seen to say of each; the scenarios ask it again."""

from typing import Final

# For both programs; nothing else is set.
VARIABLES: Final[dict[str, str]] = {"HOME": "/h", "LIST": "p q", "BLANKS": " p ", "EMPTY": ""}

# A condition, and whether it holds.
CONDITIONS: Final[tuple[tuple[str, bool], ...]] = (
    ("", False), ("0", False), ("1", True), ("00", False), ("007", True), ("-1", True), ("+1", True), ("-0", False),
    ("0x1", True), ("0X0", False), ("99999999999999999999999", True), ("1 ", True), ("defined(HOME)", True),
    ("defined(NONE)", False), ("defined()", False), ("defined", False), ("defined( HOME )", False), ("defined(A B)", False),
    ("defined(EMPTY)", True), ("streq(a,a)", True), ("streq(a,b)", False), ("streq(,)", True), ("streq(a , a )", False),
    ("streq( a , a )", True), ("streq(a b,a b)", True), ("strneq(a,b)", True), ("strneq(a,a)", False),
    ("feature(PROMEX)", True), ("feature(promex)", False), ("feature(QUIC)", False), ("feature(+PROMEX)", False),
    ("feature(PROM)", False), ("version_atleast(2.6)", True), ("version_atleast(2)", True), ("version_atleast(2.7)", False),
    ("version_atleast(3)", False), ("version_atleast(2.6.12)", True), ("version_atleast(2.6.13)", False),
    ("version_atleast(2.6.13-dev1)", False), ("version_atleast(2.6.12-dev99)", True), ("version_atleast(2.6.12-rc1)", True),
    ("version_atleast(2.6-dev3)", True), ("version_atleast(2.6.12-1)", False), ("version_atleast(2.6.12.0)", True),
    ("version_atleast(2.6.12.1)", False), ("version_atleast(nonsense)", True), ("version_atleast( 2.7)", False),
    ("version_before(2.7)", True), ("version_before(2.6)", False), ("version_before(2.7-dev0)", True),
    ("version_before(2.6.12)", False), ("version_before(nonsense)", False),
    ("!1", False), ("!0", True), ("! 1", False), ("!!1", True), ("!defined(NONE)", True), ("(1)", True), ("( 1 )", True),
    ("!(1)", False), ("1&&0", False), ("1 && 1", True), ("0 || 1 && 0", False), ("1 || 0 && 0", True), ("((1)&&(0))", False),
    ("(1 || 1) && 0", False), ("!defined(HOME)||!0", True), ("0||0||1", True), ("1&&1&&0", False),
)  # fmt: skip

# A condition that is none, and what is said of it.
NO_CONDITIONS: Final[tuple[tuple[str, str], ...]] = (
    ("true", "unparsable conditional expression 'true'"),
    ("enabled(POLL)", "unparsable conditional expression 'enabled(POLL)'"),
    ("strstr(ab,b)", "unparsable conditional expression 'strstr(ab,b)'"),
    ("STREQ(a,a)", "unparsable conditional expression 'STREQ(a,a)'"),
    ("definedX(a)", "unparsable conditional expression 'definedX(a)'"),
    ("defined(a)b", "unexpected character 'b' at the end of conditional expression 'defined(a)b'"),
    ("defined (a)", "unexpected character '(' at the end of conditional expression 'defined (a)'"),
    ("1a", "unexpected character 'a' at the end of conditional expression '1a'"),
    ("0x", "unexpected character 'x' at the end of conditional expression '0x'"),
    ("1 1", "unexpected character '1' at the end of conditional expression '1 1'"),
    ("1)", "unexpected character ')' at the end of conditional expression '1)'"),
    ("1 & 1", "unexpected character '&' at the end of conditional expression '1 & 1'"),
    ("--1", "unparsable conditional expression '--1'"),
    ("-", "unparsable conditional expression '-'"),
    ("!", "unparsable conditional expression '!'"),
    ("!!", "unparsable conditional expression '!!'"),
    ("(", "unparsable conditional expression '('"),
    ("()", "unparsable conditional expression ')'"),
    ("(1", "expected ')' after conditional expression '(1'"),
    ("(0)||((1)", "expected ')' after conditional expression '((1)'"),
    ("1 &&", "unparsable conditional expression '&&'"),
    ("1&&1&&", "unparsable conditional expression '&&1&&'"),
    ("1||", "unparsable conditional expression '1||'"),
    ("1||1||", "unparsable conditional expression '1||1||'"),
    ("1 && || 1", "unparsable conditional expression '|| 1'"),
    ("|| 1", "unparsable conditional expression '|| 1'"),
    ("0 && nosuch", "unparsable conditional expression 'nosuch'"),
    ("1 || nosuch(1)", "unparsable conditional expression 'nosuch(1)'"),
    ("streq", "missing arguments (got 1/2), type 'string' expected in argument 1 of predicate 'streq' used in conditional "
     "expression"),
    ("streq(a)", "missing arguments (got 1/2), type 'string' expected in argument 1 of predicate 'streq' used in conditional "
     "expression"),
    ("streq(a,b,c)", "expected ')' before ',c)' in argument 1 of predicate 'streq' used in conditional expression"),
    ("streq(a,a", "expected ')' in argument 1 of predicate 'streq' used in conditional expression"),
    ("defined(HOME", "expected ')' in argument 1 of predicate 'defined' used in conditional expression"),
    ("defined(HOME,X)", "expected ')' before ',X)' in argument 1 of predicate 'defined' used in conditional expression"),
)  # fmt: skip

# Conditions of the command line as they are written there: the status, beyond what the words themselves mean.
COMMAND_LINES: Final[tuple[tuple[str, int], ...]] = (
    ('streq("$HOME",/h)', 0), ("streq($HOME,/h)", 1), ("'1'", 0), ('"1" "&&" "0"', 1), ("\\x31", 0), ("1\\ ", 0),
    ("1 # 2", 2), ("#", 2), (" 1", 0), (" ", 2), ("   ", 2), ('" "', 2), ('""', 1), ('"', 2), ("'", 2), ("\\x4", 2),
    ('"$', 2), ('"${HOME"', 2), ('"${NONE-1}"', 0), ('streq("${LIST[*]}",p q)', 0), ('streq("${BLANKS[*]}"," p ")', 0),
    ("1 " * 65, 2), ("1 && " * 31 + "1", 0), ("defined(HAPROXY_LOCALPEER)", 0), ("defined(HAPROXY_STARTUP_VERSION)", 0),
    ("defined(HAPROXY_CFGFILES)", 1),
)  # fmt: skip

# The lines of one file, each with a mistake that is found before any keyword is looked at, or with a message: both programs
# say the same of all of them, character by character.
SPOKEN_LINES: Final[tuple[str, ...]] = (
    '    nosuch "x',
    "    nosuch 'x",
    "\t \tnosuch 'x y",
    "  nosuch\\xzz",
    "\\x4",
    'nosuch "$"',
    'nosuch "${"',
    'nosuch "$9"',
    ' nosuch "${HOME"',
    ' nosuch "${HOME[x]}"',
    ' nosuch "${HOME[*]x}"',
    ' nosuch "${HOME[*"',
    "b" * 79 + "\\xz" + "c" * 9,
    "b" * 80 + "\\xz" + "c" * 9,
    "    " + "b" * 100 + "\\xz" + "c" * 100,
    "\\xz" + "c" * 100,
    "\t\t a\tb \x01é\\xz",
    "w " * 64 + "w",
    "   x" + " 'w w'" * 70,
    ".notice",
    ".notice a",
    ".notice 'a b'",
    ".notice a b",
    ".warning 'a \"b\"'",
    ".diag c",
    ".diag c d",
    ".alert a b",
    '.notice "<${.SECTION}> $.LINE ${HOME-x} ${EMPTY-x}"',
    "global",
    '.notice "<${.SECTION}> $.LINE $HOME/$LIST"',
    "defaults ''",
    '.notice "<${.SECTION}>"',
    ".if 0",
    "    nosuch '",
    ".notice unheard",
    ".elif 1",
    ".notice heard",
    ".endif",
)

# Lines at which HAProxy stops; the first thing that is said of each is the same.
STOPPING_LINES: Final[tuple[str, ...]] = (
    ".if nosuch(",
    ".if 1 2",
    '.if  1   "  "   2',
    ".if " + "a" * 60,
    ".if streq(a)",
    ".if streq(a,b,c)",
    ".if defined(HOME",
    ".if (1",
    ".if (0)||((1)",
    ".if 1 &&",
    ".if 1||",
    ".if !()",
    ".elif 1",
    ".else",
    ".endif",
    ".else x",
    ".nosuch",
    ".alert x",
    "a\0b\n# and more",
)
