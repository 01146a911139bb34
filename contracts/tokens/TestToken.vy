# pragma version 0.4.3
"""
@title Test token
@license Apache-2.0
@notice A well-behaved ERC-20 that anyone can mint.
"""
from . import erc20

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
def __init__(name: String[32], symbol: String[16], decimals: uint8):
    erc20.__init__(name, symbol, decimals)


@external
def transfer(to: address, amount: uint256) -> bool:
    erc20._move(msg.sender, to, amount)
    return True


@external
def transferFrom(sender: address, to: address, amount: uint256) -> bool:
    erc20._spend(sender, msg.sender, amount)
    erc20._move(sender, to, amount)
    return True
