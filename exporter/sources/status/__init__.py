"""Status pages: the format is code, the page is a line of data."""
