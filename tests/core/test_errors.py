from __future__ import annotations

from worldgen.core.errors import InputError, MissingDependencyError, Received


def test_the_message_says_what_came_and_what_was_expected():
    assert str(InputError("fps", -1, "a positive number")) == "fps: received -1; expected a positive number"
    assert str(InputError("fps", Received("a list of 3"), "a number")) == "fps: received a list of 3; expected a number"
    assert str(InputError("nothing to do")) == "nothing to do"
    assert str(InputError("clip", expected="frames")) == "clip: expected frames"


def test_the_message_is_one_line():
    assert str(InputError("a\nb", Received("c\n  d"), "e\tf")) == "a b: received c d; expected e f"


def test_a_missing_package_names_the_extra():
    error = MissingDependencyError("ray", "ray", "the Ray runner")
    assert "pip install 'worldgen[ray]'" in str(error) and isinstance(error, InputError)


def test_received_values_are_cut_to_a_readable_length():
    for value in ("x" * 20_000, ["y"] * 20_000, Received("z" * 20_000), int("9" * 4000) ** 3):
        message = str(InputError("field", value, "a short word"))
        assert len(message) < 500 and message.endswith("; expected a short word")
    assert str(InputError("field", "x" * 250)) == f"field: received {'x' * 250!r}"
    assert "\x1b" not in str(InputError("field", Received("\x1b[31m red")))
