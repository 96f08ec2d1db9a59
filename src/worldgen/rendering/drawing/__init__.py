"""The software renderer: a scene and a camera go in; images, depth, instance ids and classes of frames come out."""
