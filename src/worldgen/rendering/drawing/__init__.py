"""The software rasteriser: a scene and a camera go in.

images, depth, instance ids and classes of each frame come out.
"""
