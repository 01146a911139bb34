"""Fills of perpetuals: trades of both sides and their fees (``docs/spec/perps.md``)."""
