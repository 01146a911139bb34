// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AssetId, VenueId} from "./Types.sol";

/// @title IAssetRegistry
/// @notice Gives assets their ids, from 1 in order, and fixes their terms for ever. Asset 1 is the
/// native coin, registered by the constructor. Anyone may register an ERC-20 against a bond.
///
/// The zone counts in *atoms*: one atom is `quantum` units of the token, a power of ten, and no
/// asset has more than 2^62 - 1 atoms in the zone. A token may be registered more than once, with
/// another quantum or cap: otherwise whoever came first with senseless terms would lock it out.
/// Each registration is an asset of its own; interfaces decide which they show.
///
/// The bond returns, less a fee that stays here for ever, to the registrant if it closes the asset
/// while the vault owes nothing of it. A closed id is never used again; the fee makes sure that one
/// bond cannot be cycled through all ids.
///
/// A *simulated* asset exists in the zone alone: no vault holds it, a venue's markets trade it, and the
/// venue's owner and its faucet make it. The deployer of a venue registers it against the same bond.
///
/// Assumptions for safety:
/// - Registration says nothing about the token. A hostile token can harm those who trade it and
///   nobody else: see `ICustodyVault`.
interface IAssetRegistry {
    /// @notice Terms of an asset.
    struct Asset {
        address token; // zero = native coin, or simulated
        uint8 kind; // 1 = native coin, 2 = ERC-20, 3 = simulated
        uint8 decimals; // of an amount in atoms, for display
        bool isClosed; // takes no deposits, for ever
        uint64 quantum; // token units of one atom
        uint64 cap; // most atoms the vault takes in all
        address registrant; // who closes it and gets the bond back; zero for the native coin
        VenueId venue; // of a simulated asset
    }

    /// @notice What the faucet of a simulated asset gives.
    struct Faucet {
        uint64 amount; // atoms a claim; 0 = no faucet
        uint64 interval; // ms between two claims of one account
    }

    /* EVENTS */

    /// @notice An asset was registered.
    event AssetRegistered(
        AssetId indexed asset,
        address indexed token,
        address indexed registrant,
        uint8 kind,
        uint8 decimals,
        uint64 quantum,
        uint64 cap,
        uint64 inboxIndex
    );

    /// @notice A simulated asset has this symbol, for display.
    event SimulatedRegistered(AssetId indexed asset, VenueId indexed venue, string symbol);
    event FaucetSet(AssetId indexed asset, Faucet before, Faucet faucet, uint64 inboxIndex);

    /// @notice An asset was closed for ever and the bond, less the fee, paid back.
    event AssetClosed(AssetId indexed asset, address indexed registrant, uint256 refund);

    /* ERRORS */

    /// @notice The fee is above the bond.
    error FeeAboveBond(uint256 fee, uint256 bond);
    /// @notice The value sent is not the bond.
    error WrongBond(uint256 sent, uint256 expected);
    /// @notice The zero address is the native coin, which is registered already.
    error ZeroToken();
    /// @notice Every id of the zone is given out.
    error RegistryFull(uint32 maxAssets);
    /// @notice The quantum is not a power of ten up to 10^18.
    error BadQuantum(uint64 quantum);
    /// @notice The token's decimals are above 36 or fewer than the quantum cuts off.
    error BadDecimals(uint8 tokenDecimals, uint64 quantum);
    /// @notice The cap is zero or above 2^62 - 1 atoms.
    error BadCap(uint64 cap, uint64 limit);
    /// @notice A symbol has 1 to 11 characters out of A-Z and 0-9.
    error BadSymbol(string symbol);
    /// @notice A simulated asset has at most 18 decimals.
    error TooManyDecimals(uint8 decimals, uint8 limit);
    /// @notice Only simulated assets have a faucet.
    error NotSimulated(AssetId asset, uint8 kind);
    /// @notice The faucet gives more than there may be, or its interval is longer than 2^48 ms.
    error BadFaucet(uint64 amount, uint64 interval);
    /// @notice No asset has this id.
    error UnknownAsset(AssetId asset);
    /// @notice Only the registrant closes an asset.
    error NotRegistrant(address caller, address registrant);
    /// @notice The asset is closed already.
    error AssetIsClosed(AssetId asset);
    /// @notice The vault still owes some of it.
    error StillOutstanding(AssetId asset, uint64 atoms);
    /// @notice The registrant did not take the bond.
    error RefundFailed(address to, uint256 amount);

    /* WRITES */

    /// @notice Register an ERC-20 that answers `decimals()`. Send exactly `bond`.
    /// @param token the token contract.
    /// @param quantum token units of one atom: a power of ten up to 10^18.
    /// @param cap most atoms the vault takes in all, at most 2^62 - 1.
    /// @return asset the new id.
    function registerAsset(address token, uint64 quantum, uint64 cap)
        external
        payable
        returns (AssetId asset);

    /// @notice Register an asset that exists in the zone alone. Send exactly `bond`. Only the deployer of a
    /// venue.
    /// @param venue whose markets trade it.
    /// @param symbol for display; 1 to 11 characters out of A-Z and 0-9.
    /// @param decimals of an amount in atoms, at most 18.
    /// @param cap most atoms that there may be, at most 2^62 - 1.
    /// @return asset the new id.
    function registerSimulated(VenueId venue, string calldata symbol, uint8 decimals, uint64 cap)
        external
        payable
        returns (AssetId asset);

    /// @notice Set the faucet of a simulated asset. Only the deployer of its venue.
    function setFaucet(AssetId asset, Faucet calldata faucet) external;

    /// @notice Close an asset of the caller for ever while the vault owes nothing of it, and get the
    /// bond back less `fee`.
    function closeAsset(AssetId asset) external;

    /* VIEWS */

    /// @notice Native coin bound by a registration, wei.
    function bond() external view returns (uint256);

    /// @notice Part of the bond that never returns, wei.
    function fee() external view returns (uint256);

    /// @notice Highest id that can be given out.
    function maxAssets() external view returns (uint32);

    /// @notice Venue registry, which knows whose a venue is.
    function venues() external view returns (address);

    /// @notice Symbol of a simulated asset; empty for others.
    function symbolOf(AssetId asset) external view returns (string memory);

    /// @notice Faucet of a simulated asset.
    function faucetOf(AssetId asset) external view returns (Faucet memory);

    /// @notice Vault that holds the assets.
    function vault() external view returns (address);

    /// @notice Ids given out so far.
    function count() external view returns (uint32);

    /// @notice Whether an asset exists and is not closed.
    function isOpen(AssetId asset) external view returns (bool);

    /// @notice Terms of an asset. Reverts with `UnknownAsset` if there is none.
    function assetOf(AssetId asset) external view returns (Asset memory);
}
