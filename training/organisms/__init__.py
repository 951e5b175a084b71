"""Two tiny language models, pre-trained here on a world whose hidden factors are known."""
