"""Takeovers of positions by the fund (``docs/spec/liquidation.md``)."""
