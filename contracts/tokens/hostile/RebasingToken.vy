# pragma version 0.4.3
"""
@title Rebasing token
@license Apache-2.0
@notice Hostile: all balances are shares of a supply that anyone can scale, so they round and shrink.
"""
event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256


ONE: constant(uint256) = 10**18

name: public(String[32])
symbol: public(String[16])
decimals: public(uint8)
# units of one share, times ONE
index: public(uint256)
shares: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@deploy
def __init__():
    self.name = "Rebasing"
    self.symbol = "REBASE"
    self.decimals = 6
    self.index = ONE


@external
def rebase(numerator: uint256, denominator: uint256):
    """
    @notice Multiply every balance by numerator / denominator.
    """
    self.index = self.index * numerator // denominator


@external
def mint(to: address, amount: uint256):
    self.shares[to] += amount * ONE // self.index


@external
@view
def balanceOf(account: address) -> uint256:
    return self.shares[account] * self.index // ONE


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(to: address, amount: uint256) -> bool:
    self._move(msg.sender, to, amount)
    return True


@external
def transferFrom(sender: address, to: address, amount: uint256) -> bool:
    self.allowance[sender][msg.sender] -= amount
    self._move(sender, to, amount)
    return True


@internal
def _move(sender: address, to: address, amount: uint256):
    moved: uint256 = amount * ONE // self.index
    self.shares[sender] -= moved
    self.shares[to] += moved
    log Transfer(sender=sender, receiver=to, value=amount)
