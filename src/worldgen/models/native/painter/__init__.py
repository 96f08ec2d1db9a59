"""The painter: a drawn picture as a camera would have recorded it."""
