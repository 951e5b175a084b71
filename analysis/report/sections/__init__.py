"""What each section of the report says, in pieces that are written as HTML and as Markdown."""
