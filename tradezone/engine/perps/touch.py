"""Touches: a pool is brought to the present epoch (``docs/spec/pools.md``)."""
