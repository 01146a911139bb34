# pragma version 0.4.3
"""
@title Returns-false token
@license Apache-2.0
@notice Hostile while `is_failing`: it moves nothing and says so by returning False.
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


is_failing: public(bool)


@deploy
def __init__():
    erc20.__init__("Returns false", "FALSE", 6)


@external
def set_failing(is_failing: bool):
    self.is_failing = is_failing


@external
def transfer(to: address, amount: uint256) -> bool:
    if self.is_failing:
        return False
    erc20._move(msg.sender, to, amount)
    return True


@external
def transferFrom(sender: address, to: address, amount: uint256) -> bool:
    if self.is_failing:
        return False
    erc20._spend(sender, msg.sender, amount)
    erc20._move(sender, to, amount)
    return True
