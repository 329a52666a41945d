"""The bodies a network may have: MONAI's networks by a word, built from features per level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.segment.lean import lean_import

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn


def dynunet(filters: tuple[int, ...]) -> nn.Module:
    """nnU-Net's network with residual blocks (MONAI DynUNet)."""
    with lean_import():
        from monai.networks.nets.dynunet import DynUNet

    levels = len(filters)
    if levels < 3:
        raise ValueError(f"this body has three levels or more; got {filters}.")
    return DynUNet(
        spatial_dims=3,
        in_channels=filters[0],
        out_channels=filters[0],
        kernel_size=[3] * levels,
        strides=[1] + [2] * (levels - 1),
        upsample_kernel_size=[2] * (levels - 1),
        filters=list(filters),
        res_block=True,
    )


def segresnet(filters: tuple[int, ...]) -> nn.Module:
    """Myronenko's residual encoder-decoder with doubling features (MONAI SegResNetDS)."""
    with lean_import():
        from monai.networks.nets.segresnet_ds import SegResNetDS

    _require_doubling(filters)
    return SegResNetDS(
        spatial_dims=3,
        init_filters=filters[0],
        in_channels=filters[0],
        out_channels=filters[0],
        norm="INSTANCE",
        blocks_down=(1, *[2] * (len(filters) - 1)),
        dsdepth=1,
    )


def mednext(filters: tuple[int, ...]) -> nn.Module:
    """ConvNeXt blocks in a U (MONAI MedNeXt): the long run on a GPU, slow on a CPU."""
    with lean_import():
        from monai.networks.nets.mednext import MedNeXt

    _require_doubling(filters)
    stages = len(filters) - 1
    return MedNeXt(
        spatial_dims=3,
        init_filters=filters[0],
        in_channels=filters[0],
        out_channels=filters[0],
        encoder_expansion_ratio=[2] * stages,
        decoder_expansion_ratio=[2] * stages,
        bottleneck_expansion_ratio=2,
        blocks_down=[2] * stages,
        blocks_bottleneck=2,
        blocks_up=[2] * stages,
        norm_type="group",
    )


def unet(filters: tuple[int, ...]) -> nn.Module:
    """A plain residual U-Net (MONAI UNet) for comparisons and tests."""
    with lean_import():
        from monai.networks.nets.unet import UNet

    return UNet(
        spatial_dims=3,
        in_channels=filters[0],
        out_channels=filters[0],
        channels=filters,
        strides=(2,) * (len(filters) - 1),
        num_res_units=2,
    )


BODIES: Mapping[str, Callable[[tuple[int, ...]], nn.Module]] = {
    "dynunet": dynunet,
    "segresnet_ds": segresnet,
    "mednext": mednext,
    "unet": unet,
}


def _require_doubling(filters: tuple[int, ...]) -> None:
    wanted = tuple(filters[0] * 2**n for n in range(len(filters)))
    if tuple(filters) != wanted:
        raise ValueError(f"this body doubles its features per level: {wanted}; got {filters}.")
