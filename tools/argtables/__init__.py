"""Reading the arguments of released packages out of their source text, without importing them."""
