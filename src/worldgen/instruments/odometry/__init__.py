"""Speed, yaw rate and camera of a clip, measured from its pixels by geometry."""
