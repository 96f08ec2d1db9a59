"""Damage to files: of bytes, of JSON values and of YAML lines. Every mutation is decided by its generator."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np

WORDS = (
    b"null", b"NaN", b"-Infinity", b"1e400", b"-1", b"0", b"9" * 400, b"9" * 5000,
    b"[" * 3000, b'"\\ud800"', b"\xff\xfe",
    b"\x00", b"!!set {a}", b"null: 2", b"2021-13-45", b"true", b"{}", b"[]", b"\xc2\xb2", b"''", b"../../x", b"\n",
    b",",
)  # fmt: skip
"""Pieces that are put in place of others."""
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 0.5, 1e308, float("inf"), float("nan"), 10**19, 10**300, "", "x", "../x", "\x00", "\ud800",
    [], {},
    [[]], [None], {"a": None}, "9" * 3000, [1, "a"], -(2**63),
)  # fmt: skip
"""Values that are put in place of others in JSON."""


def damaged_bytes(data: bytes, rng: np.random.Generator, words: tuple[bytes, ...] = WORDS) -> bytes:
    """``data`` with one to four pieces flipped, cut, repeated or replaced, by one of ``words`` among others."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, len(out) + 1))
        end = min(len(out), at + int(rng.integers(1, 40)))
        kind = int(rng.integers(0, 6))
        if kind == 0 and at < len(out):
            out[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            del out[at:end]
        elif kind == 2:
            out[at:at] = out[at:end]
        elif kind == 3:
            out[at:end] = words[int(rng.integers(len(words)))]
        elif kind == 4:
            del out[at:]
        else:
            out[at:end] = rng.bytes(end - at)
    return bytes(out)


def damaged_value(value: Any, rng: np.random.Generator, values: tuple[Any, ...] = VALUES) -> Any:
    """A copy of a JSON value in which one to three nodes are replaced, removed or repeated."""
    root = [copy.deepcopy(value)]
    for _ in range(int(rng.integers(1, 4))):
        node: Any = root
        key: Any = 0
        while True:
            child = node[key]
            if not isinstance(child, (dict, list)) or not child or rng.random() < 0.15:
                break
            keys = list(child) if isinstance(child, dict) else list(range(len(child)))
            node, key = child, keys[int(rng.integers(len(keys)))]
        kind = int(rng.integers(0, 5))
        if kind == 0 and node is not root:
            del node[key]
        elif kind == 1 and isinstance(node, list):
            node.append(copy.deepcopy(node[key]))
        else:
            node[key] = copy.deepcopy(values[int(rng.integers(len(values)))])
        if not root:
            root = [None]
    return root[0]


def exchanged_value(value: Any, rng: np.random.Generator, values: tuple[Any, ...]) -> Any:
    """A copy of a JSON value in which one leaf is one of ``values``: gentle damage, which many readers take."""
    root = [copy.deepcopy(value)]
    node: Any = root
    key: Any = 0
    while isinstance(node[key], (dict, list)) and node[key]:
        node = node[key]
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = keys[int(rng.integers(len(keys)))]
    node[key] = copy.deepcopy(values[int(rng.integers(len(values)))])
    return root[0]


def damaged_json(data: bytes, rng: np.random.Generator) -> bytes:
    """Damaged JSON text: by value in two of three cases, by byte in the others."""
    if rng.random() < 1 / 3:
        return damaged_bytes(data, rng)
    return json.dumps(damaged_value(json.loads(data), rng)).encode()
