"""HU are what the file says they are, in every way a file may say it."""

from __future__ import annotations

import numpy as np
import pytest

from netseg.domain import Code, Quantity
from netseg.study import ReadHints, read_study
from tests.study.dicom_files import body, set_pixels, write_series

HINTS = ReadHints(case_id="case")


def values(path) -> np.ndarray:
    return read_study(path, HINTS).series[0].volume.values


def expected() -> np.ndarray:
    return body().astype(np.int16) - 1024


def test_stored_plus_intercept_is_hounsfield(tmp_path):
    write_series(tmp_path)
    study = read_study(tmp_path, HINTS)
    assert study.series[0].volume.quantity is Quantity.HU
    assert set(np.unique(values(tmp_path)).tolist()) == {-1000, 50}
    assert np.array_equal(values(tmp_path), expected())


def test_monochrome1_is_a_matter_of_display(tmp_path):
    def inverse(dataset, _):
        dataset.PhotometricInterpretation = "MONOCHROME1"

    write_series(tmp_path, edit=inverse)
    assert np.array_equal(values(tmp_path), expected())


def test_rescale_is_applied_slice_by_slice(tmp_path):
    def halved(dataset, k):
        if k % 2:
            set_pixels(dataset, (body()[:, :, k] - 24) * 2)
            dataset.RescaleSlope, dataset.RescaleIntercept = "0.5", "-1000"

    write_series(tmp_path, edit=halved)
    read = values(tmp_path)
    assert read.dtype == np.float32
    assert np.array_equal(read, expected())


def test_signed_values_keep_their_sign(tmp_path):
    def signed(dataset, _):
        dataset.RescaleIntercept = 0

    write_series(tmp_path, values=expected(), edit=signed)
    assert np.array_equal(values(tmp_path), expected())


def test_signed_values_tagged_unsigned_are_no_hounsfield_units(tmp_path):
    """Air at -1000 would become +64536 HU."""

    def wrong(dataset, _):
        dataset.RescaleIntercept, dataset.PixelRepresentation = 0, 0

    write_series(tmp_path, values=expected(), edit=wrong)
    with pytest.raises(Exception, match=r"HU_IMPLAUSIBLE.*above 4000 HU.*64536"):
        read_study(tmp_path, HINTS)


@pytest.mark.parametrize("padding", [-2000, -3024])
def test_padding_outside_the_field_of_view_becomes_the_floor(tmp_path, padding):
    """As GE writes it: PixelPaddingValue -2000 outside the circle, HU stored as they are."""
    stored = expected()
    stored[0, :, :] = padding

    def padded(dataset, _):
        dataset.RescaleIntercept, dataset.PixelPaddingValue = 0, padding

    write_series(tmp_path, values=stored, edit=padded)
    read = values(tmp_path)
    assert (read[0] == -1024).all()
    assert np.array_equal(read[1:], expected()[1:])


def test_a_padding_value_that_is_tissue_erases_nothing(tmp_path):
    """PixelPaddingValue 50 HU: soft tissue of that value stays."""

    def padded(dataset, _):
        dataset["PixelPaddingValue"] = _padding(1074)

    write_series(tmp_path, edit=padded)
    assert np.array_equal(values(tmp_path), expected())


def _padding(value):
    from pydicom.dataelem import DataElement

    return DataElement(0x00280120, "US", value)


def test_bits_above_bits_stored_are_masked(tmp_path):
    def overlay(dataset, k):
        dataset.BitsStored, dataset.HighBit = 12, 11
        set_pixels(dataset, body()[:, :, k] | 0xA000)

    write_series(tmp_path, edit=overlay)
    assert np.array_equal(values(tmp_path), expected())


def test_twelve_signed_bits_are_sign_extended(tmp_path):
    def twelve(dataset, k):
        dataset.BitsStored, dataset.HighBit, dataset.RescaleIntercept = 12, 11, 0
        dataset.PixelRepresentation = 1
        set_pixels(dataset, (expected()[:, :, k].astype(np.uint16)) & 0x0FFF)

    write_series(tmp_path, edit=twelve)
    assert np.array_equal(values(tmp_path), expected())


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2",
               "1.2.840.10008.1.2.1.99"],
)  # fmt: skip
def test_every_uncompressed_transfer_syntax_gives_the_same_numbers(tmp_path, syntax):
    write_series(tmp_path, syntax=syntax)
    assert np.array_equal(values(tmp_path), expected())


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90",
                                    "1.2.840.10008.1.2.4.80"])  # fmt: skip
def test_every_lossless_compression_gives_the_same_numbers(tmp_path, syntax):
    import pydicom

    for path in write_series(tmp_path, values=np.kron(body(), np.ones((4, 6, 1), np.uint16))):
        dataset = pydicom.dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)
    assert np.array_equal(values(tmp_path)[::4, ::6], expected())


def test_an_rle_frame_that_was_cut_is_not_decoded(tmp_path):
    import pydicom
    from pydicom.encaps import encapsulate, generate_frames

    for path in write_series(tmp_path):
        dataset = pydicom.dcmread(path)
        dataset.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
        frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
        dataset.PixelData = encapsulate([frame[: len(frame) // 2]])
        dataset.save_as(path)
    with pytest.raises(Exception, match="DECODE_FAILED"):
        read_study(tmp_path, HINTS)


def test_the_hash_covers_every_byte_of_the_series(tmp_path):
    write_series(tmp_path / "a")
    write_series(tmp_path / "b", values=_one_voxel_changed())
    first, second = (read_study(tmp_path / f, HINTS).series[0].input_sha256 for f in ("a", "b"))
    assert len(first) == 64
    assert first != second


def _one_voxel_changed() -> np.ndarray:
    changed = body()
    changed[5, 5, 5] += 1
    return changed


def test_mr_signal_needs_no_rescale_and_no_hounsfield_check(tmp_path):
    def t1(dataset, _):
        dataset.SeriesDescription = "T1 VIBE hepatobiliary"

    write_series(tmp_path, modality="MR", edit=t1)
    series = read_study(tmp_path, HINTS).series[0]
    assert series.key == "mr_t1_hepatobiliary"
    assert series.volume.quantity is Quantity.ARBITRARY
    assert series.volume.values.max() == 1074


def test_a_series_without_a_frame_gets_one_of_its_own(tmp_path):
    for seed in ("a", "b"):

        def frameless(dataset, k, seed=seed):
            del dataset.FrameOfReferenceUID
            set_pixels(dataset, body()[:, :, k] + (seed == "b"))

        write_series(tmp_path / seed, uid_seed=seed, edit=frameless)
    first, second = read_study(tmp_path, HINTS).series
    assert first.volume.grid.frame_uid != second.volume.grid.frame_uid
    assert Code.SERIES_AMBIGUOUS in [w.code for w in read_study(tmp_path, HINTS).warnings]
