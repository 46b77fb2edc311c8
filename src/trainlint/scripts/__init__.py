"""What training scripts declare as their arguments, read from their text."""
