// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title ClassTimelock
/// @notice OpenZeppelin's timelock with one governor as its only proposer, canceller and executor, and no
/// admin. The executor is not open to all on purpose: the governor checks the payload again before it
/// executes. The Charter refuses timelocks as targets, so the delay never changes.
contract ClassTimelock is TimelockController {
    constructor(uint256 minDelay, address governor)
        TimelockController(minDelay, _only(governor), _only(governor), address(0))
    {}

    function _only(address governor) private pure returns (address[] memory accounts) {
        accounts = new address[](1);
        accounts[0] = governor;
    }
}
