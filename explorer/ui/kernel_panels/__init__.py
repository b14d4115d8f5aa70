"""What can be done further with a kernel, under the instrument: one panel a file."""
