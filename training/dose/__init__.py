"""How far fine-tuning moves the organisms by steps and learning rate: docs/dose.md."""
