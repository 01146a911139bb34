// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AssetRegistry} from "../../contracts/custody/AssetRegistry.sol";
import {CustodyVault} from "../../contracts/custody/CustodyVault.sol";
import {Escape} from "../../contracts/custody/Escape.sol";
import {Inbox} from "../../contracts/custody/Inbox.sol";
import {OwnerRegistry} from "../../contracts/custody/OwnerRegistry.sol";
import {Redirects} from "../../contracts/custody/Redirects.sol";
import {IAssetRegistry} from "../../contracts/interfaces/IAssetRegistry.sol";
import {ICustodyVault} from "../../contracts/interfaces/ICustodyVault.sol";
import {IEscape} from "../../contracts/interfaces/IEscape.sol";
import {IGuardianBrake} from "../../contracts/interfaces/IGuardianBrake.sol";
import {IInbox} from "../../contracts/interfaces/IInbox.sol";
import {IListings} from "../../contracts/interfaces/IListings.sol";
import {IOutcomeResolver} from "../../contracts/interfaces/IOutcomeResolver.sol";
import {IOwnerRegistry} from "../../contracts/interfaces/IOwnerRegistry.sol";
import {IPerpRegistry} from "../../contracts/interfaces/IPerpRegistry.sol";
import {IRedirects} from "../../contracts/interfaces/IRedirects.sol";
import {IStateChain} from "../../contracts/interfaces/IStateChain.sol";
import {AssetId, ClaimId, EventId, OwnerId} from "../../contracts/interfaces/Types.sol";
import {InboxMessages} from "../../contracts/libraries/InboxMessages.sol";
import {Records} from "../../contracts/libraries/Records.sol";
import {Cheats} from "./Vm.sol";

/// @notice A chain in escape at the genesis claim, as much of it as `Escape` asks.
contract EndedChain {
    address public inbox;
    bytes32 public escapeRoot;
    ClaimId public constant latestFinal = ClaimId.wrap(bytes32(uint256(1)));

    function set(address inbox_, bytes32 root) external {
        (inbox, escapeRoot) = (inbox_, root);
    }

    function claimOf(ClaimId) external pure returns (IStateChain.Claim memory found) {
        return found;
    }
}

/// @notice One event that pays native coin, and who knows how it ended.
contract EventStub {
    uint64 public constant UNIT = 10_000;
    uint256 public vector;

    function setVector(uint256 vector_) external {
        vector = vector_;
    }

    function resolver() external view returns (address) {
        return address(this);
    }

    function eventOf(EventId) external pure returns (IListings.Event memory found) {
        found.asset = AssetId.wrap(1);
        found.unit = UNIT;
    }

    function resultOf(EventId) external view returns (IOutcomeResolver.Phase, uint256) {
        bool isKnown = vector != 0;
        return (isKnown ? IOutcomeResolver.Phase.RESOLVED : IOutcomeResolver.Phase.PROPOSED, vector);
    }
}

