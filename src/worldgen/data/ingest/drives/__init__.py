"""Which sources belong to one drive, the splits of drives, and what would leak between them."""
