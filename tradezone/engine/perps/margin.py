"""Margin: what a position is worth and what it asks for (``docs/spec/margin.md``)."""
