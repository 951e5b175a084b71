"""What every room of prereg stands on: digests, paths, git, JSON pointers."""
