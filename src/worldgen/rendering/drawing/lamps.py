"""Emitters: lamps of vehicles, signals, windows and street lamps; their emission and the light they cast."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.scene import SIGNAL_STATES, Agent, Scene
from worldgen.core.seeds import stable_hash
from worldgen.rendering.drawing.raster import RasterScene
from worldgen.rendering.drawing.view import View
from worldgen.rendering.meshes.mesh import LAMP
from worldgen.rendering.meshes.props import ARM_M

RADIANCE = {
    "head": (9.0, 8.6, 7.8), "tail": (1.4, 0.035, 0.025), "brake": (7.0, 0.14, 0.09), "turn": (5.5, 1.7, 0.10),
    "red": (6.5, 0.16, 0.10), "amber": (5.5, 2.6, 0.2), "green": (0.15, 5.0, 1.6), "warm": (7.0, 5.2, 2.9),
    "window": (0.9, 0.66, 0.36), "beacon": (6.0, 3.0, 0.3),
}  # fmt: skip
"""Linear radiance relative to a white surface in daylight."""
BLINK_HZ = 1.5
SODIUM, WHITE_LED = np.array([1.0, 0.66, 0.34], np.float32), np.array([0.95, 0.92, 0.80], np.float32)
LAMP_REACH_M = 75.0
MOTOR_KINDS = ("car", "van", "truck", "bus", "motorcycle")
RED_LIGHT = np.array([1.0, 0.08, 0.05], np.float32)
BEAM_COLOUR = np.array([1.0, 0.97, 0.90], np.float32)


class Lamps:
    """The emissive faces and light sources of a scene. night: 0 by day to 1 at night."""

    def __init__(self, raster_scene: RasterScene, night: float):
        self.raster_scene, self.scene, self.night = raster_scene, raster_scene.scene, night
        self.faces = np.flatnonzero(raster_scene.lamp > 0)
        self.codes = raster_scene.lamp[self.faces]
        self.owner = raster_scene.group_agent[raster_scene.group[self.faces]]
        self.window_draw = np.array(
            [
                stable_hash("lamp", self.scene.seed, int(f)) % 100
                for f in raster_scene.group[self.faces] * 7 + self.faces // 2
            ]
        )
        self.heads = _street_lamp_heads(self.scene)

    def emission(self, frame: int) -> np.ndarray:
        """Linear radiance of every face of the scene in one frame, ``(F, 3)`` float32."""
        out = np.zeros((self.raster_scene.num_faces, 3), np.float32)
        agents, on = self.scene.agents, np.zeros((len(self.faces), 3), np.float32)
        blink = (frame / self.scene.fps * BLINK_HZ) % 1.0 < 0.5
        dark = max(self.night, 0.25)
        for index in np.unique(self.owner):
            mine = self.owner == index
            table = np.zeros((len(LAMP), 3), np.float32)
            if index < 0:
                if self.scene.atmosphere.street_lamps_on:
                    table[LAMP["warm"]] = RADIANCE["warm"]
                if blink:
                    table[LAMP["beacon"]] = RADIANCE["beacon"]
                table[LAMP["red"]] = RADIANCE["red"]
                table[LAMP["window"]] = np.array(RADIANCE["window"]) * self.night
            else:
                _agent_lamps(table, agents[index], frame, blink=blink)
                table[LAMP["window"]] = np.array(RADIANCE["window"]) * (0.8 * self.night)
                table[LAMP["warm"]] = (1.2, 0.6, 0.1)
            on[mine] = table[self.codes[mine]]
        # Lamps are dimmed by day. Two windows of five are lit.
        on *= np.where((self.codes == LAMP["window"]) & (self.owner < 0) & (self.window_draw > 40), 0.0, 1.0)[:, None]
        out[self.faces] = on * (0.45 + 0.55 * dark)
        return out

    def light(self, view: View, shelter: np.ndarray, ground: np.ndarray) -> np.ndarray:
        """Irradiance from all lamps, ``(H, W, 3)`` float32.

        shelter: ``(H, W)`` share of light that reaches the ground. ground: ``(H, W)``, 1 on the ground.
        """
        dark = np.float32(max(self.night, 0.15))
        light = np.zeros((*view.depth.shape, 3), np.float32)
        if self.scene.atmosphere.headlights_on:
            light += (self.headlight(view) * (0.85 * dark))[..., None] * BEAM_COLOUR
        if self.night > 0.3:
            # Light on the ground is smooth, so half the resolution is enough.
            half = (slice(None, None, 2), slice(None, None, 2))
            at = np.stack(
                [view.east[half], view.north[half], view.up[half] + np.float32(self.scene.ego_z_m[view.frame])]
            )
            tint = SODIUM if self.scene.seed % 3 else WHITE_LED
            pools = (self.street_light(at, view.camera_position) * np.float32(0.30 * self.night))[..., None] * tint
            white, red = self.vehicle_light(view.frame, at, view.camera_position)
            on_ground = ground[half]
            pools += (white * on_ground * (0.30 * dark))[..., None] * BEAM_COLOUR
            pools += (red * on_ground * (0.22 * dark))[..., None] * RED_LIGHT
            light += cv2.resize(pools, light.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return light * np.where(ground > 0, shelter, 1.0)[..., None]

    def street_light(self, at: np.ndarray, camera_position: np.ndarray) -> np.ndarray:
        """Irradiance ``(h, w)`` float32 from the nearest street lamps; 1 right below a lamp.

        at: world points ``(3, h, w)`` m. camera_position: ``(3,)`` world m.
        """
        total = np.zeros(at.shape[1:], np.float32)
        if not self.scene.atmosphere.street_lamps_on or not len(self.heads):
            return total
        distance = np.linalg.norm(self.heads[:, :2] - camera_position[:2], axis=1)
        nearest = [k for k in np.argsort(distance)[:12] if distance[k] < LAMP_REACH_M]
        for x, y, z in self.heads[nearest].astype(np.float32):
            drop = np.maximum(z - at[2], 0.0)
            square = np.square(at[0] - x) + np.square(at[1] - y) + np.square(drop) + 1.0
            total += drop * (z * z) / (square * np.sqrt(square))
        return total

    def headlight(self, view: View) -> np.ndarray:
        """Irradiance ``(H, W)`` float32 from the ego's headlamps.

        The low beam is brightest just below the horizontal, cut off above it and wider near the car. On unlit roads in
        clear or overcast weather the high beam is on. Source: the shape of ECE R112; its cut-off rises on the right.
        """
        scenario = self.scene.scenario
        high = scenario.light == "night_unlit" and scenario.weather in ("clear", "overcast")
        x = np.maximum(view.ahead, 0.3)
        y, z = view.left / x, (view.up - 0.65) / x
        cut = 0.045 if high else 0.004 + 0.02 * np.clip(-4 * y, 0, 1)
        above = 1.0 / (1.0 + np.exp(np.clip((z - cut) * 110.0, -30, 30)))
        side = np.exp(-np.square(y / 0.46)) + 0.25 * np.exp(-np.square(y / 0.9))
        near = np.clip((x - 1.5) / 4.0, 0.0, 1.0)
        return (0.10 + 0.90 * above) * side * near / (1.0 + np.square(x / (26.0 if high else 17.0)))

    def vehicle_light(self, frame: int, at: np.ndarray, camera_position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Light of other vehicles on the road, each ``(h, w)`` float32: white ahead of them, red behind them.

        at: world points ``(3, h, w)`` m. camera_position: ``(3,)`` world m.
        """
        white, red = np.zeros(at.shape[1:], np.float32), np.zeros(at.shape[1:], np.float32)
        near = []
        for agent in self.scene.agents:
            if agent.present[frame] and (agent.lights_on or agent.braking[frame]) and agent.kind in MOTOR_KINDS:
                near.append((float(np.hypot(*(agent.poses[frame, :2] - camera_position[:2]))), agent))
        for distance, agent in sorted(near, key=lambda item: item[0])[:6]:
            if distance > 60:
                break
            x, y, _, yaw = (np.float32(v) for v in agent.poses[frame])
            c, s = np.cos(yaw), np.sin(yaw)
            along, across = c * (at[0] - x) + s * (at[1] - y), c * (at[1] - y) - s * (at[0] - x)
            ahead = along - np.float32(agent.size_m[0] / 2)
            if agent.lights_on:
                spread = 1.2 + 0.25 * np.maximum(ahead, 0)
                white += (ahead > 0) * np.exp(-np.square(across / spread) - np.square((ahead - 4) / 9))
            behind = -along - np.float32(agent.size_m[0] / 2)
            strength = 1.0 if agent.braking[frame] else 0.3 * agent.lights_on
            red += np.float32(strength) * (behind > 0) * np.exp(-np.square(across / 1.4) - np.maximum(behind, 0) / 2.5)
        return white, red


