"""Families that can be fine-tuned: what each is given, and how its network is called."""
