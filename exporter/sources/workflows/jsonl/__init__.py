"""Log files in which programs write a line of JSON for each of their runs."""
