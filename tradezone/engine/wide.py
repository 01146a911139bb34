"""Wide arithmetic: products of two 64-bit integers, divided and compared exactly."""
