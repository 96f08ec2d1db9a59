"""Low-poly meshes: the kind, variant, size and style of an object go in; polygons with surface attributes come out."""
