"""Items to prompts to requests, and what an answer says of itself."""
