# pragma version 0.4.3
"""
@title Hostile recipient
@license Apache-2.0
@notice A contract that is paid native coin and answers as it was told to.
"""
flag Mode:
    ACCEPT
    REFUSE
    BURN_GAS
    WASTE_GAS
    RETURN_BOMB
    CALL


mode: public(Mode)
target: public(address)
data: public(Bytes[4096])
rounds: public(uint256)
is_success: public(bool)
response: public(Bytes[1024])


@deploy
@payable
def __init__():
    self.mode = Mode.ACCEPT


@external
@payable
def __default__():
    if self.mode == Mode.REFUSE:
        raise "recipient: refused"
    if self.mode == Mode.BURN_GAS:
        for _: uint256 in range(max_value(uint256)):
            self.target = self.target
    if self.mode == Mode.WASTE_GAS:
        for _: uint256 in range(self.rounds, bound=1_000_000):
            self.rounds = self.rounds
    if self.mode == Mode.RETURN_BOMB:
        bomb: Bytes[100_000] = empty(Bytes[100_000])
        raw_revert(slice(concat(bomb, b"\x00"), 0, 100_001))
    if self.mode == Mode.CALL:
        self.is_success, self.response = raw_call(
            self.target, self.data, max_outsize=1024, revert_on_failure=False
        )


@external
def accept():
    self.mode = Mode.ACCEPT


@external
def refuse():
    self.mode = Mode.REFUSE


@external
def burn_gas():
    self.mode = Mode.BURN_GAS


@external
def waste_gas(rounds: uint256):
    """
    @notice Accept, but only after `rounds` rounds of some 200 gas.
    """
    self.mode = Mode.WASTE_GAS
    self.rounds = rounds


@external
def return_bomb():
    self.mode = Mode.RETURN_BOMB


@external
def call_back(target: address, data: Bytes[4096]):
    """
    @notice When paid, call `target` with `data`, and keep what came of it.
    """
    self.mode = Mode.CALL
    self.target = target
    self.data = data


@external
@payable
def execute(target: address, data: Bytes[4096]):
    """
    @notice Call something in this contract's name.
    """
    raw_call(target, data, value=msg.value)
