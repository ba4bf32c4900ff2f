"""What is remarkable of model calls and steps: how they failed, ended and recovered."""
