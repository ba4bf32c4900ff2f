"""The simulated company: engine databases, provider APIs and status pages that behave like the real ones."""
