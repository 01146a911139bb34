"""The one definition of every record, action, leaf, event, limit and error of the TradeZone.

Nothing here reads a clock, draws a random number or touches a file, and nothing here imports another
package of ``tradezone``. Engine, model, contracts' generated libraries, client and verifier all read
their layouts from this package.
"""
