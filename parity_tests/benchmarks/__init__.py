"""How fast the implementations are: against the floor, and against what users write."""
