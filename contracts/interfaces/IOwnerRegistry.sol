// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {OwnerId} from "./Types.sol";

/// @title IOwnerRegistry
/// @notice Gives every address that takes part in the zone an owner id, from 1 in order, and tells
/// the zone. Anyone may register anyone: an id gives its address rights and obliges it to nothing,
/// and a venue can so onboard users who hold no coin.
///
/// Owner ids are slots of a table of fixed size. Each registration therefore costs a fee that is
/// burned (it stays in this contract, which has no function to move it), so that filling the table
/// has a price. A zone for testing may set it to 0.
///
/// An owner is of kind 1 (signs envelopes) unless it registered *itself* as a contract, kind 2
/// (acts through the inbox only). Code at an address decides nothing: an account with delegated code
/// (EIP-7702) still signs. Being registered by a stranger as kind 1 takes nothing from a contract:
/// the zone then holds a key for it with which nobody can sign.
///
/// Assumptions for safety: none beyond the inbox.
/// Assumptions for liveness: fewer than `maxOwners` owners are registered.
interface IOwnerRegistry {
    /* EVENTS */

    /// @notice An owner was registered.
    /// @param owner its id.
    /// @param account its address, the only one the zone ever pays for it.
    /// @param kind 1 = signs envelopes, 2 = contract that acts through the inbox only.
    /// @param inboxIndex message that tells the zone.
    event OwnerRegistered(
        OwnerId indexed owner, address indexed account, uint8 kind, uint64 inboxIndex
    );

    /* ERRORS */

    /// @notice The zero address owns nothing.
    error ZeroAddress();
    /// @notice The address has an id already.
    error AlreadyRegistered(address account, OwnerId owner);
    /// @notice The value sent is not the fee that is due.
    error WrongFee(uint256 sent, uint256 expected);
    /// @notice Every id of the zone is given out.
    error RegistryFull(uint32 maxOwners);
    /// @notice No owner has this id.
    error UnknownOwner(OwnerId owner);
    /// @notice The caller did not take the part of the fee that is returned to it.
    error RefundFailed(address to, uint256 amount);

    /* WRITES */

    /// @notice Register `account` as an owner that signs (kind 1). Send exactly `registrationFee`.
    /// @return owner the new id.
    function register(address account) external payable returns (OwnerId owner);

    /// @notice Register every address of the list that has no id yet (kind 1). Send the fee for each;
    /// what was sent for addresses that turn out to be registered is returned to the caller.
    /// @return registered how many ids were given out.
    function registerMany(address[] calldata accounts) external payable returns (uint32 registered);

    /// @notice Return the id of `account`, registering it (kind 1) if it has none. Send exactly
    /// `feeFor(account)`.
    function registerIfNew(address account) external payable returns (OwnerId owner);

    /// @notice Register the caller as a contract (kind 2). Send exactly `registrationFee`.
    /// @dev Warning: this cannot be undone; an owner of kind 2 can never sign an envelope.
    /// @return owner the new id.
    function registerSelfAsContract() external payable returns (OwnerId owner);

    /* VIEWS */

    /// @notice Native coin that a registration costs, wei.
    function registrationFee() external view returns (uint256);

    /// @notice Highest id that can be given out.
    function maxOwners() external view returns (uint32);

    /// @notice Ids given out so far.
    function count() external view returns (uint32);

    /// @notice Fee that registering `account` would cost now: 0 if it has an id.
    function feeFor(address account) external view returns (uint256);

    /// @notice Id of `account`, 0 if it has none.
    function idOf(address account) external view returns (OwnerId);

    /// @notice Address of an owner.
    function ownerOf(OwnerId owner) external view returns (address);

    /// @notice Kind of an owner: 1 = signs, 2 = contract.
    function kindOf(OwnerId owner) external view returns (uint8);
}
