"""The numbers of a study once more, by code that shares nothing with the package."""
