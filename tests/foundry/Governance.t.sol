// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Authority} from "../../contracts/governance/Authority.sol";
import {Charter} from "../../contracts/governance/Charter.sol";
import {ClassGovernor} from "../../contracts/governance/ClassGovernor.sol";
import {ClassTimelock} from "../../contracts/governance/ClassTimelock.sol";
import {ProtocolLimits} from "../../contracts/governance/ProtocolLimits.sol";
import {
    CONSTITUTIONAL,
    ClassId,
    LimitId,
    PARAMETER
} from "../../contracts/interfaces/GovernanceTypes.sol";
import {ICharter} from "../../contracts/interfaces/ICharter.sol";
import {IClassGovernor} from "../../contracts/interfaces/IClassGovernor.sol";
import {IDepositorChamber} from "../../contracts/interfaces/IDepositorChamber.sol";
import {IProtocolLimits} from "../../contracts/interfaces/IProtocolLimits.sol";
import {IStateChain} from "../../contracts/interfaces/IStateChain.sol";
import {IZoneRelay} from "../../contracts/interfaces/IZoneRelay.sol";
import {StakingVault} from "../../contracts/venues/StakingVault.sol";
import {ChainStub, Cheats} from "./Vm.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @notice A minority with a tenth of the stake does whatever it can, while nine tenths sleep: proposes
/// anything in two classes, votes, queues, executes, calls timelocks and governors directly.
contract MinorityHandler is Cheats {
    StakingVault public immutable vault;
    Authority public immutable authority;
    ProtocolLimits public immutable limits;
    Charter public immutable charter;
    ClassTimelock[2] public timelocks; // parameter, constitutional
    ClassGovernor[2] public governors;

    address public constant MINORITY = address(0xbad);
    address public constant SLEEPING = address(0x900d);

    struct Draft {
        uint256 class;
        address[] targets;
        uint256[] values;
        bytes[] calldatas;
        bytes32 description;
    }

    Draft[] private _drafts;
    uint256 public executed;
    bool public wasSomethingElseExecuted;

    constructor() {
        ChainStub chain = new ChainStub();
        vault = new StakingVault(
            address(this), IStateChain(address(chain)), address(0), 21 days, 0, 21 days, 0
        );
        authority = new Authority(address(this));
        limits = new ProtocolLimits(address(authority), IZoneRelay(address(0)));
        uint256 nonce = 5; // contracts this one has created so far, and one more
        address[5] memory at;
        for (uint256 i = 0; i < 5; ++i) {
            at[i] = _created(nonce + i);
        }
        timelocks[0] = new ClassTimelock(1 days, at[2]);
        timelocks[1] = new ClassTimelock(120 days, at[3]);
        governors[0] = new ClassGovernor(_config(PARAMETER, at[0], at[4], 10_000));
        governors[1] = new ClassGovernor(_config(CONSTITUTIONAL, at[1], at[4], 0));
        charter = new Charter(address(authority), _untouchable(), _entries());
        require(address(charter) == at[4] && address(governors[0]) == at[2], "addresses");
        _wire();
        vm.deal(address(this), 100 ether);
        vault.stakeFor{value: 10 ether}(MINORITY);
        vault.stakeFor{value: 90 ether}(SLEEPING);
        vm.warp(block.timestamp + 30 days);
    }

    function _wire() private {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = limits.set.selector;
        authority.setTargetFunctionRole(address(limits), selectors, 1);
        authority.grantRole(1, address(timelocks[0]), 0);
        authority.grantRole(0, address(timelocks[1]), 0);
        authority.renounceRole(0, address(this));
    }

    function _untouchable() private view returns (address[] memory addresses) {
        addresses = new address[](5);
        addresses[0] = address(vault);
        for (uint256 i = 0; i < 2; ++i) {
            addresses[1 + i] = address(timelocks[i]);
            addresses[3 + i] = address(governors[i]);
        }
    }

    function _entries() private view returns (ICharter.Entry[] memory entries) {
        entries = new ICharter.Entry[](4);
        entries[0] = ICharter.Entry(PARAMETER, address(limits), limits.set.selector);
        address manager = address(authority);
        entries[1] = ICharter.Entry(CONSTITUTIONAL, manager, AccessManager.grantRole.selector);
        entries[2] = ICharter.Entry(CONSTITUTIONAL, manager, AccessManager.revokeRole.selector);
        entries[3] =
            ICharter.Entry(CONSTITUTIONAL, manager, AccessManager.setTargetFunctionRole.selector);
    }

    function _config(ClassId class, address timelock, address charter_, uint32 objection)
        private
        view
        returns (IClassGovernor.Config memory)
    {
        return IClassGovernor.Config({
            name: "a class",
            classId: class,
            staking: vault,
            timelock: payable(timelock),
            charter: ICharter(charter_),
            limits: IProtocolLimits(limits),
            chamber: IDepositorChamber(address(0)),
            canceller: address(0),
            votingDelay: 1 hours,
            votingPeriod: 3 days,
            lateExtension: 1 days,
            objectedPeriod: objection == 0 ? 0 : 5 days,
            grace: 14 days,
            thresholdPpm: 10_000,
            objectionPpm: objection,
            quorumPpm: 200_000,
            majorityPpm: 500_000,
            quorumFloor: 0,
            blocksPerDay: 0
        });
    }

    /// @dev Address of this contract's creation number `nonce`, below 128.
    function _created(uint256 nonce) private view returns (address) {
        bytes memory encoded = abi.encodePacked(bytes2(0xd694), address(this), bytes1(uint8(nonce)));
        return address(uint160(uint256(keccak256(encoded))));
    }

    function propose(uint256 class, uint256 what, uint256 seed) external {
        class %= 2;
        Draft storage draft = _drafts.push();
        draft.class = class;
        (address target, bytes memory data) = _call(what % 9, seed);
        draft.targets.push(target);
        draft.values.push(0);
        draft.calldatas.push(data);
        string memory description = string(abi.encodePacked("draft ", _drafts.length));
        draft.description = keccak256(bytes(description));
        vm.prank(MINORITY);
        try governors[class].propose(draft.targets, draft.values, draft.calldatas, description) {}
        catch {
            _drafts.pop();
        }
    }

    /// @dev Something a minority may want.
    function _call(uint256 what, uint256 seed) private view returns (address, bytes memory) {
        if (what < 3) {
            LimitId id = LimitId.wrap(uint8(seed % limits.count() + 1));
            (uint64 lowest, uint64 highest) = limits.reachOf(id);
            // Most of the time within reach, else anything.
            uint256 value = what == 0 ? seed >> 8 : _bound(seed >> 8, lowest, highest);
            return (address(limits), abi.encodeCall(limits.set, (id, uint64(value))));
        }
        address timelock = address(timelocks[seed % 2]);
        if (what == 3) return (timelock, abi.encodeCall(TimelockController.updateDelay, (0)));
        if (what == 4) {
            return (address(authority), abi.encodeCall(AccessManager.grantRole, (0, MINORITY, 0)));
        }
        if (what == 5) {
            return (address(authority), abi.encodeCall(AccessManager.revokeRole, (1, timelock)));
        }
        if (what == 6) {
            bytes4 selector = TimelockController.updateDelay.selector;
            return
                (address(charter), abi.encodeCall(ICharter.allow, (PARAMETER, timelock, selector)));
        }
        if (what == 7) {
            bytes memory inner = abi.encodeCall(TimelockController.updateDelay, (0));
            address governor = address(governors[seed % 2]);
            bytes4 relay = bytes4(keccak256("relay(address,uint256,bytes)"));
            return (governor, abi.encodeWithSelector(relay, timelock, 0, inner));
        }
        return (address(authority), abi.encodeCall(AccessManager.setRoleAdmin, (1, 1)));
    }

    function vote(uint256 which, uint8 support) external {
        if (_drafts.length == 0) return;
        Draft storage draft = _recent(which);
        uint256 id = _idOf(draft);
        vm.prank(MINORITY);
        try governors[draft.class].castVote(id, support % 3) {} catch {}
    }

    function queue(uint256 which) external {
        if (_drafts.length == 0) return;
        Draft storage draft = _recent(which);
        try governors[draft.class].queue(
            draft.targets, draft.values, draft.calldatas, draft.description
        ) {}
            catch {}
    }

    function execute(uint256 which) external {
        if (_drafts.length == 0) return;
        Draft storage draft = _recent(which);
        try governors[draft.class].execute(
            draft.targets, draft.values, draft.calldatas, draft.description
        ) {
            ++executed;
            if (draft.targets[0] != address(limits)) wasSomethingElseExecuted = true;
        } catch {}
    }

    function callDirectly(uint256 what, uint256 seed) external {
        (address target, bytes memory data) = _call(what % 9, seed);
        vm.prank(MINORITY);
        (bool isDone,) = target.call(data);
        if (isDone) wasSomethingElseExecuted = true;
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + _bound(time, 1 days, 4 days));
        vm.roll(block.number + 1);
    }

    /// @dev One of the last few: older ones have expired.
    function _recent(uint256 which) private view returns (Draft storage) {
        uint256 length = _drafts.length;
        uint256 back = which % (length < 3 ? length : 3);
        return _drafts[length - 1 - back];
    }

    function _idOf(Draft storage draft) private view returns (uint256) {
        return governors[draft.class].hashProposal(
            draft.targets, draft.values, draft.calldatas, draft.description
        );
    }
}

