// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title ISlots
/// @notice Room for markets: what the market registry asks of whoever counts slots. A zone has base slots
/// alone (`BaseSlots`) or an auction that sells more of them; both answer here. Ids are plain numbers, so
/// that an implementation may be written in any language.
///
/// Kinds are 1 = spot, 2 = perpetual, 3 = outcome, 4 = simulated (a market of simulated assets).
///
/// Assumptions for safety: none for users' money.
///
/// Assumptions for liveness: `release` does not revert for a market that occupies a slot; one that did
/// would keep a closed market from being forgotten.
interface ISlots {
    /// @notice Where a market stands.
    struct Slot {
        uint8 state; // 0 = nowhere, 1 = base slot, 2 = licence, 3 = its licence was reclaimed
        uint8 kind;
        uint32 venue;
        uint32 licence; // 0 = base slot
    }

    /// @notice A market took a slot; licence 0 is a base slot.
    event SlotOccupied(
        uint32 indexed market, uint32 indexed venue, uint8 indexed kind, uint32 licence
    );
    event SlotReleased(
        uint32 indexed market, uint32 indexed venue, uint8 indexed kind, uint32 licence
    );

    error UnknownKind(uint8 kind);
    error NotVenueRegistry(address caller, address registry);
    error AlreadyOccupied(uint32 market);
    error NoFreeSlot(uint32 venue, uint8 kind);
    error UnknownMarket(uint32 market);

    /// @notice Take a slot for a market that is being listed. Only the market registry.
    /// @return licence that it stands on; 0 = a base slot.
    function occupy(uint32 venue, uint8 kind, uint32 market) external returns (uint32 licence);

    /// @notice Free the slot of a market that is gone. Only the market registry.
    function release(uint32 market) external;

    /// @notice Contract that may occupy and release: the market registry.
    function registry() external view returns (address);

    /// @notice Whether a market of the kind can be listed on the venue now.
    function isSlotFree(uint32 venue, uint8 kind) external view returns (bool);

    /// @notice Slot of a market.
    function slotOf(uint32 market) external view returns (Slot memory);

    /// @notice Base slots of a kind that a venue uses.
    function baseSlotsUsed(uint32 venue, uint8 kind) external view returns (uint16);
}
