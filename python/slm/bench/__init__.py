"""How fast this machine trains and generates, as shares of what it can reach: for `slm bench` and
the programs in benchmarks/."""
