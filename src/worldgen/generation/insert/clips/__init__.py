"""Labelled clips with inserts: actors with tracks in metres under the motion and the camera of each clip."""
