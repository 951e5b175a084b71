"""What a repository shows of its studies: a registry page of every lock, reported or not, and a badge."""
