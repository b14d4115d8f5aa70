"""What can be done further with a layer, under its window: one panel a file."""
