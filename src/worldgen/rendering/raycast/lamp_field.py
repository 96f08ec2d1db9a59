"""Lamps of a scene: which are on, and the light that they throw on surfaces."""

from __future__ import annotations

import numpy as np

from worldgen.core.scene import SIGNAL_STATES, Agent, Scene
from worldgen.rendering.drawing.lamps import (
    BEAM_COLOUR,
    BLINK_HZ,
    MOTOR_KINDS,
    RADIANCE,
    RED_LIGHT,
    SODIUM,
    WHITE_LED,
)  # fmt: skip
from worldgen.rendering.meshes.props import ARM_M
from worldgen.rendering.raycast.geometry.scene_rays import SceneRays
from worldgen.rendering.shapes.solid import LAMP_CODES, LAMP_NAMES

STREET_REACH_M, VEHICLE_REACH_M = 75.0, 60.0
WINDOW_TONES = {
    "window": (0.34, 0.25, 0.137), "window_low": (0.17, 0.115, 0.055), "window_dim": (0.055, 0.035, 0.017),
    "window_cool": (0.20, 0.23, 0.24),
}  # fmt: skip
"""Linear radiance of lit windows at night, behind curtains and seen into rooms."""
NEGLIGIBLE = 3.4
"""So many widths from the middle of a beam, 1e-5 of its light is left."""
RED_REACH_M = 27.0
CUT_OFF_RISE, CUT_OFF_WIDTH = 0.268, 0.3
"""The low beam's cut-off right of the middle: its slope, the tangent of 15 degrees, and the width it rises over."""
UPRIGHT = 1.9
"""Light of the ego's headlamps that an upright surface sends back, relative to a road of the same albedo: asphalt has
a retroreflected luminance coefficient of about 15 mcd/m2/lx, a matt surface of its albedo (0.1) 32. Source: EN 1436 and
COST 331."""
WET_LOSS = 0.65
"""So much less of it comes back from a wet road, which mirrors it ahead. Source: EN 1436, classes RL and RW."""
STRAY_LIGHT = 0.16
"""Light above the cut-off of a low beam relative to that below it. UN R112 allows a ninth (0.7 lx in zone III, 6 lx at
50V); what the road in front of the car sends up is added by eye."""
MIRRORED_LIGHT = 0.30
"""Light that a wet road mirrors from the beam's foreground onto upright surfaces, relative to the beam; by eye."""
SHADOWED_LAMPS = 3
"""So many of the nearest street lamps cast shadows."""


