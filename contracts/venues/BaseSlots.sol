// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ISlots} from "../interfaces/ISlots.sol";

/// @title BaseSlots
/// @notice The free slots of each venue and no others: {ISlots} for a zone without an auction.
contract BaseSlots is ISlots {
    /* CONSTANTS */

    uint8 private constant _KINDS = 4;
    uint8 private constant _BASE = 1;

    /* IMMUTABLES */

    /// @inheritdoc ISlots
    address public immutable registry;
    /// @dev Slots of kind k stand in bits 16 (k - 1) to 16 k - 1.
    uint64 private immutable _slots;

    /* STORAGE */

    /// @inheritdoc ISlots
    mapping(uint32 venue => mapping(uint8 kind => uint16 used)) public baseSlotsUsed;
    mapping(uint32 market => Slot slot) private _slotOf;

    /* CONSTRUCTOR */

    /// @param registry_ market registry of the zone.
    /// @param slots free slots of each venue: spot, perpetual, outcome, simulated.
    constructor(address registry_, uint16[4] memory slots) {
        registry = registry_;
        uint64 packed = 0;
        for (uint64 i = 0; i < _KINDS; ++i) {
            packed |= uint64(slots[i]) << (16 * i);
        }
        _slots = packed;
    }

    /* WRITES */

    /// @inheritdoc ISlots
    function occupy(uint32 venue, uint8 kind, uint32 market) external returns (uint32 licence) {
        _requireRegistry();
        if (market == 0) revert UnknownMarket(market);
        if (_slotOf[market].state != 0) revert AlreadyOccupied(market);
        if (!isSlotFree(venue, kind)) revert NoFreeSlot(venue, kind);
        baseSlotsUsed[venue][kind]++;
        _slotOf[market] = Slot(_BASE, kind, venue, 0);
        emit SlotOccupied(market, venue, kind, 0);
        return 0;
    }

    /// @inheritdoc ISlots
    function release(uint32 market) external {
        _requireRegistry();
        Slot memory slot = _slotOf[market];
        if (slot.state == 0) revert UnknownMarket(market);
        delete _slotOf[market];
        baseSlotsUsed[slot.venue][slot.kind]--;
        emit SlotReleased(market, slot.venue, slot.kind, 0);
    }

    /* VIEWS */

    /// @inheritdoc ISlots
    function isSlotFree(uint32 venue, uint8 kind) public view returns (bool) {
        return baseSlotsUsed[venue][kind] < baseSlots(kind);
    }

    /// @inheritdoc ISlots
    function slotOf(uint32 market) external view returns (Slot memory) {
        return _slotOf[market];
    }

    /// @notice Free slots of each venue in a kind.
    function baseSlots(uint8 kind) public view returns (uint16) {
        if (kind == 0 || kind > _KINDS) revert UnknownKind(kind);
        return uint16(_slots >> (16 * (kind - 1)));
    }

    /* INTERNAL */

    function _requireRegistry() private view {
        if (msg.sender != registry) revert NotVenueRegistry(msg.sender, registry);
    }
}
