"""PNG and JPEG files, folders and pickles as images to be labelled."""

import logging
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from seresnet import images as reading
from seresnet.errors import DataError
from seresnet.images import load_images
from seresnet.synthetic import make_synthetic

SPLIT = make_synthetic(num=3, seed=8)


def picture(index=0):
    """One drawn image as Pillow has it."""
    return Image.fromarray(SPLIT.images[index].permute(1, 2, 0).numpy())


def test_a_png_comes_back_byte_for_byte(tmp_path, caplog):
    picture().save(tmp_path / "a.png")
    found = load_images(tmp_path / "a.png")
    assert torch.equal(found.images, SPLIT.images[:1])
    assert found.names == ["a.png"]
    assert caplog.text == ""


def test_a_jpeg_comes_back_nearly(tmp_path):
    picture().save(tmp_path / "a.jpg", quality=100, subsampling=0)
    difference = (load_images(tmp_path / "a.jpg").images.float() - SPLIT.images[:1]).abs()
    assert difference.mean() < 2


def test_a_folder_is_read_in_the_order_of_names_and_other_files_passed_over(tmp_path):
    for index, name in enumerate(("c.JPEG", "a.png", "b.PNG")):
        picture(index).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    found = load_images(tmp_path)
    assert found.names == ["a.png", "b.PNG", "c.JPEG"]
    assert torch.equal(found.images[:2], SPLIT.images[1:])


def test_a_picture_is_known_by_its_bytes_not_by_its_name(tmp_path):
    picture().save(tmp_path / "odd", format="PNG")
    assert torch.equal(load_images(tmp_path / "odd").images, SPLIT.images[:1])


@pytest.mark.parametrize("size", [(64, 64), (96, 48), (48, 96), (7, 5)], ids=str)
def test_another_size_is_cut_to_its_middle_and_resized_with_a_warning(tmp_path, caplog, size):
    wide = Image.new("RGB", size, (10, 200, 30))
    wide.save(tmp_path / "a.png")
    picture().save(tmp_path / "b.png")
    with caplog.at_level(logging.WARNING):
        found = load_images(tmp_path)
    assert found.images.shape == (2, 3, 32, 32)
    assert (found.images[0].float().mean((1, 2)) == torch.tensor([10.0, 200.0, 30.0])).all()
    assert "1 of 2 pictures are not 32x32: their middle square was resized" in caplog.text


def test_what_lies_beside_the_middle_square_is_cut_off(tmp_path):
    pixels = np.zeros((32, 96, 3), np.uint8)
    pixels[:, 32:64] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert load_images(tmp_path / "a.png").images.float().mean() > 250


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK"])
def test_every_kind_of_colour_becomes_rgb(tmp_path, mode):
    kind = "jpg" if mode == "CMYK" else "png"
    picture().convert(mode).save(tmp_path / f"a.{kind}")
    found = load_images(tmp_path / f"a.{kind}").images
    assert (found.shape, found.dtype) == ((1, 3, 32, 32), torch.uint8)


def test_a_photograph_is_turned_as_its_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    picture().save(tmp_path / "a.png", exif=exif)
    assert torch.equal(load_images(tmp_path / "a.png").images[0], SPLIT.images[0].flip(1, 2))


def test_the_competitions_file_gives_its_ids_as_names(tmp_path):
    data = SPLIT.images.permute(0, 2, 3, 1).numpy()
    (tmp_path / "test.pkl").write_bytes(pickle.dumps({b"data": data, b"ids": [7, 0, 2]}))
    found = load_images(tmp_path / "test.pkl")
    assert torch.equal(found.images, SPLIT.images)
    assert found.names == ["7", "0", "2"]


def test_a_batch_of_cifar10_gives_positions_as_names(tmp_path):
    data = SPLIT.images.reshape(3, 3072).numpy()
    (tmp_path / "test_batch").write_bytes(pickle.dumps({"data": data, "labels": [1, 2, 3]}))
    found = load_images(tmp_path / "test_batch")
    assert torch.equal(found.images, SPLIT.images)
    assert found.names == ["0", "1", "2"]


def truncated(path):
    picture().save(path)
    path.write_bytes(path.read_bytes()[:-600])


def text(path):
    path.write_text("a picture, I swear")


def deep(path):
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(path)


def other_format(path):
    picture().save(path, format="GIF")


BAD = {"truncated": truncated, "text": text, "16-bit": deep, "gif": other_format}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_a_picture_that_cannot_be_read_is_named(tmp_path, make):
    make(tmp_path / "bad.png")
    with pytest.raises(DataError, match=rf"^{tmp_path}/bad\.png: cannot read this picture: .") as e:
        load_images(tmp_path / "bad.png")
    assert e.value.hint
    assert len(e.value.message.splitlines()) == 1


def test_all_damaged_pictures_of_a_folder_are_named_at_once(tmp_path):
    picture().save(tmp_path / "a.png")
    text(tmp_path / "b.png")
    truncated(tmp_path / "c.png")
    with pytest.raises(DataError) as caught:
        load_images(tmp_path)
    assert [line.split(":")[0] for line in caught.value.message.splitlines()] == [
        str(tmp_path / "b.png"), str(tmp_path / "c.png")
    ]  # fmt: skip


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    picture().save(tmp_path / "a.png")
    monkeypatch.setattr(reading, "_MAX_PIXELS", 1000)
    with pytest.raises(DataError, match="more than 1000 pixels"):
        load_images(tmp_path / "a.png")


def test_what_is_missing_or_neither_picture_nor_pickle_is_named(tmp_path):
    (tmp_path / "odd.bin").write_bytes(b"hello")
    (tmp_path / "empty").mkdir()
    for name in ("absent.png", "absent", "odd.bin", "empty"):
        with pytest.raises(DataError, match=rf"^{tmp_path}/{name}: "):
            load_images(tmp_path / name)
