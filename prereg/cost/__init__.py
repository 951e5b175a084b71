"""`seedlock estimate`: what a study takes before anything is spent."""
