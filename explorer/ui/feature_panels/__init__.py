"""Panels of the page on feature maps, one file each: a function of the `Subject` that is looked at."""
