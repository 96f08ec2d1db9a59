"""Interlaced video as whole frames, one per pair of fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
from av.filter import Graph

FILTER, OPTIONS = "bwdif", "mode=send_frame:parity=auto:deint=interlaced"
"""Filter of libavfilter: one frame at the time of its first field; frames that are not interlaced pass unchanged."""


def deinterlaced(frames: Iterable[av.VideoFrame], time_base: Fraction) -> Iterator[av.VideoFrame]:
    """The frames of a stream in order with their time stamps, those that hold two fields deinterlaced.

    Streams without interlaced frames cost nothing: the filter starts at the first frame that is flagged.
    time_base: seconds per tick of the stream.
    """
    graph: Graph | None = None
    for frame in frames:
        if graph is None and frame.interlaced_frame:
            graph = _graph(frame, time_base)
        if graph is None:
            yield frame
            continue
        graph.push(frame)
        yield from _pulled(graph, time_base)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph, time_base)


def _graph(frame: av.VideoFrame, time_base: Fraction) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=time_base
    )  # the template of a stream would need a rate, which not every stream has
    fields = graph.add(FILTER, OPTIONS)
    sink = graph.add("buffersink")
    source.link_to(fields)
    fields.link_to(sink)
    graph.configure()
    return graph


def _pulled(graph: Graph, time_base: Fraction) -> Iterator[av.VideoFrame]:
    """Frames that are ready, with time stamps in ticks of the stream again."""
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        assert isinstance(frame, av.VideoFrame), type(frame)
        if frame.pts is not None and frame.time_base is not None:
            frame.pts = round(frame.pts * frame.time_base / time_base)
            frame.time_base = time_base
        yield frame