def _agent_lamps(table: np.ndarray, agent: Agent, frame: int, *, blink: bool) -> None:
    """Fill in the radiance of the lamps that are on. table: ``(len(LAMP), 3)`` by lamp code."""
    if agent.lights_on:
        table[LAMP["head"]] = RADIANCE["head"]
        table[LAMP["tail"]] = RADIANCE["tail"]
    if agent.braking[frame]:
        table[LAMP["tail"]] = RADIANCE["brake"]
    turn = int(agent.indicator[frame])
    if blink and turn:
        if turn in (1, 2):
            table[LAMP["left"]] = RADIANCE["turn"]
        if turn in (-1, 2):
            table[LAMP["right"]] = RADIANCE["turn"]
    if agent.signal_state is not None:
        state = SIGNAL_STATES[int(agent.signal_state[frame])]
        if state != "off":
            table[LAMP[state]] = RADIANCE[state]


def _street_lamp_heads(scene: Scene) -> np.ndarray:
    """World positions of street lamp heads, ``(N, 3)`` float64 m."""
    heads = []
    for static in scene.statics:
        if static.kind == "street_lamp":
            x, y, z = static.position_m
            heads.append(
                (x + ARM_M * np.cos(static.yaw_rad), y + ARM_M * np.sin(static.yaw_rad), z + static.size_m[2] - 0.1)
            )
    return np.array(heads).reshape(-1, 3)
