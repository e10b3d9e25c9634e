"""Measurements of training and generation, as fractions of the machine's roofline: for `slm bench`
and the programs in benchmarks/."""
