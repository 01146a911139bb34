// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IStakingVault} from "../../contracts/interfaces/IStakingVault.sol";
import {IStateChain} from "../../contracts/interfaces/IStateChain.sol";
import {VenueId} from "../../contracts/interfaces/Types.sol";
import {StakingVault} from "../../contracts/venues/StakingVault.sol";
import {ChainStub, Cheats} from "./Vm.sol";

/// @notice Does anything with a vault, as four stakers, the venue registry and the court, and remembers
/// what must hold.
contract StakingHandler is Cheats {
    StakingVault public immutable vault;
    ChainStub public immutable chain;

    address[4] public actors = [address(0xa1), address(0xa2), address(0xa3), address(0xa4)];
    uint256 public staked;
    uint256 public paidOut;
    uint256 public slashed;
    uint256 public forced;
    uint256 public cases;
    bytes32 public lastCase;
    bool public wasOverSlashed;
    bool public wasPaidEarly;

    /// @dev Past total and votes by time, as they were when the moment was over.
    uint256[] public times;
    mapping(uint256 time => uint256 total) public totalAt;
    mapping(uint256 time => mapping(address actor => uint256 votes)) public votesAt;

    constructor() {
        chain = new ChainStub();
        vault = new StakingVault(
            address(this), IStateChain(address(chain)), address(this), 21 days, 10, 21 days, 10
        );
        vm.deal(address(this), 0);
    }

    receive() external payable {}

    function stake(uint256 who, uint256 amount) external {
        amount = _bound(amount, 1, 1e24);
        vm.deal(address(this), amount);
        vault.stakeFor{value: amount}(_actor(who));
        staked += amount;
    }

    function delegate(uint256 who, uint256 to) external {
        vm.prank(_actor(who));
        vault.delegate(to % 5 == 4 ? address(0) : _actor(to));
    }

    function lock(uint256 who, uint256 venue, uint256 part) external {
        uint256 free = vault.freeOf(_actor(who));
        if (free == 0 || vault.openCasesOf(_actor(who)) != 0) return;
        vault.lock(_actor(who), _venue(venue), _bound(part, 1, free));
    }

    function requestUnbond(uint256 who, uint256 part) external {
        uint256 free = vault.freeOf(_actor(who));
        if (free == 0 || vault.requestsOf(_actor(who)).length == vault.MAX_REQUESTS()) return;
        vm.prank(_actor(who));
        vault.requestUnbond(_bound(part, 1, free));
    }

    function endRequest(uint256 who, uint256 which, bool isCancelled) external {
        address actor = _actor(who);
        IStakingVault.UnbondRequest[] memory open = vault.requestsOf(actor);
        if (open.length == 0) return;
        IStakingVault.UnbondRequest memory request = open[which % open.length];
        vm.prank(actor);
        if (isCancelled) {
            vault.cancelUnbond(request.id);
            return;
        }
        try vault.withdraw(request.id) {
            paidOut += request.amount;
            if (block.timestamp < request.time + 21 days) wasPaidEarly = true;
        } catch {}
    }

    function openCase(uint256 who) external {
        lastCase = keccak256(abi.encode(++cases));
        vault.openCase(lastCase, _actor(who));
    }

    function slash(uint256 venue, uint256 amount, uint256 to) external {
        if (lastCase == 0) return;
        IStakingVault.Case memory found = vault.caseOf(lastCase);
        if (found.isClosed || block.timestamp >= found.time + 21 days) return;
        address account = found.account;
        uint256 there = vault.freeOf(account) + vault.unbondingOf(account)
            + vault.lockedBehind(account, _venue(venue));
        amount = _bound(amount, 0, 2e24);
        uint256 taken = vault.slash(lastCase, _venue(venue), amount, _actor(to));
        slashed += taken;
        if (taken != (amount < there ? amount : there)) wasOverSlashed = true;
    }

    function endCase() external {
        if (lastCase == 0 || vault.caseOf(lastCase).isClosed) return;
        if (block.timestamp >= vault.caseOf(lastCase).time + 21 days) vault.lapseCase(lastCase);
        else vault.closeCase(lastCase);
    }

    function collect(uint256 who) external {
        uint256 owed = vault.owedTo(_actor(who));
        if (owed == 0) return;
        vault.collect(_actor(who));
        paidOut += owed;
    }

    function finalise() external {
        chain.advance();
        vault.noteFinality();
    }

    function force(uint256 amount) external {
        amount = _bound(amount, 1, 1e24);
        vm.deal(address(vault), address(vault).balance + amount);
        forced += amount;
    }

    /// @dev The moment is over: what the votes are now, they must have been for ever.
    function pass(uint256 time) external {
        times.push(block.timestamp);
        totalAt[block.timestamp] = _currentTotal();
        for (uint256 i = 0; i < actors.length; ++i) {
            votesAt[block.timestamp][actors[i]] = vault.getVotes(actors[i]);
        }
        vm.warp(block.timestamp + _bound(time, 1, 15 days));
        vm.roll(block.number + 5);
    }

    function timeCount() external view returns (uint256) {
        return times.length;
    }

    function _currentTotal() private view returns (uint256 total) {
        for (uint256 i = 0; i < actors.length; ++i) {
            total += vault.freeOf(actors[i]) + vault.lockedOf(actors[i]);
        }
    }

    function _actor(uint256 which) private view returns (address) {
        return actors[which % 4];
    }

    function _venue(uint256 which) private pure returns (VenueId) {
        return VenueId.wrap(uint32(which % 3 + 1));
    }
}

