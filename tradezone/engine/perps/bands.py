"""What the price of a perpetual admits, and its price band (``docs/spec/prices.md``)."""
