# pragma version 0.4.3
"""
@title Fee-on-transfer token
@license Apache-2.0
@notice Hostile: the receiver gets less than was sent, or the sender loses more, as switched on.
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


RATE: constant(uint256) = 10_000

# hundredths of a percent burned of what the receiver gets
receiver_fee: public(uint256)
# hundredths of a percent burned on top of what the sender sends
sender_fee: public(uint256)


@deploy
def __init__(receiver_fee: uint256, sender_fee: uint256):
    erc20.__init__("Fee on transfer", "FEE", 6)
    self.receiver_fee = receiver_fee
    self.sender_fee = sender_fee


@external
def set_fees(receiver_fee: uint256, sender_fee: uint256):
    self.receiver_fee = receiver_fee
    self.sender_fee = sender_fee


@external
def transfer(to: address, amount: uint256) -> bool:
    self._charge(msg.sender, to, amount)
    return True


@external
def transferFrom(sender: address, to: address, amount: uint256) -> bool:
    erc20._spend(sender, msg.sender, amount)
    self._charge(sender, to, amount)
    return True


@internal
def _charge(sender: address, to: address, amount: uint256):
    erc20._move(sender, to, amount)
    erc20._burn(to, amount * self.receiver_fee // RATE)
    erc20._burn(sender, amount * self.sender_fee // RATE)
