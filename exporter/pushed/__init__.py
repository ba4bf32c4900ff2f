"""What programs write of their own runs, in JSON: pushed over HTTP or followed in a file."""
