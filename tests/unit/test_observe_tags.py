"""The typed and JSON forms against what HAProxy 2.6.12 was recorded to tell of each figure."""

import json
import re

from observed import in_every_state
from recorded import FOLDER
from spoken import ask

from balancer.observe.columns import COLUMNS
from balancer.observe.info import LINES
from balancer.observe.stats import DIVIDER
from balancer.observe.tags import COLUMN_TAGS, INFO_TAGS, NATURES, ORIGINS, SCOPES

LINE = re.compile(r"([FBS])\.\d+\.\d+\.(\d+)\.([^.]+)\.1:(\w{3}):(\w{3}):.*:\"(.*)\"")


def test_every_column_and_line_has_a_tag() -> None:
    assert list(COLUMN_TAGS) == [column.name for column in COLUMNS if column.name != DIVIDER]
    assert set(INFO_TAGS) == {line.name for line in LINES}
    for tag in [*COLUMN_TAGS.values(), *INFO_TAGS.values()]:
        assert tag.letters[0] in ORIGINS and tag.letters[1] in NATURES and tag.letters[2] in SCOPES
        assert tag.type in ("str", "u32", "u64", "s32")


def test_tags_types_places_and_texts_are_haproxys() -> None:
    places = [column.name for column in COLUMNS if column.name != DIVIDER]
    count = 0
    for line in (FOLDER / "haproxy-2.6-stat-typed-desc.txt").read_text(encoding="ascii").splitlines():
        found = LINE.fullmatch(line)
        if found is None:
            assert line.startswith("L."), line  # of a single listener: there are none here
            continue
        count += 1
        kind, place, name, letters, type_name, text = found.groups()
        tag = COLUMN_TAGS[name]
        own = tag.backend if kind == "B" and tag.backend else tag.letters
        assert (places.index(name), own, tag.type, tag.text) == (int(place), letters, type_name, text), line
    assert count > 200


def test_the_json_form_says_what_the_typed_one_says() -> None:
    info = in_every_state()
    said: list[str] = []
    for row in json.loads(ask(b"show stat json\n", info)):
        for item in row:
            tags = item["tags"]
            letters = "".join(
                next(letter for letter, word in table.items() if word == tags[name])
                for name, table in (("origin", ORIGINS), ("nature", NATURES), ("scope", SCOPES))
            )
            head = f"{item['objType'][0]}.{item['proxyId']}.{item['id']}.{item['field']['pos']}.{item['field']['name']}"
            said.append(f"{head}.1:{letters}:{item['value']['type']}:{item['value']['value']}")
    assert said == ask(b"show stat typed\n", info).decode().splitlines()[:-1]


def test_numbers_are_numbers_and_texts_are_texts() -> None:
    for row in json.loads(ask(b"show stat json\n", in_every_state())):
        for item in row:
            assert isinstance(item["value"]["value"], str if item["value"]["type"] == "str" else int), item
    for item in json.loads(ask(b"show info json\n", in_every_state())):
        assert isinstance(item["value"]["value"], str if item["value"]["type"] == "str" else int), item


def test_a_user_sees_no_addresses_and_cookies() -> None:
    for text in (b"show stat\n", b"show stat typed\n", b"show stat json\n"):
        assert b"127.0.0.1" in ask(text, level="operator") and b"SEASIDE" in ask(text, level="operator")
        assert b"127.0.0.1" not in ask(text, level="user") and b"SEASIDE" not in ask(text, level="user")
