"""Final settlement of a market (``docs/spec/adl.md``)."""
