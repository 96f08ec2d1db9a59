"""Words to scenarios, scenes and drawn clips: ``parse``, ``simulate`` and ``render``, none of which needs a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worldgen import __version__
from worldgen.api.arguments import number as finite
from worldgen.api.arguments import size_px, whole, words, wrong_type
from worldgen.api.generated_sample import GeneratedSample, content_key
from worldgen.core.errors import InputError, Received
from worldgen.core.scenario import Scenario
from worldgen.core.scene import Scene
from worldgen.generation.rendered.drawn_scenes import (
    DEFAULT_FPS,
    DEFAULT_FRAMES,
    DEFAULT_SIZE_PX,
    ClipShape,
    make_scene,
)
from worldgen.prompts import ParsedPrompt, parse_request
from worldgen.prompts import parse as parse_words
from worldgen.rendering.controls.control_table import control_choices
from worldgen.rendering.controls.scene_controls import scene_controls
from worldgen.rendering.drawn_clips import DEFAULT_RENDERER, Renderer, draw_scene


def parse(prompt: str) -> ParsedPrompt:
    """What a prompt means: its ``scenario``, what was ``understood``, ``assumed`` and ``not_understood``.

    Raises: InputError for an empty prompt and for words that contradict each other.
    """
    return parse_words(words("prompt", prompt, 'text, as in "pedestrian at night in rain"'))


def simulate(
    prompt_or_scenario: str | Scenario,
    *,
    seed: int = 0,
    frames: int = DEFAULT_FRAMES,
    fps: float = DEFAULT_FPS,
    size: tuple[int, int] = DEFAULT_SIZE_PX,
) -> Scene:
    """One concrete scene of a prompt or scenario: road, traffic, light and ego motion, in metres and seconds.

    The same arguments give the same scene. size: width and height in pixels of the camera.

    Raises: InputError for words that cannot be used, numbers out of range, and an event that fits no scene.
    """
    scenario, _ = _scenario_of(prompt_or_scenario)
    return make_scene(scenario, whole("seed", seed), _shape(frames, fps, size))


def render(
    prompt_or_scene: str | Scenario | Scene,
    *,
    seed: int | None = None,
    frames: int | None = None,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    renderer: Renderer = DEFAULT_RENDERER,
    controls: Sequence[str] = (),
) -> GeneratedSample:
    """A drawn clip of a prompt, scenario or scene. Its labels are exact to the pixel, its look is that of a simulator.

    A prompt gives the clip of ``worldgen scenes render``, byte for byte. A scene has a seed, frames and a rate of its
    own; only ``size``, ``renderer`` and ``controls`` may be given with it.

    Args:
        prompt_or_scene: the scene in words, a ``Scenario``, or a ``Scene`` as ``simulate`` returns it.
        seed: of the scene (default 0). frames: of the clip (default 25). fps: frames per second (default 8).
        size: width and height in pixels (default 224x128, or the size of the scene's camera).
        renderer: "raycast" (smooth shapes, cast shadows, reflections) or "sketch" (flat faces, faster; what the shipped
            model is conditioned on).
        controls: names of control videos to make with it, of depth, seg, edge, blur, sketch, boxes and wsm, each alone
            or as ``NAME:VARIANT``, e.g. ``["depth", "edge:geometry"]``. They are in ``.controls`` of what is returned.

    Raises:
        InputError: as ``simulate``, for arguments that a scene already fixes, and for an unknown renderer or control.
    """
    names = _control_texts(controls)  # refused before anything is drawn
    if isinstance(prompt_or_scene, Scene):
        given = [name for name, value in (("seed", seed), ("frames", frames), ("fps", fps)) if value is not None]
        if given:
            raise InputError(
                "arguments beside a scene", Received(", ".join(given)), "size or renderer: a scene fixes the others"
            )
        return _rendered(
            prompt_or_scene,
            prompt="",
            seed=prompt_or_scene.seed,
            size=size,
            understood={},
            renderer=renderer,
            controls=names,
        )
    scenario, parsed = _scenario_of(prompt_or_scene)
    seed = 0 if seed is None else whole("seed", seed)
    shape = _shape(
        DEFAULT_FRAMES if frames is None else frames, DEFAULT_FPS if fps is None else fps,
        DEFAULT_SIZE_PX if size is None else size,
    )  # fmt: skip
    record = parsed.to_json() if parsed else {"assumed": [], "not_understood": []}
    understood = {name: record[name] for name in ("assumed", "not_understood")}
    scene = make_scene(scenario, seed, shape)
    return _rendered(
        scene,
        prompt=parsed.prompt if parsed else "",
        seed=seed,
        size=None,
        understood=understood,
        renderer=renderer,
        controls=names,
    )


def _rendered(
    scene: Scene,
    *,
    prompt: str,
    seed: int,
    size: tuple[int, int] | None,
    understood: dict[str, Any],
    renderer: Renderer,
    controls: tuple[str, ...],
) -> GeneratedSample:
    """A scene drawn and labelled. understood: what was assumed and not understood of the prompt."""
    rendering, labels = draw_scene(scene, size=None if size is None else size_px(size), renderer=renderer)
    clip = rendering.clip
    camera = scene.camera.resized(clip.width_px, clip.height_px) if size is not None else scene.camera
    key = content_key(clip, "rendered_")
    meta = {
        "tool": "worldgen scenes render", "version": __version__, "prompt": prompt, "seed": seed, "frames": len(clip),
        "fps": clip.fps, "size_px": [clip.width_px, clip.height_px], "renderer": renderer, **understood,
        "scenario": scene.scenario.to_json(),
        "camera": camera.to_json(), "notes": list(scene.notes),
        "events": [
            {
                "name": event.name, "track_ids": list(event.track_ids), "start_s": event.start_s,
                "end_s": event.end_s, "min_ttc_s": event.min_ttc_s,
            }
            for event in scene.events
        ],
    }  # fmt: skip
    if controls:
        meta["controls"] = list(controls)
    return GeneratedSample(
        key=key, clip=clip, caption=prompt, drive=key, ego=scene.ego, camera=camera,
        labels=labels, scenario=scene.scenario,
        provenance={
            "tool": "worldgen scenes render", "version": __version__, "seed": scene.seed,
            "scenario": scene.scenario.key, "renderer": renderer,
        },
        scene=scene, meta=meta, notes={**understood, "scene": list(scene.notes)},
        controls=scene_controls(scene, rendering, controls, seed=scene.seed),
    )  # fmt: skip


def _scenario_of(value: object) -> tuple[Scenario, ParsedPrompt | None]:
    """A scenario, and the parse it comes from when ``value`` is a prompt."""
    if isinstance(value, Scenario):
        return value, None
    if not isinstance(value, str):
        raise wrong_type("scene", value, 'a prompt, as in "pedestrian at night in rain", or a Scenario')
    if not value.strip():
        raise InputError("nothing to render", value, 'a prompt, as in "pedestrian at night in rain"')
    parsed = parse_request(value)
    return parsed.scenario, parsed


def _control_texts(value: object) -> tuple[str, ...]:
    """Controls with or without variants from a list, or from text as in "depth, seg"."""
    parts = [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        raise wrong_type("controls", value, 'names, as in ["depth", "edge:geometry"]')
    names = tuple(words("control", part).strip() for part in parts)
    control_choices(names)
    return names


def _shape(frames: object, fps: object, size: object) -> ClipShape:
    width_px, height_px = size_px(size)
    return ClipShape(whole("number of frames", frames), finite("frames per second", fps), width_px, height_px)
