"""What the LoRA trainer is made of: its loss, its checkpoints, its files."""
