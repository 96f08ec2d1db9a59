"""What rays can meet: the triangles of a scene, in trees of boxes, and the rays of a camera."""
