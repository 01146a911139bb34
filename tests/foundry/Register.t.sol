// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {BondedRegister} from "../../contracts/dispute/BondedRegister.sol";
import {IBondedRegister} from "../../contracts/interfaces/IBondedRegister.sol";
import {IEvidence} from "../../contracts/interfaces/IEvidence.sol";
import {VenueId} from "../../contracts/interfaces/Types.sol";
import {Cheats} from "./Vm.sol";

/// @notice As much of a state chain as a register asks.
contract DomainStub {
    bytes32 public constant domainSeparator = keccak256("a zone");
}

/// @notice Convicts whom the caller names.
contract EvidenceStub is IEvidence {
    function check(bytes calldata evidence) external pure returns (Finding memory) {
        (address accused, bytes32 nullifier, uint16 bps) =
            abi.decode(evidence, (address, bytes32, uint16));
        return Finding(accused, VenueId.wrap(0), nullifier, bps);
    }
}

/// @notice Does anything with a register, as four members with keys of their own, a stranger with proofs
/// and the court, and remembers what must hold.
contract RegisterHandler is Cheats {
    uint256 public constant BOND = 1 ether;
    uint256 private constant _ACTORS = 4;

    BondedRegister public immutable register;
    address public immutable treasury = address(0x7e);
    address private immutable _evidence;

    uint256 public paidIn;
    uint256 public paidOut;
    uint256 public slashed;
    uint256 public forced;
    bool public wasPaidEarly;
    bool public wasUsedTwice;
    bytes32[] private _cases;
    mapping(bytes32 nullifier => bool used) private _used;

    constructor() {
        _evidence = address(new EvidenceStub());
        address[] memory evidence = new address[](1);
        evidence[0] = _evidence;
        register = new BondedRegister(
            IBondedRegister.Config({
                chain: address(new DomainStub()),
                court: address(this),
                treasury: treasury,
                evidence: evidence,
                bond: BOND,
                maxMembers: 3,
                unbondingSeconds: 21 days,
                unbondingBlocks: 10,
                proofSeconds: 7 days,
                proofBlocks: 5
            })
        );
    }

    function actor(uint256 which) public pure returns (address) {
        return vm.addr(which % _ACTORS + 1);
    }

    function join(uint256 who) external {
        address account = actor(who);
        bytes memory signature = _sign(who % _ACTORS + 1, account);
        vm.deal(account, BOND);
        vm.prank(account);
        try register.register{value: BOND}(account, signature) {
            paidIn += BOND;
        } catch {}
    }

    /// @dev Spare keys belong to one actor each: `who + 4 * n`.
    function rotate(uint256 who, uint256 spare) external {
        who %= _ACTORS;
        uint256 secret = 10 + who + _ACTORS * (spare % 3);
        address account = actor(who);
        bytes memory signature = _sign(secret, account);
        vm.prank(account);
        try register.rotate(vm.addr(secret), signature) {} catch {}
    }

    /// @dev With one's own signature, which the key of somebody else did not give.
    function stealKey(uint256 who, uint256 whose) external {
        address account = actor(who);
        bytes memory signature = _sign(who % _ACTORS + 1, account);
        vm.deal(account, BOND);
        vm.prank(account);
        try register.register{value: BOND}(actor(whose), signature) {
            paidIn += BOND;
        } catch {}
    }

    function leave(uint256 who) external {
        vm.prank(actor(who));
        try register.leave() {} catch {}
    }

    function withdraw(uint256 who) external {
        IBondedRegister.Member memory before = register.memberOf(actor(who));
        vm.prank(actor(who));
        try register.withdraw() {
            paidOut += before.bond;
            if (block.timestamp < before.leftTime + 21 days) wasPaidEarly = true;
        } catch {}
    }

    function topUp(uint256 who, uint256 amount) external {
        amount = _bound(amount, 1, BOND);
        uint256 missing = BOND - register.memberOf(actor(who)).bond;
        if (amount % 2 == 0) amount = missing;
        vm.deal(address(this), amount);
        try register.topUp{value: amount}(actor(who)) {
            paidIn += amount;
        } catch {}
    }

    function prove(uint256 who, uint256 act, uint256 bps) external {
        bytes32 nullifier = bytes32(act % 8);
        bytes memory data =
            abi.encode(actor(who), nullifier, uint16(_bound(bps, 1, bps % 3 == 0 ? 10_000 : 5000)));
        try register.prove(_evidence, data) returns (bytes32 id) {
            if (_used[nullifier]) wasUsedTwice = true;
            _used[nullifier] = true;
            _cases.push(id);
        } catch {}
    }

    function rule(uint256 which) external {
        if (_cases.length == 0) return;
        bytes32 id = _cases[which % _cases.length];
        IBondedRegister.Case memory found = register.caseOf(id);
        try register.rule(id) returns (uint256 taken) {
            slashed += taken;
            if (block.timestamp < found.time + 7 days) wasPaidEarly = true;
        } catch {}
    }

    function slash(uint256 who, uint256 amount) external {
        amount = _bound(amount, 0, BOND + 1);
        try register.slash(actor(who), amount) {
            slashed += amount;
        } catch {}
    }

    function collect(bool isTreasury) external {
        address account = isTreasury ? treasury : address(this);
        uint256 owed = register.owedTo(account);
        try register.collect(account) {
            paidOut += owed;
        } catch {}
    }

    function force(uint256 amount) external {
        amount = _bound(amount, 1, BOND);
        forced += amount;
        vm.deal(address(register), address(register).balance + amount);
    }

    function wait(uint256 time, uint256 blocks) external {
        vm.warp(block.timestamp + _bound(time, 1, 12 days));
        vm.roll(block.number + _bound(blocks, 1, 12));
    }

    receive() external payable {}

    function _sign(uint256 secret, address account) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(secret, register.keyDigest(account));
        return abi.encodePacked(r, s, v);
    }
}

