"""The search for copies; generated, held-out and training clips enter, nearest pairs and a verdict leave."""
