"""Listing and terms of perpetuals, feeds, risk: inbox messages (``docs/spec/perps.md``, ``prices.md``)."""
