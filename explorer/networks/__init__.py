"""Networks: built from parts, taken from the classics, or read from somebody's code."""
