"""The generated world that the organisms are pre-trained on: plain text, three hidden factors, no studies."""
