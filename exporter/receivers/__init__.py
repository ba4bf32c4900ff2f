"""Everything that is pushed to us."""
