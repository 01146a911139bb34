// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice The few cheat codes that the invariant runs need.
interface Vm {
    function warp(uint256 time) external;
    function roll(uint256 blockNumber) external;
    function deal(address account, uint256 balance) external;
    function prank(address sender) external;
    function addr(uint256 secret) external pure returns (address);
    function sign(uint256 secret, bytes32 digest)
        external
        pure
        returns (uint8 v, bytes32 r, bytes32 s);
}

/// @dev What both invariant runs share: cheat codes, and bounding what the fuzzer chooses.
abstract contract Cheats {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function _bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }

    function _require(bool isSo, string memory what) internal pure {
        require(isSo, what);
    }
}

/// @notice As much of a state chain as the staking vault asks.
contract ChainStub {
    bytes32 public latestFinal = bytes32(uint256(1));
    uint64 public batch;
    uint64 public constant claimStride = 2;
    bool public constant isFrozen = false;

    struct Tip {
        bytes32 hash;
        uint64 number;
        uint64 nextSeq;
        uint64 inboxIndex;
        uint64 nextBlock;
        uint64 endTime;
    }

    struct Claim {
        bytes32 parent;
        bytes32 stateRoot;
        address asserter;
        uint64 batch;
        uint8 status;
        uint64 time;
        uint64 blockNumber;
    }

    function advance() external {
        batch += claimStride;
    }

    function tip() external view returns (Tip memory found) {
        found.number = batch;
    }

    function claimOf(bytes32) external view returns (Claim memory found) {
        found.batch = batch;
    }
}
