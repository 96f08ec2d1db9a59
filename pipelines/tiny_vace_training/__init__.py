"""Training of a small Wan VACE on rendered clips: the real classes, a few million parameters, one CPU core."""
