"""How fast, and at whose cost; each module is a script."""
