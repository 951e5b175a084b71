"""Locked plan and corpus to adapters: corpora, masks, trainers, organisms."""
