"""The training loop, whatever the task: a task enters; checkpoints, metrics, sheets and the saved model leave."""
