"""Recipes for public data sets: their files, clocks, axes, cameras, boxes and licences, as sources of an ingest."""
