"""The simulated company: what `make demo`, tests and benchmarks read instead of a real one."""
