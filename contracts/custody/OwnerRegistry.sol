// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IInbox} from "../interfaces/IInbox.sol";
import {IOwnerRegistry} from "../interfaces/IOwnerRegistry.sol";
import {NO_OWNER, OwnerId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";

/// @title OwnerRegistry
/// @notice Implements {IOwnerRegistry}, which says what it does, what it assumes and how it fails.
contract OwnerRegistry is IOwnerRegistry {
    /* IMMUTABLES */

    /// @notice Queue that tells the zone of each registration.
    IInbox public immutable inbox;
    /// @inheritdoc IOwnerRegistry
    uint256 public immutable registrationFee;
    /// @inheritdoc IOwnerRegistry
    uint32 public immutable maxOwners;

    /* STORAGE */

    struct Owner {
        address account;
        uint8 kind;
    }

    /// @inheritdoc IOwnerRegistry
    uint32 public count;
    /// @inheritdoc IOwnerRegistry
    mapping(address account => OwnerId owner) public idOf;
    mapping(OwnerId owner => Owner entry) private _owners;

    /* CONSTRUCTOR */

    /// @param inbox_ queue of the zone.
    /// @param protocolOwner becomes owner 1, which the zone pays the protocol's share of fees to.
    /// @param registrationFee_ burned by each registration, wei.
    /// @param maxOwners_ highest id; below the capacity of the zone's owner table.
    constructor(IInbox inbox_, address protocolOwner, uint256 registrationFee_, uint32 maxOwners_) {
        inbox = inbox_;
        registrationFee = registrationFee_;
        maxOwners = maxOwners_;
        _register(protocolOwner, InboxMessages.OWNER_USER);
    }

    /* WRITES */

    /// @inheritdoc IOwnerRegistry
    function register(address account) external payable returns (OwnerId owner) {
        return _registerPaid(account, InboxMessages.OWNER_USER);
    }

    /// @inheritdoc IOwnerRegistry
    function registerSelfAsContract() external payable returns (OwnerId owner) {
        return _registerPaid(msg.sender, InboxMessages.OWNER_CONTRACT);
    }

    /// @inheritdoc IOwnerRegistry
    function registerIfNew(address account) external payable returns (OwnerId owner) {
        owner = idOf[account];
        if (owner == NO_OWNER) return _registerPaid(account, InboxMessages.OWNER_USER);
        if (msg.value != 0) revert WrongFee(msg.value, 0);
    }

    /// @inheritdoc IOwnerRegistry
    function registerMany(address[] calldata accounts)
        external
        payable
        returns (uint32 registered)
    {
        for (uint256 i = 0; i < accounts.length; i++) {
            if (idOf[accounts[i]] != NO_OWNER) continue;
            _register(accounts[i], InboxMessages.OWNER_USER);
            registered++;
        }
        uint256 due = registered * registrationFee;
        if (msg.value < due) revert WrongFee(msg.value, due);
        uint256 refund = msg.value - due;
        if (refund != 0 && !LowLevelCall.callNoReturn(msg.sender, refund, "")) {
            revert RefundFailed(msg.sender, refund);
        }
    }

    /* VIEWS */

    /// @inheritdoc IOwnerRegistry
    function feeFor(address account) external view returns (uint256) {
        return idOf[account] == NO_OWNER ? registrationFee : 0;
    }

    /// @inheritdoc IOwnerRegistry
    function ownerOf(OwnerId owner) external view returns (address) {
        return _ownerAt(owner).account;
    }

    /// @inheritdoc IOwnerRegistry
    function kindOf(OwnerId owner) external view returns (uint8) {
        return _ownerAt(owner).kind;
    }

    /* INTERNAL */

    function _registerPaid(address account, uint8 kind) private returns (OwnerId owner) {
        if (msg.value != registrationFee) revert WrongFee(msg.value, registrationFee);
        return _register(account, kind);
    }

    function _register(address account, uint8 kind) private returns (OwnerId owner) {
        if (account == address(0)) revert ZeroAddress();
        if (idOf[account] != NO_OWNER) revert AlreadyRegistered(account, idOf[account]);
        if (count >= maxOwners) revert RegistryFull(maxOwners);

        count++;
        owner = OwnerId.wrap(count);
        idOf[account] = owner;
        _owners[owner] = Owner(account, kind);
        uint64 index = inbox.enqueue(
            InboxMessages.REGISTER_OWNER,
            InboxMessages.registerOwner(owner, account, NO_OWNER, kind)
        );
        emit OwnerRegistered(owner, account, kind, index);
    }

    function _ownerAt(OwnerId owner) private view returns (Owner storage) {
        Owner storage entry = _owners[owner];
        if (entry.account == address(0)) revert UnknownOwner(owner);
        return entry;
    }
}
