"""The parts of benchmarks/quality.py, which is the command line."""
