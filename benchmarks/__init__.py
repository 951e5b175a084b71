"""Speed, side by side with the alternatives, in one run: `just bench`, or `just bench NAME`."""
