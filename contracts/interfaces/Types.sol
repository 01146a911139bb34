// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// Ids of the zone. Each is the slot of a record in the zone's state, given out on L1 from 1 in
/// order; 0 means "none". They are value types so that an owner can never be passed as an asset.

/// @dev Slot of the owner table: a person or contract known on L1.
type OwnerId is uint32;

/// @dev Slot of the asset table.
type AssetId is uint32;

/// @dev Slot of the venue table.
type VenueId is uint32;

/// @dev Slot of the market table. The id that users see is `venue << 16 | number in the venue`.
type MarketId is uint32;

/// @dev Slot of the event-group table: an event whose outcomes are traded.
type EventId is uint32;

/// @dev Slot of the calendar table.
type CalendarId is uint32;

/// @dev Slot of the outbox table: never reused, hence the nullifier of a withdrawal.
type MessageId is uint32;

/// @dev keccak256(abi.encode(parent claim, batch number, header hash, state root)).
type ClaimId is bytes32;

using {equalOwner as ==, differOwner as !=} for OwnerId global;
using {equalAsset as ==, differAsset as !=} for AssetId global;
using {equalVenue as ==, differVenue as !=} for VenueId global;
using {equalMarket as ==, differMarket as !=} for MarketId global;
using {equalCalendar as ==, differCalendar as !=} for CalendarId global;
using {equalClaim as ==, differClaim as !=} for ClaimId global;

OwnerId constant NO_OWNER = OwnerId.wrap(0);
VenueId constant NO_VENUE = VenueId.wrap(0);
MarketId constant NO_MARKET = MarketId.wrap(0);
EventId constant NO_EVENT = EventId.wrap(0);
CalendarId constant NO_CALENDAR = CalendarId.wrap(0);
ClaimId constant NO_CLAIM = ClaimId.wrap(0);

function equalOwner(OwnerId a, OwnerId b) pure returns (bool) {
    return OwnerId.unwrap(a) == OwnerId.unwrap(b);
}

function differOwner(OwnerId a, OwnerId b) pure returns (bool) {
    return OwnerId.unwrap(a) != OwnerId.unwrap(b);
}

function equalAsset(AssetId a, AssetId b) pure returns (bool) {
    return AssetId.unwrap(a) == AssetId.unwrap(b);
}

function differAsset(AssetId a, AssetId b) pure returns (bool) {
    return AssetId.unwrap(a) != AssetId.unwrap(b);
}

function equalVenue(VenueId a, VenueId b) pure returns (bool) {
    return VenueId.unwrap(a) == VenueId.unwrap(b);
}

function differVenue(VenueId a, VenueId b) pure returns (bool) {
    return VenueId.unwrap(a) != VenueId.unwrap(b);
}

function equalMarket(MarketId a, MarketId b) pure returns (bool) {
    return MarketId.unwrap(a) == MarketId.unwrap(b);
}

function differMarket(MarketId a, MarketId b) pure returns (bool) {
    return MarketId.unwrap(a) != MarketId.unwrap(b);
}

function equalCalendar(CalendarId a, CalendarId b) pure returns (bool) {
    return CalendarId.unwrap(a) == CalendarId.unwrap(b);
}

function differCalendar(CalendarId a, CalendarId b) pure returns (bool) {
    return CalendarId.unwrap(a) != CalendarId.unwrap(b);
}

function equalClaim(ClaimId a, ClaimId b) pure returns (bool) {
    return ClaimId.unwrap(a) == ClaimId.unwrap(b);
}

function differClaim(ClaimId a, ClaimId b) pure returns (bool) {
    return ClaimId.unwrap(a) != ClaimId.unwrap(b);
}
