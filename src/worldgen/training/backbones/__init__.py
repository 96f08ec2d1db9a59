"""Fine-tuning of pretrained video models: what each family needs for training, its data, loss, task and adapter."""
