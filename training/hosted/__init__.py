"""Fine-tuning that others carry out: an OpenAI-compatible API, or jobs that finished elsewhere."""
