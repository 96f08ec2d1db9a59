"""How a long clip is divided into chunks: spans of frames, each beginning with frames that are known already."""

from __future__ import annotations

from dataclasses import dataclass

from worldgen.core.errors import InputError
from worldgen.models.promise import FrameCounts

ANY_LENGTH = FrameCounts()


@dataclass(frozen=True)
class ChunkSpan:
    """Frames ``start`` to ``stop`` of a clip, made in one run. The first ``known`` of them exist before."""

    start: int
    stop: int
    known: int

    @property
    def first_new(self) -> int:
        """Number of the first frame that this run adds to the clip."""
        return self.start + self.known

    def __len__(self) -> int:
        return self.stop - self.start


def chunk_plan(
    num_frames: int, *, chunk: int, overlap: int, context: int = 0, frames: FrameCounts = ANY_LENGTH
) -> tuple[ChunkSpan, ...]:
    """Spans that add every frame from ``context`` on exactly once.

    chunk: frames of a span; a shorter clip is one span. overlap: known frames of every span but the first. context:
    known first frames of the clip. frames: lengths that the family allows; ``chunk`` and ``overlap`` must both be such
    lengths, counted from the same latent frames, because a span whose known frames end inside a latent frame would
    repeat or lose frames at the seam. The last span has the full length too: it begins earlier and knows more.

    Raises: InputError for a chunk or overlap of another length, and for an overlap that leaves no new frame.
    """
    if not frames.allows(chunk):
        nearest = " or ".join(map(str, frames.nearest(chunk)))
        raise InputError("frames per chunk", chunk, f"{frames.words} (as in {nearest})")
    if (overlap - frames.first) % frames.step:
        raise InputError("overlap of chunks in frames", overlap, f"{frames.step}k+{frames.first}, whole latent frames")
    if overlap >= chunk:
        raise InputError("overlap of chunks in frames", overlap, f"fewer than the {chunk} frames of a chunk")
    spans: list[ChunkSpan] = []
    done = context
    while done < num_frames:
        fits = not spans and context < chunk  # the first span begins with the whole context where it can
        start = 0 if fits else done - overlap
        stop = min(start + chunk, num_frames)
        start = min(start, max(0, stop - chunk))
        spans.append(ChunkSpan(start, stop, done - start))
        done = stop
    return tuple(spans)


def seams_of(spans: tuple[ChunkSpan, ...]) -> tuple[int, ...]:
    """Frames at which a clip is put together: the first new frame of each span, where frames stand before it."""
    return tuple(span.first_new for span in spans if span.first_new > 0)
