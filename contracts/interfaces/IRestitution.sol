// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AssetId, VenueId} from "./Types.sol";

/// @title IRestitution
/// @notice Turns slashed stake into the asset in which a venue's users were harmed and pays it behind that
/// venue's wall, where it repays losses before anything else (`SLASH`, docs/spec/adl.md). Stake is native
/// coin: where the ledger is of another asset it is sold by a falling price, to anyone.
/// docs/spec/slashing.md has the rules and their reasons.
///
/// Anyone may give, and anyone may buy: nobody can take anything out but by paying the price into the ledger.
///
/// Assumptions for safety:
/// - The governed price (`IStakeRisk`) is within a half and the double of the market's; else stake is sold badly
///   to whoever is first, or not before the price is set anew.
interface IRestitution {
    /// @notice Coin that is for sale.
    struct Lot {
        VenueId venue;
        AssetId asset;
        uint64 since; // L1 seconds
        uint128 left; // wei
    }

    /* EVENTS */

    /// @notice Coin came in for a ledger. Lot 0: it was of the native coin and is paid in already.
    event Given(
        VenueId indexed venue,
        AssetId indexed asset,
        uint32 indexed lot,
        address from,
        uint256 amount
    );
    event Bought(uint32 indexed lot, address indexed buyer, uint256 amount, uint64 atoms);

    /* ERRORS */

    error NothingGiven();
    /// @notice The zone has no such ledger, or it is of a simulated asset.
    error NoLedger(VenueId venue, AssetId asset);
    /// @notice Stake has no price in the asset, so it cannot be sold for it.
    error NoPrice(AssetId asset);
    error UnknownLot(uint32 lot);
    error NotSoMuch(uint32 lot, uint256 asked, uint256 left);
    /// @notice The price is above what the buyer would pay.
    error TooDear(uint64 atoms, uint64 most);
    error TransferFailed(address to, uint256 amount);

    /* WRITES */

    /// @notice Give the coin sent to a ledger.
    /// @return lot number under which it is for sale; 0 if the ledger is of the native coin.
    function give(VenueId venue, AssetId asset) external payable returns (uint32 lot);

    /// @notice Buy coin of a lot. What it costs goes from the caller, who has approved it, into the ledger.
    /// @param amount wei.
    /// @param mostAtoms refuse to pay more.
    /// @return atoms paid.
    function buy(uint32 lot, uint256 amount, uint64 mostAtoms) external returns (uint64 atoms);

    /* VIEWS */

    /// @notice Seconds in which the price falls from the double to a quarter of the governed one.
    function FALL() external view returns (uint64);

    function lotCount() external view returns (uint32);

    /// @notice A lot. Reverts with `UnknownLot` if there is none.
    function lotOf(uint32 lot) external view returns (Lot memory);

    /// @notice What an amount (wei) of a lot costs now, atoms.
    function costOf(uint32 lot, uint256 amount) external view returns (uint64);

    /// @notice What an amount of an asset is worth in stake at the governed price, rounded up, wei; the whole
    /// amount if it is native coin. Reverts with `NoPrice` if stake has none.
    function worthOf(AssetId asset, uint64 atoms) external view returns (uint256);

    /// @notice Coin of lots, wei; the rest of the balance was forced in, or is less than an atom of it.
    function totalLeft() external view returns (uint256);
}
