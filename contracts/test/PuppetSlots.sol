// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ISlots} from "../interfaces/ISlots.sol";

/// @title PuppetSlots
/// @notice Slots without end that a test takes away: stands for an auction of them.
contract PuppetSlots is ISlots {
    uint8 private constant _LICENSED = 2;
    uint8 private constant _LOST = 3;

    /// @inheritdoc ISlots
    address public immutable registry;
    /// @inheritdoc ISlots
    mapping(uint32 venue => mapping(uint8 kind => uint16 used)) public baseSlotsUsed;
    mapping(uint32 market => Slot slot) private _slotOf;

    /// @param registry_ market registry of the zone.
    constructor(address registry_) {
        registry = registry_;
    }

    /// @notice The licence under a market is reclaimed.
    function lose(uint32 market) external {
        _slotOf[market].state = _LOST;
    }

    /// @inheritdoc ISlots
    function occupy(uint32 venue, uint8 kind, uint32 market) external returns (uint32 licence) {
        if (msg.sender != registry) revert NotVenueRegistry(msg.sender, registry);
        if (_slotOf[market].state != 0) revert AlreadyOccupied(market);
        _slotOf[market] = Slot(_LICENSED, kind, venue, market);
        emit SlotOccupied(market, venue, kind, market);
        return market;
    }

    /// @inheritdoc ISlots
    function release(uint32 market) external {
        if (msg.sender != registry) revert NotVenueRegistry(msg.sender, registry);
        Slot memory slot = _slotOf[market];
        if (slot.state == 0) revert UnknownMarket(market);
        delete _slotOf[market];
        emit SlotReleased(market, slot.venue, slot.kind, slot.licence);
    }

    /// @inheritdoc ISlots
    function isSlotFree(uint32, uint8) external pure returns (bool) {
        return true;
    }

    /// @inheritdoc ISlots
    function slotOf(uint32 market) external view returns (Slot memory) {
        return _slotOf[market];
    }
}
