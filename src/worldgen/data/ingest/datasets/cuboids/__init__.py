"""Annotated cuboids of public data sets, as boxes in the pictures of a camera."""
