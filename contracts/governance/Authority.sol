// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Authority
/// @notice OpenZeppelin's access manager as it is: which role may call which function. Its first admin
/// is the deployer, which wires the roles, hands `ADMIN_ROLE` to the constitutional timelock and gives
/// its own up in the same run (`scripts/_governance.py`).
contract Authority is AccessManager {
    constructor(address initialAdmin) AccessManager(initialAdmin) {}
}
