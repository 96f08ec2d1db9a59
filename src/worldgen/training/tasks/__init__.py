"""What is trained: each task prepares data and weights, builds its network, and computes losses, validation and
sheets."""