/// @notice Takes everybody out of a zone in any order: with good proofs, with bent ones, twice, elsewhere.
///
/// Four balances and four holdings (two of Yes, two of No of one outcome) in one tree, and four deposits that the
/// state does not know. Together they are worth what the vault holds, whatever the event's result.
contract EscapeHandler is Cheats {
    uint256 private constant _OWNERS = 4;
    uint256 private constant _DEPTH = 40;
    uint64 private constant _BALANCE = 700;
    uint64 private constant _LOTS = 3;
    uint64 private constant _LATE = 11;
    uint256 private constant _QUANTUM = 1 gwei;

    CustodyVault public immutable vault;
    Escape public immutable escape;
    Redirects public immutable redirects;
    EventStub public immutable events;
    Inbox private immutable _inbox;
    uint64 private immutable _firstLate;

    /// @dev Leaves of slots 0 to 7 of each table; nothing else is in the state.
    mapping(uint8 table => bytes32[8] leaves) private _leaves;
    mapping(uint8 table => mapping(uint256 slot => bytes32[] words)) private _words;
    IEscape.Deposit[] private _late;

    uint64 public immutable total;
    uint256 public forced;
    uint256 public paid;
    bool public wasPaidTwice;
    bool public wasPaidWrongly;
    mapping(bytes32 key => bool done) private _done;

    address private immutable _test = msg.sender;

    constructor() {
        // Nonces of this contract's creations, from 1: chain, events, redirects, then the rest in order.
        EndedChain chain = new EndedChain();
        events = new EventStub();
        redirects = new Redirects();
        address inboxAt = _createdAt(4);
        address ownersAt = _createdAt(5);
        address assetsAt = _createdAt(6);
        address vaultAt = _createdAt(7);
        address escapeAt = _createdAt(8);
        address[] memory sources = new address[](3);
        uint256[] memory kinds = new uint256[](3);
        (sources[0], kinds[0]) = (ownersAt, 1 << InboxMessages.REGISTER_OWNER);
        (sources[1], kinds[1]) = (assetsAt, 1 << InboxMessages.REGISTER_ASSET);
        (sources[2], kinds[2]) = (vaultAt, 1 << InboxMessages.DEPOSIT);
        _inbox = new Inbox(address(chain), sources, kinds);
        IOwnerRegistry owners = new OwnerRegistry(IInbox(inboxAt), address(0xfee), 0, 100);
        IAssetRegistry assets =
            new AssetRegistry(IInbox(inboxAt), vaultAt, address(0), 1, 0, 9, uint64(_QUANTUM));
        vault = new CustodyVault(
            IInbox(inboxAt),
            owners,
            assets,
            address(0),
            escapeAt,
            IGuardianBrake(address(0)),
            IPerpRegistry(address(0))
        );
        escape = new Escape(
            IStateChain(address(chain)),
            ICustodyVault(vaultAt),
            owners,
            assets,
            IListings(address(events)),
            IRedirects(address(redirects))
        );
        _require(address(escape) == escapeAt && address(vault) == vaultAt, "addresses");

        // Yes of two owners against No of the other two: each pair of lots is worth a unit.
        uint64 holdings = 2 * _LOTS * events.UNIT();
        uint64 state = uint64(_OWNERS) * _BALANCE + holdings;
        vm.deal(address(this), 1000 ether);
        vault.depositNative{value: state * _QUANTUM}(_owner(0));
        for (uint256 i = 1; i < _OWNERS; ++i) {
            owners.register(_owner(i));
        }
        _firstLate = _inbox.count();
        for (uint256 i = 0; i < _OWNERS; ++i) {
            _deposit(i);
        }
        total = state + uint64(_OWNERS) * _LATE;
        chain.set(inboxAt, _build());
    }

    /* ACTIONS */

    function exit(uint256 which, uint256 bend) external {
        IEscape.Exit memory proof = _proof(which);
        bool isBent = _bend(proof, bend);
        uint256 before = vault.outstanding(AssetId.wrap(1));
        try escape.exit(proof) {
            if (isBent) wasPaidWrongly = true;
            _note(keccak256(abi.encode(proof.table, proof.slot)), before);
        } catch {}
    }

    function exitMany(uint256 first, uint256 second, uint256 bend) external {
        IEscape.Exit[] memory proofs = new IEscape.Exit[](2);
        (proofs[0], proofs[1]) = (_proof(first), _proof(second));
        bool isBent = _bend(proofs[1], bend);
        bool[2] memory were = [_isPaid(proofs[0]), _isPaid(proofs[1])];
        uint256 before = vault.outstanding(AssetId.wrap(1));
        uint256 count = escape.exitMany(proofs);
        uint256 expected;
        for (uint256 i = 0; i < 2; ++i) {
            bytes32 key = _keyOf(proofs[i]);
            bool isSame = i == 1 && key == _keyOf(proofs[0]);
            if (!were[i] && !isSame && _isPaid(proofs[i])) {
                if (i == 1 && isBent) wasPaidWrongly = true;
                if (_done[key]) wasPaidTwice = true;
                _done[key] = true;
                expected++;
            }
        }
        if (count != expected) wasPaidWrongly = true;
        paid += before - vault.outstanding(AssetId.wrap(1));
    }

    function refund(uint256 which, uint256 bend) external {
        IEscape.Deposit memory message = _late[which % _OWNERS];
        bool isBent = bend % 5 != 0;
        if (bend % 5 == 1) message.index = (message.index + 1) % (_inbox.count());
        if (bend % 5 == 2) message.time++;
        if (bend % 5 == 3) message.payload[35] = bytes1(uint8(message.payload[35]) + 1);
        if (bend % 5 == 4) message.payload = bytes.concat(message.payload, hex"00");
        IStateChain.Header memory header;
        uint256 before = vault.outstanding(AssetId.wrap(1));
        try escape.refund(header, message) {
            if (isBent) wasPaidWrongly = true;
            _note(keccak256(abi.encode("refund", message.index)), before);
        } catch {}
    }

    function resolve(uint256 fraction) external {
        // A result does not change once it is known.
        if (events.vector() != 0) return;
        fraction %= 10_001;
        events.setVector((fraction << 240) | ((10_000 - fraction) << 224));
    }

    function redirect(uint256 who, uint256 whom) external {
        vm.prank(_owner(who % _OWNERS));
        redirects.redirect(_owner(whom % _OWNERS));
    }

    function forceCoin(uint256 amount) external {
        amount %= 1 ether;
        forced += amount;
        vm.deal(address(vault), address(vault).balance + amount);
    }

    /* VIEWS */

    function balances() external view returns (uint256 sum) {
        for (uint256 i = 0; i < _OWNERS; ++i) {
            sum += _owner(i).balance;
        }
    }

    /// @notice Pay whatever is left; afterwards the vault owes nothing.
    function payAll() external {
        _require(msg.sender == _test, "the end of a run is not part of it");
        if (events.vector() == 0) events.setVector(uint256(3333) << 240 | uint256(6667) << 224);
        IStateChain.Header memory header;
        for (uint256 i = 0; i < 2 * _OWNERS; ++i) {
            IEscape.Exit memory proof = _proof(i);
            uint256 before = vault.outstanding(AssetId.wrap(1));
            // One that lost everything owes nothing.
            try escape.exit(proof) {
                _note(_keyOf(proof), before);
            } catch {}
        }
        for (uint256 i = 0; i < _OWNERS; ++i) {
            uint256 before = vault.outstanding(AssetId.wrap(1));
            try escape.refund(header, _late[i]) {
                _note(keccak256(abi.encode("refund", _late[i].index)), before);
            } catch {}
        }
    }

    /* INTERNAL: THE STATE */

    function _owner(uint256 i) private pure returns (address) {
        return address(uint160(0xa11ce000 + i));
    }

    function _deposit(uint256 i) private {
        uint64 index = vault.depositNative{value: _LATE * _QUANTUM}(_owner(i));
        bytes memory payload =
            InboxMessages.deposit(OwnerId.wrap(uint32(i + 2)), _owner(i), AssetId.wrap(1), _LATE);
        _late.push(IEscape.Deposit(index, uint64(block.timestamp), uint64(block.number), payload));
    }

    function _build() private returns (bytes32) {
        for (uint256 i = 0; i < _OWNERS; ++i) {
            uint256 owner = i + 2;
            _put(
                Records.TYPE_BALANCE,
                i + 1,
                bytes32(uint256(1) << 128 | uint256(1) << 160),
                bytes32(uint256(_BALANCE - 100) | uint256(100) << 64 | owner << 128)
            );
            uint256 lots = i < 2 ? uint256(_LOTS) : uint256(_LOTS) << 64;
            _put(
                Records.TYPE_HOLDING,
                i + 1,
                bytes32(owner << 160 | uint256(1) << 192 | uint256(1) << 224),
                bytes32(lots)
            );
        }
        return _fold(Records.TYPE_BALANCE, 1);
    }

    function _put(uint8 table, uint256 slot, bytes32 first, bytes32 second) private {
        _words[table][slot].push(first);
        _words[table][slot].push(second);
        _leaves[table][slot] =
            keccak256(abi.encodePacked(bytes1(0), table, uint32(slot), first, second));
    }

    function _proof(uint256 which) private view returns (IEscape.Exit memory proof) {
        which %= 2 * _OWNERS;
        proof.table = which < _OWNERS ? Records.TYPE_BALANCE : Records.TYPE_HOLDING;
        proof.slot = uint32(which % _OWNERS + 1);
        proof.words = _words[proof.table][proof.slot];
        proof.siblings = _siblings(proof.table, proof.slot);
    }

    /// @dev The eight slots of a table are a small tree at the left end of an empty one; the tables meet above.
    function _siblings(uint8 table, uint256 slot) private view returns (bytes32[] memory path) {
        path = new bytes32[](_DEPTH);
        bytes32[] memory level = new bytes32[](8);
        for (uint256 i = 0; i < 8; ++i) {
            level[i] = _leaves[table][i];
        }
        uint256 at = slot;
        for (uint256 height = 0; height < 3; ++height) {
            path[height] = level[at ^ 1];
            for (uint256 i = 0; i < level.length >> (height + 1); ++i) {
                level[i] = _pair(level[2 * i], level[2 * i + 1]);
            }
            at >>= 1;
        }
        bytes32 empty = bytes32(0);
        uint8 other = table == Records.TYPE_BALANCE ? Records.TYPE_HOLDING : Records.TYPE_BALANCE;
        for (uint256 height = 0; height < _DEPTH; ++height) {
            if (height >= 3) {
                bool isMeeting =
                    height >= 32 && (table >> (height - 32)) ^ 1 == other >> (height - 32);
                path[height] = isMeeting ? _subtree(other, height) : empty;
            }
            empty = _pair(empty, empty);
        }
    }

    /// @dev Root of the subtree of that height which holds a whole table.
    function _subtree(uint8 table, uint256 height) private view returns (bytes32 node) {
        bytes32[] memory level = new bytes32[](8);
        for (uint256 i = 0; i < 8; ++i) {
            level[i] = _leaves[table][i];
        }
        bytes32 empty = bytes32(0);
        for (uint256 h = 0; h < height; ++h) {
            if (h < 3) {
                for (uint256 i = 0; i < 8 >> (h + 1); ++i) {
                    level[i] = _pair(level[2 * i], level[2 * i + 1]);
                }
            } else {
                bool isRight = h >= 32 && (table >> (h - 32)) & 1 == 1;
                level[0] = isRight ? _pair(empty, level[0]) : _pair(level[0], empty);
            }
            empty = _pair(empty, empty);
        }
        return level[0];
    }

    function _fold(uint8 table, uint256 slot) private view returns (bytes32 node) {
        bytes32[] memory path = _siblings(table, slot);
        node = _leaves[table][slot];
        uint256 index = uint256(table) << 32 | slot;
        for (uint256 height = 0; height < _DEPTH; ++height) {
            bool isRight = (index >> height) & 1 == 1;
            node = isRight ? _pair(path[height], node) : _pair(node, path[height]);
        }
    }

    function _pair(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(left, right));
    }

    /* INTERNAL: OTHER */

    /// @dev Five of six bends make the proof a wrong one.
    function _bend(IEscape.Exit memory proof, uint256 bend) private pure returns (bool) {
        uint256 bit = bend >> 8;
        bend %= 6;
        if (bend == 0) return false;
        if (bend == 1) proof.slot ^= uint32(1 << (bit % 32));
        if (bend == 2) proof.words[0] ^= bytes32(1 << (bit % 256));
        if (bend == 3) proof.words[1] ^= bytes32(1 << (bit % 256));
        if (bend == 4) proof.siblings[bit % _DEPTH] ^= bytes32(uint256(1));
        if (bend == 5) proof.siblings = new bytes32[](_DEPTH - 1);
        return true;
    }

    function _isPaid(IEscape.Exit memory proof) private view returns (bool) {
        return escape.isPaid(proof.table, proof.slot);
    }

    function _keyOf(IEscape.Exit memory proof) private pure returns (bytes32) {
        return keccak256(abi.encode(proof.table, proof.slot));
    }

    function _note(bytes32 key, uint256 before) private {
        if (_done[key]) wasPaidTwice = true;
        _done[key] = true;
        paid += before - vault.outstanding(AssetId.wrap(1));
    }

    function _createdAt(uint8 nonce) private view returns (address) {
        return address(
            uint160(
                uint256(keccak256(abi.encodePacked(bytes2(0xd694), address(this), bytes1(nonce))))
            )
        );
    }
}

/// @notice What holds whatever is proved, bent, repeated, redirected or forced upon the vault.
contract EscapeInvariants is Cheats {
    EscapeHandler private _handler;

    function setUp() external {
        _handler = new EscapeHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_everyAtomIsPaidOrOwed() external view {
        uint256 owed = _handler.vault().outstanding(AssetId.wrap(1));
        _require(owed + _handler.paid() == _handler.total(), "an atom is lost or was made");
        _require(_handler.balances() == _handler.paid() * 1 gwei, "owners have something else");
    }

    function invariant_theVaultHoldsWhatItOwes() external view {
        uint256 owed = _handler.vault().outstanding(AssetId.wrap(1)) * 1 gwei;
        _require(address(_handler.vault()).balance == owed + _handler.forced(), "vault");
    }

    function invariant_nothingIsPaidTwiceOrOnABentProof() external view {
        _require(!_handler.wasPaidTwice(), "paid twice");
        _require(!_handler.wasPaidWrongly(), "paid on a bent proof");
    }

    function afterInvariant() external {
        _handler.payAll();
        _require(_handler.vault().outstanding(AssetId.wrap(1)) == 0, "somebody cannot leave");
        _require(address(_handler.vault()).balance == _handler.forced(), "something stays");
    }
}
