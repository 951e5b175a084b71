"""A first plan from rows in hand: what their columns hold, which role each seems to play, the plan as text."""
