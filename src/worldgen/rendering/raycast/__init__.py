"""Ray-cast frames of a scene: geometry, shadows and reflections from one set of triangles."""
