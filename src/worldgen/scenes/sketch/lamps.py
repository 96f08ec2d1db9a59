"""Everything that glows: lamps of vehicles, signals, windows, street lamps; and the light they throw."""

from __future__ import annotations

import numpy as np

from worldgen.core.scene import SIGNAL_STATES, Scene
from worldgen.core.seeds import stable_hash
from worldgen.scenes.sketch.mesh import LAMP
from worldgen.scenes.sketch.props import ARM_M
from worldgen.scenes.sketch.raster import Stage

GLOW = {
    "head": (9.0, 8.6, 7.8), "tail": (1.3, 0.06, 0.04), "brake": (6.5, 0.35, 0.22), "turn": (5.0, 2.0, 0.25), "red": (6.0, 0.25, 0.15),
    "amber": (5.5, 2.6, 0.2), "green": (0.3, 5.0, 1.8), "warm": (7.0, 5.2, 2.9), "window": (0.9, 0.66, 0.36), "beacon": (6.0, 3.0, 0.3),
}  # fmt: skip
"""Linear radiance relative to a white surface in daylight."""
BLINK_HZ = 1.5
SODIUM, WHITE_LED = np.array([1.0, 0.66, 0.34], np.float32), np.array([0.95, 0.92, 0.80], np.float32)
LAMP_REACH_M = 75.0
BEAM_COLOUR = np.array([1.0, 0.97, 0.90], np.float32)


