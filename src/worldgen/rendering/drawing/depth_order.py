"""The drawing order of agents (painter's algorithm): far to near, corrected pairwise by separating planes."""

from __future__ import annotations

import numpy as np

from worldgen.core.scene import Scene


class AgentOrder:
    """Sorting distances of all agents of a scene, for each frame."""

    def __init__(self, scene: Scene):
        agents = scene.agents
        poses = np.array([a.poses for a in agents], float).reshape(len(agents), -1, 4)
        half = np.array([a.size_m[:2] for a in agents], float).reshape(-1, 2) / 2
        c, s = np.cos(poses[..., 3]), np.sin(poses[..., 3])
        axes = np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)], -2)  # (A, T, 2, 2): forward, left
        self.centre = poses[..., :2]
        self.normals = np.concatenate([axes, -axes], -2)  # (A, T, 4, 2)
        reach = np.concatenate([half, half], -1)[:, None, :]
        self.offsets = np.einsum("atfc,atc->atf", self.normals, self.centre) + reach
        signs = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)], float)
        self.corners = self.centre[:, :, None] + np.einsum("kc,ac,atcd->atkd", signs, half, axes)

    def distances(self, frame: int, camera_position: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """Sorting distance in metres of every agent, ``(A,)`` float64; larger is drawn earlier.

        camera_position: ``(3,)`` world m. shown: ``(A,)`` bool, agents with a visible face; the others keep the
        distance to their centre. The order by distance to the centre is corrected pair by pair: an agent may be drawn
        before another when a side plane of either box separates them and the camera is on the side of the nearer one.

        Source: Newell, Newell and Sancha 1972, restricted to upright boxes seen from above.
        """
        camera = camera_position[:2]
        plain = np.linalg.norm(self.centre[:, frame] - camera, axis=-1)
        chosen = np.flatnonzero(shown)
        if len(chosen) < 2:
            return plain
        first = self._may_come_first(chosen, frame, camera)
        order = list(np.argsort(-plain[chosen], kind="stable"))
        for position in range(1, len(order)):
            item, at = order[position], position
            for back in range(position - 1, -1, -1):
                if not first[order[back], item] and first[item, order[back]]:
                    at = back
            if at != position:
                order.insert(at, order.pop(position))
        out = plain.copy()
        sorted_plain = plain[chosen][order]
        corrected = np.maximum.accumulate((sorted_plain + 1e-4 * np.arange(len(order), 0, -1))[::-1])[::-1]
        out[chosen[order]] = corrected + 1e-3 * np.arange(len(order), 0, -1)
        return out

    def _may_come_first(self, chosen: np.ndarray, frame: int, camera: np.ndarray) -> np.ndarray:
        """``(N, N)`` bool: whether agent i may be drawn before agent j without j wrongly covering it."""
        normals, offsets = self.normals[chosen, frame], self.offsets[chosen, frame]
        corners = self.corners[chosen, frame]
        camera_out = normals @ camera > offsets  # (N, 4)
        height = np.einsum("ifc,jkc->ifjk", normals, corners) - offsets[:, :, None, None]
        others_out = (height > -0.02).all(-1)  # (N, 4, N): j wholly beyond side f of i
        in_front = (camera_out[:, :, None] & others_out).any(1)  # j nearer than i
        behind = (~camera_out[:, :, None] & others_out).any(1)  # j farther than i
        return in_front | behind.T
