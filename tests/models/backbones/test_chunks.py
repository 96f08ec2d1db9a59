"""Chunks of long clips: spans that add every frame once, whole latent frames, and colours held over a seam."""

from __future__ import annotations

import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.models.backbones.chunk_plan import chunk_plan, seams_of
from worldgen.models.backbones.colour_hold import held_colours
from worldgen.models.promise import FrameCounts

WAN = FrameCounts(4, 1, least=5)
LTX = FrameCounts(8, 1, least=9)


@pytest.mark.parametrize("frames", [WAN, LTX])
@pytest.mark.parametrize("context", [0, 1, 9, 25, 41])
def test_every_frame_is_made_once_in_whole_latent_frames(frames, context):
    chunk, overlap = 1 + 3 * frames.step, 1 + frames.step
    context = frames.below(context) if context > 1 else context
    for clip in range(context + frames.step if context else chunk, 160, frames.step):
        spans = chunk_plan(clip, chunk=chunk, overlap=overlap, context=context, frames=frames)
        done = context
        for span in spans:
            assert span.first_new == done and span.start >= 0 and 0 < len(span) <= chunk
            assert span.start % frames.step == 0 and len(span) % frames.step == 1 and span.known % frames.step in (0, 1)
            assert span.known >= min(done, overlap) or span.start == 0
            done = span.stop
        assert done == clip
        assert all(len(span) == chunk for span in spans) or clip < chunk
        assert seams_of(spans) == tuple(span.first_new for span in spans if span.first_new)


def test_the_last_chunk_is_whole_and_knows_more():
    spans = chunk_plan(21, chunk=13, overlap=5, frames=WAN)
    assert [(s.start, s.stop, s.known) for s in spans] == [(0, 13, 0), (8, 21, 5)]
    spans = chunk_plan(17, chunk=13, overlap=5, frames=WAN)
    assert [(s.start, s.stop, s.known) for s in spans] == [(0, 13, 0), (4, 17, 9)]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"chunk": 12, "overlap": 5}, r"frames per chunk: received 12; expected 4k\+1"),
        ({"chunk": 13, "overlap": 4}, "overlap of chunks in frames: received 4; expected 4k"),
        ({"chunk": 13, "overlap": 13}, "fewer than the 13"),
    ],
)
def test_chunks_that_would_repeat_or_lose_frames_are_refused(given, line):
    with pytest.raises(InputError, match=line):
        chunk_plan(41, frames=WAN, **given)


def test_a_shift_of_colour_and_contrast_is_taken_back_exactly():
    rng = np.random.default_rng(0)
    true = rng.integers(60, 160, (9, 16, 24, 3)).astype(np.uint8)
    drifted = np.clip(np.rint(true * np.array([1.1, 1.0, 0.9]) + np.array([6, -10, 20])), 0, 255).astype(np.uint8)
    known = 5
    held = held_colours(drifted, true[:known], known=known, strength=1.0)
    before, after = (np.abs(video[known:].astype(int) - true[known:]).mean() for video in (drifted, held))
    assert after < 1.0 < 5 < before
    half = held_colours(drifted, true[:known], known=known, strength=0.5)
    assert after < np.abs(half[known:].astype(int) - true[known:]).mean() < before
    np.testing.assert_array_equal(held_colours(drifted, true[:known], known=known, strength=0.0), drifted)
    np.testing.assert_array_equal(held_colours(true, true[:known], known=known, strength=1.0), true)