class Lamps:
    """The glowing faces and light sources of a scene."""

    def __init__(self, stage: Stage, night: float):
        self.stage, self.scene, self.night = stage, stage.scene, night
        self.faces = np.flatnonzero(stage.lamp > 0)
        self.codes = stage.lamp[self.faces]
        self.owner = stage.group_agent[stage.group[self.faces]]
        self.lucky = np.array(
            [stable_hash("lamp", self.scene.seed, int(f)) % 100 for f in stage.group[self.faces] * 7 + self.faces // 2]
        )
        self.heads = _street_lamp_heads(self.scene)

    def emission(self, frame: int) -> np.ndarray:
        """Radiance of every face, ``(F, 3)`` float32, at one frame."""
        out = np.zeros((self.stage.num_faces, 3), np.float32)
        agents, on = self.scene.agents, np.zeros((len(self.faces), 3), np.float32)
        blink = (frame / self.scene.fps * BLINK_HZ) % 1.0 < 0.5
        dark = max(self.night, 0.25)
        for index in np.unique(self.owner):
            mine = self.owner == index
            table = np.zeros((len(LAMP), 3), np.float32)
            if index < 0:
                if self.scene.atmosphere.street_lamps_on:
                    table[LAMP["warm"]] = GLOW["warm"]
                if blink:
                    table[LAMP["beacon"]] = GLOW["beacon"]
                table[LAMP["red"]] = GLOW["red"]
                table[LAMP["window"]] = np.array(GLOW["window"]) * self.night
            else:
                _agent_lamps(table, agents[index], frame, blink=blink)
                table[LAMP["window"]] = np.array(GLOW["window"]) * (0.8 * self.night)
                table[LAMP["warm"]] = (1.2, 0.6, 0.1)
            on[mine] = table[self.codes[mine]]
        # Lamps look dimmer by day, where the eye of the camera closes; windows are lit in two rooms of five.
        on *= np.where((self.codes == LAMP["window"]) & (self.owner < 0) & (self.lucky > 40), 0.0, 1.0)[:, None]
        out[self.faces] = on * (0.45 + 0.55 * dark)
        return out

    def street_light(self, points: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Light of the nearest street lamps on world points ``(..., 3)``: ``(...)`` float32, 1 right below one at 7 m."""
        total = np.zeros(points.shape[:-1], np.float32)
        if not self.scene.atmosphere.street_lamps_on or not len(self.heads):
            return total
        distance = np.linalg.norm(self.heads[:, :2] - place[:2], axis=1)
        for lamp in self.heads[np.argsort(distance)[:12]]:
            if np.linalg.norm(lamp[:2] - place[:2]) > LAMP_REACH_M:
                continue
            dx, dy = points[..., 0] - np.float32(lamp[0]), points[..., 1] - np.float32(lamp[1])
            drop = np.float32(lamp[2]) - points[..., 2]
            square = dx * dx + dy * dy + drop * drop + 1.0
            total += np.clip(drop, 0.0, None) * np.float32(lamp[2] ** 2) / (square * np.sqrt(square))
        return total

    def headlight(self, points: np.ndarray, *, high: bool) -> np.ndarray:
        """Light of the ego's headlamps on ego-frame points ``(..., 3)``: ``(...)`` float32.

        A dipped beam: brightest just below the horizontal, cut off above it, wider near the car. After the shape of
        ECE R112: the cut-off rises slightly on the right.
        """
        x = np.maximum(points[..., 0], 0.3)
        y, z = points[..., 1] / x, (points[..., 2] - 0.65) / x
        cut = 0.045 if high else 0.004 + 0.02 * np.clip(-y * 4, 0, 1)
        above = 1.0 / (1.0 + np.exp(np.clip((z - cut) * 110.0, -30, 30)))
        side = np.exp(-np.square(y / 0.46)) + 0.25 * np.exp(-np.square(y / 0.9))
        near = np.clip((x - 1.5) / 4.0, 0.0, 1.0)
        fall = 1.0 / (1.0 + np.square(x / (26.0 if high else 17.0)))
        return ((0.10 + 0.90 * above) * side * near * fall * (points[..., 0] > 0.3)).astype(np.float32)

    def traffic_light_pools(self, frame: int, points: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Light that other vehicles throw on the road at world points ``(..., 3)``: white ahead of them, red behind."""
        white = np.zeros(points.shape[:-1], np.float32)
        red = np.zeros_like(white)
        near = []
        for agent in self.scene.agents:
            if (
                agent.present[frame]
                and (agent.lights_on or agent.braking[frame])
                and agent.kind in ("car", "van", "truck", "bus", "motorcycle")
            ):
                near.append((float(np.hypot(*(agent.poses[frame, :2] - place[:2]))), agent))
        for distance, agent in sorted(near, key=lambda item: item[0])[:8]:
            if distance > 70:
                break
            x, y, _, yaw = agent.poses[frame]
            c, s = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
            dx, dy = points[..., 0] - np.float32(x), points[..., 1] - np.float32(y)
            along, across = c * dx + s * dy, c * dy - s * dx
            half = agent.size_m[0] / 2
            if agent.lights_on:
                ahead = along - half
                white += np.where(
                    ahead > 0,
                    np.exp(-np.square(across / (1.2 + 0.25 * np.maximum(ahead, 0))) - np.square((ahead - 4) / 9)),
                    0,
                )
            behind = -half - along
            red += (1.0 if agent.braking[frame] else 0.3 * agent.lights_on) * np.where(
                behind > 0, np.exp(-np.square(across / 1.4) - np.maximum(behind, 0) / 2.5), 0
            )
        return white, red


def _agent_lamps(table: np.ndarray, agent, frame: int, *, blink: bool) -> None:
    if agent.lights_on:
        table[LAMP["head"]] = GLOW["head"]
        table[LAMP["tail"]] = GLOW["tail"]
    if agent.braking[frame]:
        table[LAMP["tail"]] = GLOW["brake"]
    turn = int(agent.indicator[frame])
    if blink and turn:
        if turn in (1, 2):
            table[LAMP["left"]] = GLOW["turn"]
        if turn in (-1, 2):
            table[LAMP["right"]] = GLOW["turn"]
    if agent.signal_state is not None:
        state = SIGNAL_STATES[int(agent.signal_state[frame])]
        if state != "off":
            table[LAMP[state]] = GLOW[state]


def _street_lamp_heads(scene: Scene) -> np.ndarray:
    """World places of street lamp heads, ``(N, 3)`` float64."""
    heads = []
    for static in scene.statics:
        if static.kind == "street_lamp":
            x, y, z = static.position_m
            heads.append(
                (x + ARM_M * np.cos(static.yaw_rad), y + ARM_M * np.sin(static.yaw_rad), z + static.size_m[2] - 0.1)
            )
    return np.array(heads).reshape(-1, 3)