contract GovernanceInvariants is Cheats {
    MinorityHandler private _handler;

    function setUp() external {
        vm.warp(100 days);
        _handler = new MinorityHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_noDelayGetsShorter() external view {
        _require(_handler.timelocks(0).getMinDelay() == 1 days, "parameter delay");
        _require(_handler.timelocks(1).getMinDelay() == 120 days, "constitutional delay");
    }

    function invariant_noRoleMoves() external view {
        Authority authority = _handler.authority();
        address[4] memory holders = [
            address(_handler.timelocks(0)),
            address(_handler.timelocks(1)),
            _handler.MINORITY(),
            address(_handler)
        ];
        for (uint64 role = 0; role < 3; ++role) {
            for (uint256 i = 0; i < 4; ++i) {
                (bool has,) = authority.hasRole(role, holders[i]);
                bool expected = (role == 1 && i == 0) || (role == 0 && i == 1);
                _require(has == expected, "a role moved");
            }
            _require(authority.getRoleAdmin(role) == 0, "an admin moved");
        }
    }

    function invariant_noListGetsLonger() external view {
        _require(_handler.charter().listOf(PARAMETER).length == 1, "parameter list");
        _require(_handler.charter().listOf(CONSTITUTIONAL).length == 3, "constitutional list");
    }

    function invariant_aMinorityReachesNothingButLimits() external view {
        _require(!_handler.wasSomethingElseExecuted(), "something else was executed");
    }

    function invariant_limitsStayInTheirRanges() external view {
        ProtocolLimits limits = _handler.limits();
        for (uint8 i = 1; i <= limits.count(); ++i) {
            LimitId id = LimitId.wrap(i);
            IProtocolLimits.Range memory range = limits.rangeOf(id);
            uint64 value = limits.valueOf(id);
            _require(value >= range.min && value <= range.max, "a limit left its range");
        }
    }
}