contract StakingInvariants is Cheats {
    StakingHandler private _handler;
    StakingVault private _vault;

    function setUp() external {
        vm.warp(100 days);
        vm.roll(1000);
        _handler = new StakingHandler();
        _vault = _handler.vault();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_everyWeiIsInOneBucket() external view {
        uint256 buckets;
        uint256 owed;
        for (uint256 i = 0; i < 4; ++i) {
            address actor = _handler.actors(i);
            IStakingVault.Buckets memory found = _vault.bucketsOf(actor);
            uint256 locked;
            uint256 unbonding;
            for (uint32 venue = 1; venue <= 3; ++venue) {
                locked += _vault.lockedBehind(actor, VenueId.wrap(venue));
            }
            IStakingVault.UnbondRequest[] memory open = _vault.requestsOf(actor);
            for (uint256 j = 0; j < open.length; ++j) {
                unbonding += open[j].amount;
            }
            _require(found.locked == locked, "locked is the sum over venues");
            _require(found.unbonding == unbonding, "unbonding is the sum over requests");
            buckets += found.free + locked + unbonding;
            owed += _vault.owedTo(actor);
        }
        _require(buckets == _vault.totalStaked(), "buckets sum to what is staked");
        _require(owed == _vault.totalOwed(), "what is owed sums up");
        uint256 held = _vault.totalStaked() + _vault.totalOwed() + _handler.forced();
        _require(address(_vault).balance == held, "the balance is stake, debts and forced coin");
    }

    function invariant_venuesHaveWhatIsBehindThem() external view {
        for (uint32 venue = 1; venue <= 3; ++venue) {
            uint256 behind;
            for (uint256 i = 0; i < 4; ++i) {
                behind += _vault.lockedBehind(_handler.actors(i), VenueId.wrap(venue));
            }
            _require(_vault.stakeOf(VenueId.wrap(venue)) == behind, "stake of a venue");
        }
    }

    function invariant_coinIsConserved() external view {
        uint256 inside = _vault.totalStaked() + _vault.totalOwed();
        _require(_handler.staked() == inside + _handler.paidOut(), "staked = inside + paid out");
    }

    function invariant_nobodyIsSlashedBeyondItsStake() external view {
        _require(_handler.slashed() <= _handler.staked(), "slashed at most what was staked");
        _require(!_handler.wasOverSlashed(), "a slash takes what is there, or what was asked");
    }

    function invariant_nobodyIsPaidBeforeTheUnbonding() external view {
        _require(!_handler.wasPaidEarly(), "21 days at least");
    }

    function invariant_votesAreThoseOfFreeAndLockedStake() external view {
        uint256 votes;
        uint256 units;
        for (uint256 i = 0; i < 4; ++i) {
            address actor = _handler.actors(i);
            votes += _vault.getVotes(actor);
            units += _vault.freeOf(actor) + _vault.lockedOf(actor);
        }
        _require(votes == units, "every coin votes once");
    }

    function invariant_thePastDoesNotChange() external view {
        uint256 count = _handler.timeCount();
        for (uint256 i = count > 6 ? count - 6 : 0; i < count; ++i) {
            uint256 time = _handler.times(i);
            uint256 total = _handler.totalAt(time);
            _require(_vault.getPastTotalSupply(time) == total, "a past total");
            uint256 aged = _vault.agedTotal(time, 7 days);
            _require(aged <= total, "aged stake is a part of all stake");
            uint256 sum;
            for (uint256 j = 0; j < 4; ++j) {
                address actor = _handler.actors(j);
                uint256 votes = _handler.votesAt(time, actor);
                _require(_vault.getPastVotes(actor, time) == votes, "past votes");
                sum += _vault.agedVotes(actor, time, 7 days);
            }
            _require(sum <= aged, "aged votes never exceed aged stake");
        }
    }
}
