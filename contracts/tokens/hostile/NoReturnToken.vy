# pragma version 0.4.3
"""
@title No-return token
@license Apache-2.0
@notice Odd, not hostile: `transfer` and `transferFrom` return nothing, as some large tokens do.
"""
from .. import erc20

initializes: erc20

exports: (
    erc20.name,
    erc20.symbol,
    erc20.decimals,
    erc20.totalSupply,
    erc20.balanceOf,
    erc20.allowance,
    erc20.approve,
    erc20.mint,
)


@deploy
def __init__():
    erc20.__init__("No return", "NORET", 6)


@external
def transfer(to: address, amount: uint256):
    erc20._move(msg.sender, to, amount)


@external
def transferFrom(sender: address, to: address, amount: uint256):
    erc20._spend(sender, msg.sender, amount)
    erc20._move(sender, to, amount)
