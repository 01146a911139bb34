// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IForcedOperations} from "../interfaces/IForcedOperations.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IOwnerRegistry} from "../interfaces/IOwnerRegistry.sol";
import {IStateChain} from "../interfaces/IStateChain.sol";
import {ClaimId, MessageId, NO_OWNER, OwnerId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {RecordTree} from "../libraries/RecordTree.sol";
import {Records} from "../libraries/Records.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title ForcedOperations
/// @notice Implements {IForcedOperations}, which says what it does, what it assumes and how it fails.
contract ForcedOperations is IForcedOperations, EIP712, Nonces {
    /* CONSTANTS */

    /// @inheritdoc IForcedOperations
    uint32 public constant PER_OWNER = 64;
    /// @inheritdoc IForcedOperations
    uint64 public constant PERIOD = 1 days;
    /// @inheritdoc IForcedOperations
    uint64 public constant LEVEL = 256;
    /// @inheritdoc IForcedOperations
    uint64 public constant DRAIN = 5 seconds;
    /// @dev Levels at which the surcharge doubles no more: nobody pays 2^32 bonds for a message.
    uint64 private constant _MOST_LEVELS = 32;
    /// @dev Kinds of outbox records that answer (`tradezone/protocol/enums.py`).
    uint8 private constant _OUTBOX_WITHDRAWAL = 1;
    uint8 private constant _OUTBOX_FORCED_RESULT = 2;

    bytes32 private constant _WITHDRAW_TYPE_HASH = keccak256(
        "ForceWithdraw(address owner,uint32 account,uint32 asset,uint64 amount,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant _CLOSE_TYPE_HASH = keccak256(
        "ForceClose(address owner,uint32 account,uint32 market,uint32 position,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant _CANCEL_ALL_TYPE_HASH =
        keccak256("ForceCancelAll(address owner,uint32 account,uint256 nonce,uint256 deadline)");
    bytes32 private constant _APPROVE_KEY_TYPE_HASH = keccak256(
        "ForceApproveKey(address owner,address agent,uint32 onlyAccount,uint32 onlyVenue,uint8 scope,uint64 expires,uint64 maxNotional,bytes8 name,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant _REVOKE_KEY_TYPE_HASH =
        keccak256("ForceRevokeKey(address owner,uint64 revokedKey,uint256 nonce,uint256 deadline)");
    bytes32 private constant _REDIRECT_TYPE_HASH =
        keccak256("ForceRedirect(address owner,address to,uint256 nonce,uint256 deadline)");

    /* IMMUTABLES */

    /// @inheritdoc IForcedOperations
    address public immutable inbox;
    /// @inheritdoc IForcedOperations
    address public immutable chain;
    /// @inheritdoc IForcedOperations
    address public immutable owners;
    /// @inheritdoc IForcedOperations
    uint256 public immutable bond;

    /* STORAGE */

    struct Period {
        uint64 start;
        uint32 used;
    }

    mapping(uint64 index => Operation operation) private _operations;
    mapping(address owner => Period period) private _periods;
    /// @inheritdoc IForcedOperations
    mapping(address account => uint256 amount) public owed;
    /// @dev L1 time at which everything sent until now has drained.
    uint64 private _drainedAt;

    /* CONSTRUCTOR */

    /// @param inbox_ queue of the zone, which admits this contract for kinds 16 to 21.
    /// @param chain_ state chain of the zone.
    /// @param owners_ owner registry of the zone.
    /// @param bond_ bond of an operation, wei.
    constructor(IInbox inbox_, IStateChain chain_, IOwnerRegistry owners_, uint256 bond_)
        EIP712("TradeZone", "1")
    {
        if (
            address(inbox_) == address(0) || address(chain_) == address(0)
                || address(owners_) == address(0) || bond_ == 0
        ) revert BadParameter();
        inbox = address(inbox_);
        chain = address(chain_);
        owners = address(owners_);
        bond = bond_;
    }

    /* WRITES */

    /// @inheritdoc IForcedOperations
    function submit(uint8 kind, bytes calldata fields) external payable returns (uint64 index) {
        return _submit(msg.sender, kind, fields);
    }

    /// @inheritdoc IForcedOperations
    function submitBySig(
        address owner,
        uint8 kind,
        bytes calldata fields,
        uint256 deadline,
        bytes calldata signature
    ) external payable returns (uint64 index) {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        bytes32 digest = digestOf(owner, kind, fields, deadline);
        _useNonce(owner);
        if (!SignatureChecker.isValidSignatureNowCalldata(owner, digest, signature)) {
            revert BadSignature(owner);
        }
        return _submit(owner, kind, fields);
    }

    /// @inheritdoc IForcedOperations
    function prove(ClaimId claim, Proof calldata proof) external {
        bytes32 stateRoot = IStateChain(chain).finalRootOf(claim);
        uint256 slot = MessageId.unwrap(proof.id);
        bytes32[] memory words = proof.words;
        RecordTree.verifyRecord(stateRoot, Records.TYPE_OUTBOX, slot, words, proof.siblings);
        Records.Outbox memory record = Records.decodeOutbox(words);
        uint64 index = record.inbox;
        bool answers = record.kind == _OUTBOX_WITHDRAWAL || record.kind == _OUTBOX_FORCED_RESULT;
        if (!answers) revert NotAnOperation(index);

        Operation storage operation = _open(index);
        operation.isAnswered = true;
        operation.status = record.status;
        operation.amount = record.amount;
        if (record.status == 0) owed[operation.payer] += bond;
        emit Answered(index, proof.id, record.status, record.amount);
    }

    /// @inheritdoc IForcedOperations
    function reclaim(uint64 index) external {
        if (IStateChain(chain).mode() != IStateChain.Mode.ESCAPE) revert NotEnded();
        Operation storage operation = _open(index);
        operation.isAnswered = true;
        owed[operation.payer] += bond;
        emit Reclaimed(index, operation.payer);
    }

    /// @inheritdoc IForcedOperations
    function collect(address account) external {
        uint256 amount = owed[account];
        if (amount == 0) revert NothingOwed(account);
        owed[account] = 0;
        emit Collected(account, amount);
        _pay(account, amount);
    }

    /* VIEWS */

    /// @inheritdoc IForcedOperations
    function surcharge() public view returns (uint256) {
        uint64 level = _waiting() / LEVEL;
        if (level > _MOST_LEVELS) level = _MOST_LEVELS;
        return bond * ((uint256(1) << level) - 1);
    }

    /// @inheritdoc IForcedOperations
    function operationOf(uint64 index) external view returns (Operation memory) {
        return _operations[index];
    }

    /// @inheritdoc IForcedOperations
    function digestOf(address owner, uint8 kind, bytes calldata fields, uint256 deadline)
        public
        view
        returns (bytes32)
    {
        (bytes32 typeHash, uint256 words) = _typeOf(kind);
        if (fields.length != words * 32) revert BadFields(fields.length, words * 32);
        return _hashTypedDataV4(
            keccak256(
                bytes.concat(
                    abi.encode(typeHash, owner), fields, abi.encode(nonces(owner), deadline)
                )
            )
        );
    }

    /* INTERNAL */

    function _submit(address owner, uint8 kind, bytes calldata fields)
        private
        returns (uint64 index)
    {
        OwnerId id = IOwnerRegistry(owners).idOf(owner);
        if (id == NO_OWNER) revert NotAnOwner(owner);
        bytes memory payload = _payload(id, owner, kind, fields);
        _count(owner);
        uint256 extra = surcharge();
        if (msg.value < bond + extra) revert BondTooSmall(msg.value, bond + extra);
        uint64 time = uint64(block.timestamp);
        _drainedAt = (_drainedAt > time ? _drainedAt : time) + DRAIN;

        index = IInbox(inbox).enqueue(kind, payload);
        _operations[index].payer = msg.sender;
        emit Submitted(index, owner, kind, msg.sender, extra);
        uint256 rest = msg.value - bond - extra;
        if (rest != 0) _pay(msg.sender, rest);
    }

    /// @dev Decoding reverts if a value does not fit its type.
    function _payload(OwnerId id, address owner, uint8 kind, bytes calldata fields)
        private
        pure
        returns (bytes memory)
    {
        (, uint256 words) = _typeOf(kind);
        if (fields.length != words * 32) revert BadFields(fields.length, words * 32);
        bytes memory body;
        if (kind == InboxMessages.FORCED_WITHDRAW) {
            (uint32 account, uint32 asset, uint64 amount) =
                abi.decode(fields, (uint32, uint32, uint64));
            if (amount == 0) revert ZeroAmount();
            body = abi.encodePacked(account, asset, amount);
        } else if (kind == InboxMessages.FORCED_CLOSE) {
            (uint32 account, uint32 market, uint32 position) =
                abi.decode(fields, (uint32, uint32, uint32));
            body = abi.encodePacked(account, market, position);
        } else if (kind == InboxMessages.FORCED_CANCEL_ALL) {
            body = abi.encodePacked(abi.decode(fields, (uint32)));
        } else if (kind == InboxMessages.FORCED_APPROVE_KEY) {
            body = _packKey(fields);
        } else if (kind == InboxMessages.FORCED_REVOKE_KEY) {
            body = abi.encodePacked(abi.decode(fields, (uint64)));
        } else {
            body = abi.encodePacked(abi.decode(fields, (address)));
        }
        return bytes.concat(abi.encodePacked(OwnerId.unwrap(id), owner), body);
    }

    function _packKey(bytes calldata fields) private pure returns (bytes memory) {
        (
            address agent,
            uint32 onlyAccount,
            uint32 onlyVenue,
            uint8 scope,
            uint64 expires,
            uint64 maxNotional,
            bytes8 name
        ) = abi.decode(fields, (address, uint32, uint32, uint8, uint64, uint64, bytes8));
        return abi.encodePacked(agent, onlyAccount, onlyVenue, scope, expires, maxNotional, name);
    }

    /// @dev Type that is signed, and the words of its fields without owner, nonce and deadline.
    function _typeOf(uint8 kind) private pure returns (bytes32 typeHash, uint256 words) {
        if (kind == InboxMessages.FORCED_WITHDRAW) return (_WITHDRAW_TYPE_HASH, 3);
        if (kind == InboxMessages.FORCED_CLOSE) return (_CLOSE_TYPE_HASH, 3);
        if (kind == InboxMessages.FORCED_CANCEL_ALL) return (_CANCEL_ALL_TYPE_HASH, 1);
        if (kind == InboxMessages.FORCED_APPROVE_KEY) return (_APPROVE_KEY_TYPE_HASH, 7);
        if (kind == InboxMessages.FORCED_REVOKE_KEY) return (_REVOKE_KEY_TYPE_HASH, 1);
        if (kind == InboxMessages.FORCED_REDIRECT) return (_REDIRECT_TYPE_HASH, 1);
        revert UnknownKind(kind);
    }

    /// @dev One more operation of the owner in its period.
    function _count(address owner) private {
        Period storage period = _periods[owner];
        if (block.timestamp >= period.start + PERIOD) {
            period.start = uint64(block.timestamp);
            period.used = 0;
        }
        if (period.used >= PER_OWNER) revert RateLimited(owner, period.start + PERIOD);
        period.used++;
    }

    /// @dev Operations that have not drained yet.
    function _waiting() private view returns (uint64) {
        uint64 time = uint64(block.timestamp);
        return _drainedAt > time ? (_drainedAt - time) / DRAIN : 0;
    }

    function _open(uint64 index) private view returns (Operation storage operation) {
        operation = _operations[index];
        if (operation.payer == address(0)) revert NotAnOperation(index);
        if (operation.isAnswered) revert AlreadyAnswered(index);
    }

    function _pay(address to, uint256 amount) private {
        if (!LowLevelCall.callNoReturn(to, amount, "")) revert PaymentFailed(to, amount);
    }
}