contract RegisterInvariants is Cheats {
    RegisterHandler private _handler;
    BondedRegister private _register;

    function setUp() external {
        vm.warp(100 days);
        vm.roll(1000);
        _handler = new RegisterHandler();
        _register = _handler.register();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_everyWeiIsABondOrOwed() external view {
        uint256 bonds;
        for (uint256 i = 0; i < 4; ++i) {
            bonds += _register.memberOf(_handler.actor(i)).bond;
        }
        _require(bonds == _register.totalBonds(), "bonds sum up");
        uint256 owed = _register.owedTo(_handler.treasury()) + _register.owedTo(address(_handler));
        _require(owed == _register.totalOwed(), "what is owed sums up");
        uint256 held = bonds + owed + _handler.forced();
        _require(address(_register).balance == held, "the balance is bonds, debts and forced coin");
        _require(
            _handler.paidIn() == bonds + owed + _handler.paidOut(), "paid in = inside + paid out"
        );
    }

    function invariant_theListIsOfThoseWithAWholeBond() external view {
        address[] memory listed = _register.members();
        for (uint256 i = 0; i < listed.length; ++i) {
            for (uint256 j = 0; j < i; ++j) {
                _require(listed[i] != listed[j], "nobody twice");
            }
        }
        _require(listed.length <= 3, "at most as many as there is room for");
        uint256 active;
        for (uint256 i = 0; i < 4; ++i) {
            address account = _handler.actor(i);
            IBondedRegister.Member memory member = _register.memberOf(account);
            bool isListed;
            for (uint256 j = 0; j < listed.length; ++j) {
                if (listed[j] == account) isListed = true;
            }
            bool isWhole = member.since != 0 && member.leftTime == 0 && member.openCases == 0
                && member.bond == _handler.BOND();
            _require(isListed == isWhole && member.isActive == isWhole, "listed if whole");
            _require(member.bond <= _handler.BOND(), "no bond exceeds the parameter");
            if (isListed) ++active;
        }
        _require(active == listed.length, "nobody else is listed");
    }

    function invariant_slashesAreAtMostWhatWasPaidIn() external view {
        _require(_handler.slashed() <= _handler.paidIn(), "slashed at most what was paid in");
        _require(!_handler.wasPaidEarly(), "nothing comes before its time");
        _require(!_handler.wasUsedTwice(), "one act is punished once");
    }

    function invariant_aKeyStaysWithItsAccount() external view {
        for (uint256 i = 0; i < 4; ++i) {
            address account = _handler.actor(i);
            address holder = _register.accountOf(account);
            _require(holder == address(0) || holder == account, "nobody took another's key");
            address key = _register.memberOf(account).key;
            _require(key == address(0) || _register.accountOf(key) == account, "keys are owned");
        }
    }
}
