"""Checks: simulated tracks, ego poses and a camera go in; faults (overlaps, events out of range or view) come out."""
