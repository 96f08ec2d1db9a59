"""What ``sample`` and ``render`` return: a clip with everything known about it, to look at, to save, to train on."""

from __future__ import annotations

import base64
import hashlib
import html
import os
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worldgen.api.arguments import path_text
from worldgen.core.clip import Clip
from worldgen.core.samples import Sample
from worldgen.core.scene import Scene
from worldgen.data.export.sample_folder import SampleFolder, clip_sheet
from worldgen.data.video.encoding import encode_mp4
from worldgen.files.folders import output_folder

if TYPE_CHECKING:
    from PIL.Image import Image

MIN_SHOWN_WIDTH_PX = 448
"""Width of the video in a notebook at least; clips are small."""


@dataclass(frozen=True, eq=False, repr=False)
class GeneratedSample(Sample):
    """A generated or rendered clip; a subclass of ``Sample``, so whatever takes a sample of a data set takes it too.

    clip: ``.frames`` is ``(T, H, W, 3)`` uint8 RGB, ``.fps`` its rate. labels: of the scene, or None for a continued
    real clip. ego: motion of the car, one row a frame, or None. scenario: what was filmed, or None. scene: the road,
    the traffic and the light in metres and seconds, or None. meta: content of ``meta.json``. notes: what was
    ``assumed`` and what was ``not_understood`` of the prompt, and what else was decided. controls: name ->
    ``(T, H, W, 3)`` uint8 control video, {} for none.
    """

    scene: Scene | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    controls: dict[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def layout(self) -> np.ndarray | None:
        """The raster that a model is conditioned on, ``(T, K, H, W)`` float16 in [0, 1]; None where no scene is known.

        Its K channels are named in ``worldgen.core.layout_channels.LAYOUT_CHANNELS``. It is drawn from the scene at
        first use.
        """
        if self.scene is None:
            return None
        from worldgen.rendering.layouts import layout_maps

        return layout_maps(self.scene, self.clip.height_px, self.clip.width_px)

    def save(self, folder: str | Path, overwrite: bool = False) -> str:
        """Write the output folder of ``worldgen sample``: clip.mp4, sheet.png, labels.json, ego.csv and meta.json.

        Controls, where there are any, lie in it as ``controls/NAME.mp4``.
        The folder, or URL, appears whole or not at all. overwrite: whether a folder that worldgen wrote may be
        replaced. Returns the folder.

        Raises: InputError when the folder holds files and may not be replaced, or cannot be written.
        """
        url = path_text("folder", folder, "the path of a folder")
        with output_folder(url, kind="clip", overwrite=overwrite) as partial:
            self.write(partial)
        return url

    def write(self, folder: Path) -> None:
        """Write the files of ``save`` into an existing empty folder."""
        clip = self.clip
        output = SampleFolder(folder, num_frames=len(clip), fps=clip.fps, size_px=(clip.width_px, clip.height_px))
        output.add(clip.frames)
        output.add_controls(self.controls)
        output.finish(self.meta, caption=self.caption, ego=self.ego, labels=self.labels)

    def sheet(self) -> np.ndarray:
        """The contact sheet ``(H, W, 3)`` uint8 RGB: up to eight frames with their labels drawn."""
        return clip_sheet(self.clip, self.caption, self.labels)

    def show(self) -> Image | None:
        """Show the contact sheet: displayed in a notebook, opened in the image viewer where there is a screen.

        Returns the picture, or None in a notebook, which would display it a second time.
        """
        from PIL import Image as pillow

        picture = pillow.fromarray(self.sheet())
        notebook = _notebook_display()
        if notebook is not None:
            notebook(picture)
            return None
        if sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
            picture.show(title=self.caption)
        return picture

    def __repr__(self) -> str:
        clip, objects = self.clip, 0 if self.labels is None else len(np.unique(self.labels.track_id))
        labels = "no labels" if self.labels is None else f"{objects} labelled objects"
        return (
            f"GeneratedSample({self.caption!r}, {len(clip)} frames of {clip.width_px}x{clip.height_px}"
            f" at {clip.fps:g} fps, {labels})"
        )

    def _repr_html_(self) -> str:
        """The clip as a video inside the page, with its caption and what was assumed and not understood below."""
        video = base64.b64encode(encode_mp4(self.clip)).decode()
        width = max(self.clip.width_px, MIN_SHOWN_WIDTH_PX)
        lines = [self.caption or "no prompt", *_note_lines(self.notes)]
        caption = "<br>".join(html.escape(line) for line in lines)
        return (
            f'<figure style="margin:0"><video controls loop autoplay muted playsinline width="{width}" '
            f'src="data:video/mp4;base64,{video}"></video><figcaption>{caption}</figcaption></figure>'
        )


def content_key(clip: Clip, prefix: str = "sample_") -> str:
    """A key for a sample made of nothing but its frames: equal clips have equal keys."""
    return prefix + hashlib.blake2b(clip.frames.tobytes(), digest_size=8).hexdigest()


def _note_lines(notes: dict[str, Any]) -> list[str]:
    assumed = ", ".join(f"{item['field']} = {item['value']}" for item in notes.get("assumed", ()))
    missed = ", ".join(notes.get("not_understood", ()))
    return [f"{title}: {text}" for title, text in (("assumed", assumed), ("not understood", missed)) if text]


def _notebook_display() -> Any | None:
    """IPython's ``display`` inside a notebook, None anywhere else, such as in IPython's terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import display

    return display
