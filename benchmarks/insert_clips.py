"""Actors put into clips, measured: silhouettes against the renderer's own, and how they stick to a recorded road.

  python benchmarks/insert_clips.py --rendered --out insert_clips.json
  python benchmarks/insert_clips.py --drive kitti03.mp4 --poses kitti03.poses.txt --sheet sheet.png --out clips.json

Rendered: scenes are drawn with and without some agents; the agents are then put into the clip without them, from their
tracks, and each silhouette is compared with that of the same agent in the drawn scene (intersection over union).
Drive: standing points of the road are followed through the frames by full recorded poses (KITTI odometry, six degrees
of freedom) and by what an insert follows: the planar ego motion, the camera, and the shake read from the frames. The
road under a point is taken to be where it is when the camera is ``NEAR_M`` before it. Pictures are never published.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import ego_from_planar_poses
from worldgen.core.samples import Sample
from worldgen.core.scenario import AgentRequest, Scenario
from worldgen.data.ingest.logs.log_formats import read_kitti_matrices
from worldgen.data.video.image_files import write_image
from worldgen.data.video.reading import read_clip
from worldgen.generation.insert.clips.actor_choice import actor_of, clip_wishes
from worldgen.generation.insert.clips.clip_ground import clip_ground, frame_pictures
from worldgen.generation.insert.clips.inserted_clip import clip_light, insert_into_clip, put_actors
from worldgen.generation.insert.insert_plan import box_of
from worldgen.instruments.detector.detector import box_iou
from worldgen.rendering.drawn_clips import draw_scene
from worldgen.simulation.simulate import simulate

SCENES = (("suburban", "day", 1), ("urban", "day", 2), ("urban", "night_lit", 3), ("highway", "day", 4))
FRAMES, FPS, SIZE = 13, 8.0, (320, 180)
LEAST_PX = 40
KITTI = Camera(384, 216, 721.5 * 384 / 1242, 721.5 * 216 / 375, 609.6 * 384 / 1242, 172.9 * 216 / 375, height_m=1.65)
"""Camera 0 of KITTI odometry, in pixels of the clip."""
DRIVE_FPS, DRIVE_FRAMES, NEAR_M, FAR_M = 9.64, 25, 8.0, 25.0
WISHES = ("pedestrian", "cyclist", "car parked", "pedestrian crossing")


def measured_scenes() -> dict[str, Any]:
    """Intersection over union of silhouettes, by frame and actor."""
    rows: list[dict[str, Any]] = []
    for road, light, seed in SCENES:
        people = () if road == "highway" else (AgentRequest("pedestrian", 2, "anywhere"), AgentRequest("cyclist", 1))
        scenario = Scenario(road=road, light=light, weather="clear", agents=people, duration_s=(FRAMES - 1) / FPS)
        scene = simulate(scenario, seed, fps=FPS, camera=Camera.from_fov(*SIZE, 66.0, height_m=1.5, pitch_rad=0.02))
        whole, labels = draw_scene(scene)
        tall = {a.track_id: _shown(labels, a.track_id) for a in scene.agents if a.label not in (None, "traffic_light")}
        chosen = sorted(tall, key=lambda k: -tall[k])[:4]
        chosen = [k for k in chosen if tall[k] >= 4]
        rest = dataclasses.replace(scene, agents=tuple(a for a in scene.agents if a.track_id not in chosen))
        without, left = draw_scene(rest)
        sample = Sample("scene", without.clip, ego=scene.ego, camera=scene.camera, labels=left, scenario=scenario)
        ground = clip_ground(sample)
        pictures = frame_pictures(sample, ground)
        actors = tuple(actor_of(a, ground) for a in scene.agents if a.track_id in chosen)
        made = put_actors(sample, actors, ground, pictures, clip_light(sample, ground, pictures, 0))
        for actor, mask in zip(actors, made.silhouettes, strict=True):
            for frame in range(FRAMES):
                true = whole.instance[frame] == actor.agent.track_id
                if true.sum() >= LEAST_PX:
                    seen = labels.where((labels.track_id == actor.agent.track_id) & (labels.frame_index == frame))
                    rows.append({
                        "road": road, "light": light, "kind": actor.agent.kind, "frame": frame,
                        "pixels": int(true.sum()), "visible": float(seen.visible_fraction[0]),
                        "iou": float((true & mask[frame]).sum() / (true | mask[frame]).sum()),
                        "box_iou": _box_overlap(box_of(true), box_of(mask[frame])),
                    })  # fmt: skip
    free = [r for r in rows if r["visible"] > 0.98]
    hidden = [r for r in rows if r["visible"] <= 0.98]
    kinds = sorted({r["kind"] for r in free})
    return {
        "scenes": len(SCENES), "silhouettes": len(rows), "size_px": SIZE, "frames": FRAMES, "least_pixels": LEAST_PX,
        "free": {kind: {"silhouette": _spread([r["iou"] for r in free if r["kind"] == kind]),
                        "box": _spread([r["box_iou"] for r in free if r["kind"] == kind])} for kind in kinds},
        "partly_hidden": {"silhouette": _spread([r["iou"] for r in hidden]),
                          "box": _spread([r["box_iou"] for r in hidden])},
        "worst": sorted(rows, key=lambda r: r["iou"])[:5],
    }  # fmt: skip


def _shown(labels: Any, track_id: int) -> int:
    rows = labels.where(labels.track_id == track_id)
    return int(((rows.box_px[:, 3] - rows.box_px[:, 1] >= 16) & (rows.visible_fraction > 0.3)).sum())


def _box_overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return float(box_iou(np.array([one], np.float32), np.array([other], np.float32))[0, 0])


def _spread(values: list[float]) -> dict[str, Any]:
    if not values:
        return {"count": 0}
    low, middle = np.percentile(values, [10, 50])
    return {"count": len(values), "median": round(float(middle), 4), "p10": round(float(low), 4)}


def drive_samples(video: Path, poses_file: Path, starts: list[int]) -> list[tuple[Sample, np.ndarray]]:
    """Clips of a drive with planar ego motion, each with its full poses ``(T, 4, 4)`` from camera i to camera 0."""
    whole = read_clip(str(video))
    full = read_kitti_matrices(poses_file)
    # Ego axes x forward, y left of the camera axes z forward, x right.
    planar = np.stack([full[:, 2, 3], -full[:, 0, 3], -np.arctan2(full[:, 0, 2], full[:, 2, 2])], 1)
    out = []
    for start in starts:
        part = slice(start, start + DRIVE_FRAMES)
        c, s = np.cos(planar[start, 2]), np.sin(planar[start, 2])
        moved = planar[part] - planar[start]
        moved[:, :2] = moved[:, :2] @ np.array([[c, -s], [s, c]])
        ego = ego_from_planar_poses(moved, DRIVE_FPS)
        clip = Clip(whole.frames[part], DRIVE_FPS)
        sample = Sample(f"drive_{start}", clip, ego=ego, camera=KITTI)
        out.append((sample, np.linalg.inv(full[start]) @ full[part]))
    return out


def measured_drive(args: argparse.Namespace) -> dict[str, Any]:
    """How far points that an insert stands on are from where the recorded poses see them, in pixels."""
    errors: dict[str, list[np.ndarray]] = {"with_shake": [], "without_shake": []}
    tiles, notes = [], []
    for number, (sample, full) in enumerate(drive_samples(args.drive, args.poses, [40, 130, 260, 420, 560, 700])):
        for name, steady in (("with_shake", False), ("without_shake", True)):
            ground = clip_ground(sample, steady=steady)
            errors[name].append(_slips(ground, full))
        if args.sheet:
            what = WISHES[number % len(WISHES)]
            made = insert_into_clip(sample, clip_wishes(what, (20, 160)), seed=args.seed)
            notes.append({"clip": sample.key, "what": what, "put": len(made.actors), "refused": made.refused})
            shown = [k for k in range(DRIVE_FRAMES) if made.changed[k].any()]
            if shown:
                pick = [shown[round(v)] for v in np.linspace(0, len(shown) - 1, 4)]
                tiles.append(np.concatenate([made.sample.clip.frames[k] for k in pick], 1))
    if tiles:
        write_image(args.sheet, np.concatenate(tiles, 0))
    result: dict[str, Any] = {
        "points_at_m": [NEAR_M, FAR_M],
        "clips": len(errors["with_shake"]),
        "frames": DRIVE_FRAMES,
    }
    for name, parts in errors.items():
        slip = np.concatenate(parts)
        result[name] = {
            "points": len(slip), "rows_px": _spread_px(slip[:, 1]), "columns_px": _spread_px(slip[:, 0]),
            "as_metres_of_height": _spread_px(slip[:, 2]),
        }  # fmt: skip
    return result | ({"inserts": notes} if notes else {})


def _spread_px(values: np.ndarray) -> dict[str, float]:
    size = np.abs(values)
    return {"median": round(float(np.median(size)), 3), "p90": round(float(np.percentile(size, 90)), 3)}


def _slips(ground: Any, full: np.ndarray) -> np.ndarray:
    """Columns, rows (px) and the row error as metres of an upright object there, ``(M, 3)``: ours minus recorded.

    Each point is on the road ``NEAR_M`` before the camera of frame m, and is looked at in the frames before it.
    """
    out = []
    place = ground.poses
    for m in range(8, len(full)):
        for left in (-2.0, 0.0, 2.0):
            near = np.array([-left, KITTI.height_m, NEAR_M, 1.0])  # camera axes of frame m
            c, s = np.cos(place[m, 2]), np.sin(place[m, 2])
            world = place[m, :2] + np.array([c * NEAR_M - s * left, s * NEAR_M + c * left])
            for k in range(m):
                point = np.linalg.inv(full[k]) @ full[m] @ near
                if not NEAR_M <= point[2] <= FAR_M:
                    continue
                true = KITTI.fx_px * point[0] / point[2] + KITTI.cx_px, KITTI.fy_px * point[1] / point[2] + KITTI.cy_px
                dx, dy = world - place[k, :2]
                c2, s2 = np.cos(place[k, 2]), np.sin(place[k, 2])
                ours, _ = ground.cameras[k].project(np.array([c2 * dx + s2 * dy, -s2 * dx + c2 * dy, 0.0]))
                slip = ours - np.array(true)
                out.append([slip[0], slip[1], slip[1] * point[2] / KITTI.fy_px])
    return np.array(out).reshape(-1, 3)


def main() -> None:
    """Measure what is asked and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rendered", action="store_true")
    parser.add_argument("--drive", type=Path)
    parser.add_argument("--poses", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    result = json.loads(args.out.read_text()) if args.out.is_file() else {}
    if args.rendered:
        result["rendered"] = measured_scenes()
    if args.drive:
        result["drive"] = measured_drive(args)
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1), file=sys.stderr)


if __name__ == "__main__":
    main()
