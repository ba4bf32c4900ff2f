"""One module or folder per provider, gateway or cloud."""
