// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAssetRegistry} from "../interfaces/IAssetRegistry.sol";
import {ICustodyVault} from "../interfaces/ICustodyVault.sol";
import {IInbox} from "../interfaces/IInbox.sol";
import {IVenueRegistry} from "../interfaces/IVenueRegistry.sol";
import {AssetId, NO_VENUE, VenueId} from "../interfaces/Types.sol";
import {InboxMessages} from "../libraries/InboxMessages.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";

/// @title AssetRegistry
/// @notice Implements {IAssetRegistry}, which says what it does, what it assumes and how it fails.
contract AssetRegistry is IAssetRegistry {
    /* CONSTANTS */

    /// @dev Largest quantum: a token unit of 10^-18 makes one atom a whole coin.
    uint64 private constant _MAX_QUANTUM = 1e18;
    /// @dev Most decimals of an amount in atoms that the zone takes.
    uint8 private constant _MAX_DECIMALS = 36;
    /// @dev Decimals of the native coin.
    uint8 private constant _NATIVE_DECIMALS = 18;
    /// @dev Most decimals of a simulated asset.
    uint8 private constant _SIMULATED_DECIMALS = 18;
    uint256 private constant _MAX_SYMBOL = 11;
    /// @dev Ms.
    uint64 private constant _MAX_TIME = 1 << 48;

    /* IMMUTABLES */

    /// @notice Queue that tells the zone of each registration.
    IInbox public immutable inbox;
    /// @inheritdoc IAssetRegistry
    address public immutable vault;
    /// @inheritdoc IAssetRegistry
    address public immutable venues;
    /// @inheritdoc IAssetRegistry
    uint256 public immutable bond;
    /// @inheritdoc IAssetRegistry
    uint256 public immutable fee;
    /// @inheritdoc IAssetRegistry
    uint32 public immutable maxAssets;

    /* STORAGE */

    /// @inheritdoc IAssetRegistry
    uint32 public count;
    /// @inheritdoc IAssetRegistry
    mapping(AssetId asset => string symbol) public symbolOf;
    mapping(AssetId asset => Asset entry) private _assets;
    mapping(AssetId asset => Faucet faucet) private _faucets;

    /* CONSTRUCTOR */

    /// @param inbox_ queue of the zone.
    /// @param vault_ vault that holds the assets.
    /// @param venues_ venue registry, whose deployers register simulated assets.
    /// @param bond_ bound by a registration, wei.
    /// @param fee_ part of the bond that never returns, wei.
    /// @param maxAssets_ highest id; below the capacity of the zone's asset table.
    /// @param nativeQuantum wei of one atom of the native coin, which becomes asset 1.
    constructor(
        IInbox inbox_,
        address vault_,
        address venues_,
        uint256 bond_,
        uint256 fee_,
        uint32 maxAssets_,
        uint64 nativeQuantum
    ) {
        if (fee_ > bond_) revert FeeAboveBond(fee_, bond_);
        inbox = inbox_;
        vault = vault_;
        venues = venues_;
        bond = bond_;
        fee = fee_;
        maxAssets = maxAssets_;
        _register(
            Asset({
                token: address(0),
                kind: InboxMessages.ASSET_NATIVE,
                decimals: _decimalsOfAtoms(_NATIVE_DECIMALS, nativeQuantum),
                isClosed: false,
                quantum: nativeQuantum,
                cap: InboxMessages.MAX_TOTAL_ATOMS,
                registrant: address(0),
                venue: NO_VENUE
            })
        );
    }

    /* WRITES */

    /// @inheritdoc IAssetRegistry
    function registerAsset(address token, uint64 quantum, uint64 cap)
        external
        payable
        returns (AssetId asset)
    {
        if (msg.value != bond) revert WrongBond(msg.value, bond);
        if (token == address(0)) revert ZeroToken();
        _requireCap(cap);
        return _register(
            Asset({
                token: token,
                kind: InboxMessages.ASSET_ERC20,
                decimals: _decimalsOfAtoms(IERC20Metadata(token).decimals(), quantum),
                isClosed: false,
                quantum: quantum,
                cap: cap,
                registrant: msg.sender,
                venue: NO_VENUE
            })
        );
    }

    /// @inheritdoc IAssetRegistry
    function registerSimulated(VenueId venue, string calldata symbol, uint8 decimals, uint64 cap)
        external
        payable
        returns (AssetId asset)
    {
        IVenueRegistry(venues).requireDeployer(venue, msg.sender);
        if (msg.value != bond) revert WrongBond(msg.value, bond);
        _requireSymbol(symbol);
        if (decimals > _SIMULATED_DECIMALS) revert TooManyDecimals(decimals, _SIMULATED_DECIMALS);
        _requireCap(cap);
        asset = _register(
            Asset({
                token: address(0),
                kind: InboxMessages.ASSET_SIMULATED,
                decimals: decimals,
                isClosed: false,
                quantum: 1,
                cap: cap,
                registrant: msg.sender,
                venue: venue
            })
        );
        symbolOf[asset] = symbol;
        emit SimulatedRegistered(asset, venue, symbol);
    }

    /// @inheritdoc IAssetRegistry
    function setFaucet(AssetId asset, Faucet calldata faucet) external {
        Asset storage entry = _assetAt(asset);
        if (entry.kind != InboxMessages.ASSET_SIMULATED) revert NotSimulated(asset, entry.kind);
        IVenueRegistry(venues).requireDeployer(entry.venue, msg.sender);
        if (faucet.amount > entry.cap || faucet.interval > _MAX_TIME) {
            revert BadFaucet(faucet.amount, faucet.interval);
        }
        Faucet memory before = _faucets[asset];
        _faucets[asset] = faucet;
        uint64 index = inbox.enqueue(
            InboxMessages.SET_ASSET,
            InboxMessages.setAsset(asset, 0, 0, faucet.amount, faucet.interval)
        );
        emit FaucetSet(asset, before, faucet, index);
    }

    /// @inheritdoc IAssetRegistry
    function closeAsset(AssetId asset) external {
        Asset storage entry = _assetAt(asset);
        if (msg.sender != entry.registrant) revert NotRegistrant(msg.sender, entry.registrant);
        if (entry.isClosed) revert AssetIsClosed(asset);
        uint64 owed = ICustodyVault(vault).outstanding(asset);
        if (owed != 0) revert StillOutstanding(asset, owed);

        entry.isClosed = true;
        uint256 refund = bond - fee;
        emit AssetClosed(asset, msg.sender, refund);
        if (!LowLevelCall.callNoReturn(msg.sender, refund, "")) {
            revert RefundFailed(msg.sender, refund);
        }
    }

    /* VIEWS */

    /// @inheritdoc IAssetRegistry
    function isOpen(AssetId asset) external view returns (bool) {
        Asset storage entry = _assets[asset];
        return entry.kind != 0 && !entry.isClosed;
    }

    /// @inheritdoc IAssetRegistry
    function faucetOf(AssetId asset) external view returns (Faucet memory) {
        return _faucets[asset];
    }

    /// @inheritdoc IAssetRegistry
    function assetOf(AssetId asset) external view returns (Asset memory) {
        return _assetAt(asset);
    }

    /* INTERNAL */

    function _register(Asset memory entry) private returns (AssetId asset) {
        if (count >= maxAssets) revert RegistryFull(maxAssets);
        count++;
        asset = AssetId.wrap(count);
        _assets[asset] = entry;
        uint64 index = inbox.enqueue(
            InboxMessages.REGISTER_ASSET,
            InboxMessages.registerAsset(
                asset,
                entry.token,
                entry.kind,
                entry.decimals,
                entry.quantum,
                entry.cap,
                entry.venue
            )
        );
        emit AssetRegistered(
            asset,
            entry.token,
            entry.registrant,
            entry.kind,
            entry.decimals,
            entry.quantum,
            entry.cap,
            index
        );
    }

    function _assetAt(AssetId asset) private view returns (Asset storage) {
        Asset storage entry = _assets[asset];
        if (entry.kind == 0) revert UnknownAsset(asset);
        return entry;
    }

    function _requireCap(uint64 cap) private pure {
        if (cap == 0 || cap > InboxMessages.MAX_TOTAL_ATOMS) {
            revert BadCap(cap, InboxMessages.MAX_TOTAL_ATOMS);
        }
    }

    function _requireSymbol(string calldata symbol) private pure {
        bytes calldata raw = bytes(symbol);
        if (raw.length == 0 || raw.length > _MAX_SYMBOL) revert BadSymbol(symbol);
        for (uint256 i = 0; i < raw.length; ++i) {
            bytes1 c = raw[i];
            if (!((c >= "A" && c <= "Z") || (c >= "0" && c <= "9"))) revert BadSymbol(symbol);
        }
    }

    /// @dev Decimals that are left of a token's when one atom is `quantum` units of it.
    function _decimalsOfAtoms(uint8 tokenDecimals, uint64 quantum) private pure returns (uint8) {
        uint8 digits = 0;
        uint64 power = 1;
        while (power < quantum && power < _MAX_QUANTUM) {
            power *= 10;
            digits++;
        }
        if (power != quantum) revert BadQuantum(quantum);
        if (tokenDecimals < digits || tokenDecimals - digits > _MAX_DECIMALS) {
            revert BadDecimals(tokenDecimals, quantum);
        }
        return tokenDecimals - digits;
    }
}