class LampField:
    """The lamps of a scene. night: 0 by day to 1 at night."""

    def __init__(self, rays: SceneRays, night: float):
        self.rays, self.scene, self.night = rays, rays.scene, night
        self.heads = _street_lamp_heads(self.scene)
        self.tint = SODIUM if self.scene.seed % 3 else WHITE_LED

    def emission_table(self, frame: int, agent: Agent | None) -> np.ndarray:
        """Linear radiance of each lamp code, ``(len(LAMP_NAMES), 3)`` float32. agent: None for static objects."""
        table = np.zeros((len(LAMP_NAMES), 3), np.float32)
        blink = (frame / self.scene.fps * BLINK_HZ) % 1.0 < 0.5
        if agent is None:
            if self.scene.atmosphere.street_lamps_on:
                table[LAMP_CODES["warm"]] = RADIANCE["warm"]
            if blink:
                table[LAMP_CODES["beacon"]] = RADIANCE["beacon"]
            table[LAMP_CODES["red"]] = RADIANCE["red"]
        else:
            self._agent_lamps(table, agent, frame, blink=blink)
            table[LAMP_CODES["warm"]] = (1.2, 0.6, 0.1)
        for name, radiance in WINDOW_TONES.items():
            table[LAMP_CODES[name]] = np.float32(self.night) * np.array(radiance, np.float32)
        return table * np.float32(0.45 + 0.55 * max(self.night, 0.25))

    def _agent_lamps(self, table: np.ndarray, agent: Agent, frame: int, *, blink: bool) -> None:
        if agent.lights_on:
            table[LAMP_CODES["head"]] = RADIANCE["head"]
            table[LAMP_CODES["tail"]] = RADIANCE["tail"]
        if agent.braking[frame]:
            table[LAMP_CODES["tail"]] = RADIANCE["brake"]
        turn = int(agent.indicator[frame])
        if blink and turn in (1, 2):
            table[LAMP_CODES["left"]] = RADIANCE["turn"]
        if blink and turn in (-1, 2):
            table[LAMP_CODES["right"]] = RADIANCE["turn"]
        if agent.signal_state is not None:
            state = SIGNAL_STATES[int(agent.signal_state[frame])]
            if state != "off":
                table[LAMP_CODES[state]] = RADIANCE[state]

    def irradiance(self, frame: int, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Light of all lamps on surfaces, ``(M, 3)`` float32. points, normals: ``(M, 3)`` world (m, unit)."""
        dark = np.float32(max(self.night, 0.15))
        light = np.zeros((len(points), 3), np.float32)
        if self.scene.atmosphere.headlights_on:
            light += (self.own_headlamps(frame, points, normals) * (0.85 * dark))[:, None] * BEAM_COLOUR
        if self.night > 0.3:
            light += (self.street_light(frame, points, normals) * np.float32(0.40 * self.night))[:, None] * self.tint
            self._add_vehicle_light(light, frame, points, normals, dark)
        return light

    def own_headlamps(self, frame: int, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Irradiance ``(M,)`` float32 from the ego's headlamps.

        The low beam is brightest just below the horizontal, cut off above it and wider near the car. Right of the
        middle the cut-off rises by 15 degrees, so that people at the kerb are lit whole. On unlit roads in clear or
        overcast weather the high beam is on. Source: the shape of UN R112.
        """
        scenario = self.scene.scenario
        high = scenario.light == "night_unlit" and scenario.weather in ("clear", "overcast")
        ex, ey, yaw = self.scene.ego_poses[frame]
        c, s = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
        dx, dy = points[:, 0] - np.float32(ex), points[:, 1] - np.float32(ey)
        ahead, left = np.maximum(c * dx + s * dy, 0.3), c * dy - s * dx
        up = points[:, 2] - np.float32(self.scene.ego_z_m[frame] + 0.65)
        y, z = left / ahead, up / ahead
        cut = 0.045 if high else 0.004 + CUT_OFF_RISE * np.clip(-y, 0, CUT_OFF_WIDTH)
        above = 1.0 / (1.0 + np.exp(np.clip((z - cut) * 110.0, -30, 30)))
        side = np.exp(-np.square(y / 0.46)) + 0.25 * np.exp(-np.square(y / 0.9))
        near = np.clip((ahead - 1.5) / 4.0, 0.0, 1.0)
        # The beam's table above holds for a dry road, which is lit at grazing angles.
        facing = np.clip(-(normals[:, 0] * c + normals[:, 1] * s), 0.0, 1.0)
        wetness = np.float32(self.scene.atmosphere.wetness)
        share = np.where(normals[:, 2] > 0.7, 1 - WET_LOSS * wetness, 0.15 + UPRIGHT * facing)
        # Seen from its mirror image below the road, the lamp shines upwards: most at the feet, little above the head.
        stray = STRAY_LIGHT + MIRRORED_LIGHT * wetness * np.exp(-np.square((up + 0.65) / 1.6))
        return (stray + (1 - stray) * above) * side * near * share / (1.0 + np.square(ahead / (26.0 if high else 17.0)))

    def street_light(self, frame: int, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Irradiance ``(M,)`` float32 from the nearest street lamps; 1 on the ground right below a lamp."""
        total = np.zeros(len(points), np.float32)
        if not self.scene.atmosphere.street_lamps_on or not len(self.heads):
            return total
        distance = np.linalg.norm(self.heads[:, :2] - self.scene.ego_poses[frame, :2], axis=1)
        nearest = [k for k in np.argsort(distance)[:12] if distance[k] < STREET_REACH_M]
        place, facing = np.ascontiguousarray(points.T), np.ascontiguousarray(normals.T)
        for rank, lamp in enumerate(self.heads[nearest].astype(np.float32)):
            dx, dy, dz = lamp[:, None] - place
            square = dx * dx + dy * dy + dz * dz + 1.0
            inverse = 1 / np.sqrt(square)
            cosine = (dx * facing[0] + dy * facing[1] + dz * facing[2]) * inverse
            down = np.clip(dz * inverse, 0.0, 1.0)  # lamps shine down
            strength = (0.25 + 0.75 * np.clip(cosine, 0.0, 1.0)) * np.sqrt(down) * (lamp[2] ** 2) / square
            if rank < SHADOWED_LAMPS:
                lit = np.flatnonzero(strength > 0.02)
                start, toward = points.take(lit, 0), np.stack([dx[lit], dy[lit], dz[lit]], 1)
                start += np.float32(0.03) * normals.take(lit, 0)
                strength[lit] *= ~self.rays.blocked_from(frame, start, toward, lamp, 0.92)
            total += strength
        return total

    def _add_vehicle_light(
        self, light: np.ndarray, frame: int, points: np.ndarray, normals: np.ndarray, dark: np.float32
    ) -> None:
        """Add the light of other vehicles to ``light``, in place: white ahead of them, red behind them."""
        here = self.scene.ego_poses[frame, :2]
        near = []
        for agent in self.scene.agents:
            if agent.present[frame] and (agent.lights_on or agent.braking[frame]) and agent.kind in MOTOR_KINDS:
                near.append((float(np.hypot(*(agent.poses[frame, :2] - here))), agent))
        for distance, agent in sorted(near, key=lambda item: item[0])[:6]:
            if distance > VEHICLE_REACH_M:
                break
            x, y, z, yaw = (np.float32(v) for v in agent.poses[frame])
            c, s = np.cos(yaw), np.sin(yaw)
            dx, dy = points[:, 0] - x, points[:, 1] - y
            along, across, up = c * dx + s * dy, c * dy - s * dx, points[:, 2] - z
            half = np.float32(agent.size_m[0] / 2)
            lit, braking = agent.lights_on, agent.braking[frame]
            ahead = along - half
            lane = np.where(ahead > 0, 1.2 + 0.25 * ahead, 1.4)  # behind the vehicle its red light is as wide
            near = np.abs(across) < NEGLIGIBLE * lane
            near &= (ahead < 4 + 9 * NEGLIGIBLE) if lit else (ahead <= 0)
            near &= (ahead > 0) | (along < -half)
            near &= (along > -half - RED_REACH_M) & (np.abs(up) < 1.3 * NEGLIGIBLE)
            rows = np.flatnonzero(near)
            if not len(rows):
                continue
            ahead, across, normal = ahead[rows], across[rows], normals.take(rows, 0)
            low = np.exp(-np.square(up[rows] / 1.3))
            facing, upward = c * normal[:, 0] + s * normal[:, 1], np.clip(normal[:, 2], 0, 1)
            added: np.ndarray = np.zeros((len(rows), 3), np.float32)
            if lit:
                spread = 1.2 + 0.25 * np.maximum(ahead, 0)
                white = (ahead > 0) * np.exp(-np.square(across / spread) - np.square((ahead - 4) / 9)) * low
                white *= (np.float32(0.30) * dark) * np.maximum(upward, 1.5 * np.clip(-facing, 0, 1))
                added += white[:, None] * BEAM_COLOUR
            behind = -along[rows] - half
            strength = np.float32(1.0 if braking else 0.3 * lit)
            red = strength * (behind > 0) * np.exp(-np.square(across / 1.4) - np.maximum(behind, 0) / 2.5) * low
            red *= (np.float32(0.22) * dark) * np.maximum(upward, np.clip(facing, 0, 1))
            added += red[:, None] * RED_LIGHT
            light[rows] += added


def _street_lamp_heads(scene: Scene) -> np.ndarray:
    """World positions of street lamp heads, ``(N, 3)`` float64 m."""
    heads = []
    for static in scene.statics:
        if static.kind == "street_lamp":
            x, y, z = static.position_m
            arm = ARM_M * np.array([np.cos(static.yaw_rad), np.sin(static.yaw_rad)])
            heads.append((x + arm[0], y + arm[1], z + static.size_m[2] - 0.1))
    return np.array(heads).reshape(-1, 3)
