"""Perpetuals: prices, pools, orders, liquidation and deleveraging (``docs/spec/perps.md`` and its chapters).

Each module holds step functions; ``dispatch`` of ``prices``, ``pools``, ``orders``, ``liquidation`` and ``adl`` is
called by ``block.dispatch_cold`` for their rows of ``docs/spec/steps.md``. Nothing here is reached in a zone without
perpetuals.
"""
