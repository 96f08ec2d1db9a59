"""Renders scenes: a scene goes in.

Images with depth, instances and classes, labels, layouts and conditions come out.
"""
