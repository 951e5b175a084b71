"""From chats to token ids with the supervised tokens marked, through a model's own chat template."""
