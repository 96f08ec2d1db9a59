"""Speed of simulation, sketch renderer, layout and labels on one core; two contact sheets for judging pictures by eye.

python benchmarks/scenes.py [--out benchmarks/results/scenes.json] [--sheets docs]
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import cv2
import numpy as np

from worldgen.core.scenario import LIGHTS, WEATHERS, AgentRequest, Scenario
from worldgen.data.view.sheet import draw_labels
from worldgen.rendering.drawn_clips import draw_scene
from worldgen.rendering.labelling import labels_of
from worldgen.rendering.layouts import layout_maps
from worldgen.rendering.render import render_scene
from worldgen.simulation.balanced import balanced_scenario
from worldgen.simulation.events import EVENTS
from worldgen.simulation.simulate import simulate

FRAMES = 33
SHEET_SIZE_PX = (336, 192)


def simulation(count: int) -> dict:
    start = time.perf_counter()
    for index in range(count):
        simulate(balanced_scenario(index, 0), index, num_frames=FRAMES)
    seconds = time.perf_counter() - start
    return {"scenes": count, "frames": FRAMES, "seconds": round(seconds, 1)}


def pictures(count: int) -> dict:
    """Frames per second over scenes of all kinds, with the set-up of each clip."""
    scenes = [simulate(balanced_scenario(index, 1), index, num_frames=FRAMES) for index in range(count)]
    out = {}
    for name, function in (
        ("render_224x128", lambda s: render_scene(s, size=(224, 128))),
        ("labels_224x128", labels_of),
        ("layout_56x32", lambda s: layout_maps(s, 32, 56)),
    ):
        start = time.perf_counter()
        for scene in scenes:
            function(scene)
        out[f"{name}_frames_per_s"] = round(count * FRAMES / (time.perf_counter() - start), 1)
    start = time.perf_counter()
    for scene in scenes[:4]:
        render_scene(scene, frames=[0, 16], size=(832, 480))
    out["render_832x480_frames_per_s"] = round(8 / (time.perf_counter() - start), 2)
    return out


def titled(picture: np.ndarray, title: str) -> np.ndarray:
    bar = np.full((18, picture.shape[1], 3), 20, np.uint8)
    cv2.putText(bar, title, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([bar, picture])


def grid_of(cells: list[np.ndarray], columns: int) -> np.ndarray:
    blank = np.full_like(cells[0], 20)
    cells = cells + [blank] * (-len(cells) % columns)
    return np.concatenate([np.concatenate(cells[i : i + columns], 1) for i in range(0, len(cells), columns)])


def weather_sheet() -> np.ndarray:
    cells = []
    for weather in WEATHERS:
        for light in LIGHTS:
            agents = (AgentRequest("pedestrian", 1, "crossing"), AgentRequest("car", 2))
            scene = simulate(Scenario(weather, light, "urban", agents=agents), 5, num_frames=FRAMES)
            drawn, _ = draw_scene(scene, frames=[20], size=SHEET_SIZE_PX)
            cells.append(titled(drawn.clip.frames[0], f"{weather}, {light}"))
    return grid_of(cells, len(LIGHTS))


def nearest_frame(scene) -> int:
    """The frame where the event's first agent is nearest and still ahead; for agents without a class."""
    agent = next(a for a in scene.agents if a.track_id == scene.events[0].track_ids[0])
    step = agent.poses[:, :2] - scene.ego_poses[:, :2]
    yaw = scene.ego_poses[:, 2]
    ahead_m = step[:, 0] * np.cos(yaw) + step[:, 1] * np.sin(yaw)
    side_m = np.abs(step[:, 1] * np.cos(yaw) - step[:, 0] * np.sin(yaw))
    return int(np.where((ahead_m > 6) & (side_m < 0.5 * ahead_m), ahead_m, np.inf).argmin())


def event_sheet() -> np.ndarray:
    """Every event at the frame where its agents look largest, with their boxes."""
    cells = []
    for index, (name, event) in enumerate(EVENTS.items()):
        weather = "clear" if "clear" in event.weathers else event.weathers[0]
        light = "day" if "day" in event.lights else event.lights[0]
        scenario = Scenario(weather, light, event.roads[0], event.manoeuvres[0], events=(name,))
        scene = simulate(scenario, index, num_frames=FRAMES)
        labels = labels_of(scene)
        cast = np.isin(labels.track_id, scene.events[0].track_ids) & (labels.visible_fraction > 0.3)
        height = np.where(cast, (labels.box_px[:, 3] - labels.box_px[:, 1]) * (labels.truncation < 0.3), 0)
        frame = int(labels.frame_index[height.argmax()]) if height.any() else nearest_frame(scene)
        drawn, exact = draw_scene(scene, frames=[frame], size=SHEET_SIZE_PX)
        cast = np.isin(exact.track_id, scene.events[0].track_ids) & (exact.visible_fraction > 0.3)
        shown = draw_labels(drawn.clip.frames[0], exact.where(cast), width_px=SHEET_SIZE_PX[0])
        cells.append(titled(shown, name))
    return grid_of(cells, 6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="benchmarks/results/scenes.json")
    parser.add_argument("--sheets", default="")
    parser.add_argument("--scenes", type=int, default=1000)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    if args.sheets:
        for name, sheet in (("weather_light", weather_sheet()), ("events", event_sheet())):
            cv2.imwrite(str(Path(args.sheets) / f"{name}.jpg"), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
        return
    result = {"what": "speed of scenes on one core", **pictures(36), "simulation": simulation(args.scenes)}
    result["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    Path(args.out).write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
