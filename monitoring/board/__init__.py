"""The Board, which staff see first: how everything is going, and what needs somebody."""
