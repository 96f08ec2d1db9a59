"""Motion measured from the pixels of a source: its promise, and whether a log fits it."""
