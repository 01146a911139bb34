# pragma version 0.4.3
"""
@title Re-entrant token
@license Apache-2.0
@notice Hostile: while it transfers, it calls whatever it was armed with, and keeps what came of it.
Like ERC-777 it does so before and after the balances move.
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


target: public(address)
data: public(Bytes[4096])
is_after: public(bool)
is_armed: public(bool)
# what came of the call
has_called: public(bool)
is_success: public(bool)
response: public(Bytes[1024])


@deploy
def __init__():
    erc20.__init__("Re-entrant", "HOOK", 6)


@external
@payable
def __default__():
    pass


@external
def arm(target: address, data: Bytes[4096], is_after: bool):
    """
    @notice Call `target` with `data` in the next transfer, before or after balances move.
    """
    self.target = target
    self.data = data
    self.is_after = is_after
    self.is_armed = True
    self.has_called = False


@external
@payable
def execute(target: address, data: Bytes[4096]):
    """
    @notice Make the token itself call something, now.
    """
    raw_call(target, data, value=msg.value)


@external
def transfer(to: address, amount: uint256) -> bool:
    self._move_and_call(msg.sender, to, amount)
    return True


@external
def transferFrom(sender: address, to: address, amount: uint256) -> bool:
    erc20._spend(sender, msg.sender, amount)
    self._move_and_call(sender, to, amount)
    return True


@internal
def _move_and_call(sender: address, to: address, amount: uint256):
    if not self.is_after:
        self._call()
    erc20._move(sender, to, amount)
    if self.is_after:
        self._call()


@internal
def _call():
    if not self.is_armed:
        return
    self.is_armed = False
    self.has_called = True
    self.is_success, self.response = raw_call(
        self.target, self.data, max_outsize=1024, revert_on_failure=False
    )
