"""vLLM in a process and an environment of its own: the worker, the line to it, what it carries, the canary."""
