"""Base models brought here: packages of PyPI, GGUF files and hub ids, to folders in a cache outside any repository."""
