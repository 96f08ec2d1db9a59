"""Checks: simulated tracks, ego poses and a camera go in; faults (overlaps, events out of range or out of view) come out."""
