"""JSON from outside: read, or refused in one line."""

from __future__ import annotations

import pytest

from worldgen.core.errors import InputError
from worldgen.files.json_files import MAX_DIGITS, parse_json, parse_object, read_object


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[" * 100_000, "nested too deep"),
        (b'{"a": ' + b"9" * 5000 + b"}", "an integer of 5000 digits"),
        (b"9" * (MAX_DIGITS + 1), "an integer of 309 digits"),
        (b"\xff\xfe", "not UTF-8"),
        (b'"\\ud800"', "half a surrogate pair"),
        (b"{", "no JSON"),
        (b"", "no JSON"),
    ],
)
def test_refusals_are_one_short_line(data, words):
    with pytest.raises(InputError, match=words) as error:
        parse_json(data, "file a.json", "a record")
    message = str(error.value)
    assert message.startswith("file a.json: ") and "\n" not in message and len(message) < 400


def test_what_is_json_is_read():
    long_text = "9" * 400
    assert parse_json(b'\xef\xbb\xbf{"a": [1, -2.5, null]}', "a") == {"a": [1, -2.5, None]}
    assert parse_json(f'["{long_text}", 12]', "a") == [long_text, 12]
    assert parse_json("9" * MAX_DIGITS, "a") == int("9" * MAX_DIGITS)
    assert parse_json('"\\ud83d\\ude00"', "a") == "\U0001f600"


def test_an_object_is_asked_for(tmp_path):
    for text in ("null", "[]", "3"):
        with pytest.raises(InputError, match="received a JSON"):
            parse_object(text, "a")
    with pytest.raises(InputError, match="No such file"):
        read_object(tmp_path / "absent.json")
    with pytest.raises(InputError, match="directory"):
        read_object(tmp_path)
