"""The sketch: low-poly meshes, one geometry pass, and light and weather painted over it with NumPy and OpenCV."""
