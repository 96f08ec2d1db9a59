"""Control videos: what pretrained video models are told of a scene or of a real clip, exact at the size of the clip."""
