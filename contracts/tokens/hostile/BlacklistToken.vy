# pragma version 0.4.3
"""
@title Blacklist token
@license Apache-2.0
@notice Hostile: whoever is blocked neither sends nor receives.
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


is_blocked: public(HashMap[address, bool])


@deploy
def __init__():
    erc20.__init__("Blacklist", "BLOCK", 6)


@external
def set_blocked(account: address, is_blocked: bool):
    self.is_blocked[account] = is_blocked


@external
def transfer(to: address, amount: uint256) -> bool:
    self._move_unblocked(msg.sender, to, amount)
    return True


@external
def transferFrom(sender: address, to: address, amount: uint256) -> bool:
    erc20._spend(sender, msg.sender, amount)
    self._move_unblocked(sender, to, amount)
    return True


@internal
def _move_unblocked(sender: address, to: address, amount: uint256):
    assert not self.is_blocked[sender], "blacklist: sender"
    assert not self.is_blocked[to], "blacklist: receiver"
    erc20._move(sender, to, amount)
