"""Training data: rows of data sets enter, items and batches of pictures or of windows of encoded clips leave."""
