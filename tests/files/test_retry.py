"""What is tried again, how long is waited, and what is recorded."""

from __future__ import annotations

import errno

import pytest

from worldgen.core.errors import InputError
from worldgen.files.retry import MAX_WAIT_S, Retry


class Flaky:
    """Fails a number of times, then returns "done"."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error, self.calls = failures, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "done"


def test_waits_double_up_to_a_limit_and_failures_are_recorded():
    waits: list[float] = []
    retry = Retry(6, 8.0, sleep=waits.append)
    assert retry("write a", Flaky(5, OSError(errno.ENOSPC, "full"))) == "done"
    assert waits == [8.0, 16.0, 32.0, MAX_WAIT_S, MAX_WAIT_S]
    assert retry.faults == ["write a: no space left on the device"] * 5


def test_the_last_failure_is_one_line_with_its_number():
    retry, action = Retry(2, 0.0, sleep=lambda s: None), Flaky(9, TimeoutError())
    with pytest.raises(InputError, match=r"write a: TimeoutError \(3 tries"):
        retry("write a", action)
    assert action.calls == 3 and len(retry.faults) == 3


def test_only_file_systems_get_another_try():
    retry = Retry(3, 0.0, sleep=lambda s: None)
    for error in (ValueError("a defect"), InputError("the user's mistake")):
        action = Flaky(1, error)
        with pytest.raises(type(error)):
            retry("read a", action)
        assert action.calls == 1 and not retry.faults
    refused = InputError("cannot read a: permission denied")
    refused.__cause__ = PermissionError()
    assert retry("read a", Flaky(1, refused)) == "done"
