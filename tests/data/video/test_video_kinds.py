"""Videos that are not plain: pixels that are not square, HDR, fields, several tracks, and files that are cut short."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from worldgen.core.errors import InputError
from worldgen.data.video.opening import VideoAccess
from worldgen.data.video.probing import probe
from worldgen.data.video.reading import iter_frames, iter_thumbnails, read_clip
from worldgen.data.video.tone_mapping import HLG, PQ, pq_nits, pq_signal, rolled_off, tone_mapped

WIDTH, HEIGHT = 64, 48


def grey(level: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), level, np.uint8)


def write(path: Path, frames: list[np.ndarray], codec: str = "libx264", rate: int = 25, **how) -> Path:
    """A file of RGB frames. how: context (attributes of the encoder), options, pixels, gop."""
    with av.open(str(path), "w", **how.get("container", {})) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = how.get("pixels", "yuv420p")
        stream.options = how.get("options", {"crf": "8"} if codec == "libx264" else {})
        for name, value in how.get("context", {}).items():
            setattr(stream.codec_context, name, value)
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(16, 11), (93, 48)), (Fraction(8, 9), (64, 54))])
def test_pixels_that_are_not_square_become_square(tmp_path, aspect, size):
    """A disc that a camera with such pixels stores as an ellipse is round again."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    wide = max(float(aspect), 1.0), max(1 / float(aspect), 1.0)
    disc = np.hypot((x - WIDTH / 2) * wide[0], (y - HEIGHT / 2) * wide[1]) < 16
    frame = np.where(disc[..., None], 230, 30).astype(np.uint8).repeat(3, -1)
    path = write(tmp_path / "a.mp4", [frame] * 3, context={"sample_aspect_ratio": aspect})
    info = probe(path)
    assert (info.width_px, info.height_px) == size
    assert info.pixel_aspect == pytest.approx(float(aspect))
    shown = read_clip(path).frames[1][..., 1] > 130
    assert shown.shape == size[::-1]
    assert shown.any(0).sum() == pytest.approx(32, abs=1.1) and shown.any(1).sum() == pytest.approx(32, abs=1.1)


def test_square_pixels_are_left_alone(tmp_path):
    info = probe(write(tmp_path / "a.mp4", [grey(90)] * 2, context={"sample_aspect_ratio": Fraction(1)}))
    assert (info.width_px, info.height_px, info.pixel_aspect) == (WIDTH, HEIGHT, 1.0)


def test_pq_is_the_curve_of_its_standard():
    """SMPTE ST 2084: 100 cd/m2 is 0.508, 1000 is 0.752 and 10,000 is 1; BT.2408 gives 0.58 for 203."""
    np.testing.assert_allclose(
        pq_signal(np.array([0.0, 100, 203, 1000, 10_000])), [0, 0.508, 0.58, 0.752, 1], atol=1e-3
    )
    np.testing.assert_allclose(pq_nits(pq_signal(np.array([0.5, 80, 900.0]))), [0.5, 80, 900], rtol=1e-9)


def test_the_shoulder_keeps_dark_and_rolls_off_bright():
    """BT.2390: below the knee, 1.5 * 0.773 - 0.5 = 0.659 of the signal range (88 cd/m2), nothing changes."""
    np.testing.assert_allclose(rolled_off(np.array([0.1, 10.0, 85.0])), [0.1, 10, 85], rtol=1e-6)
    bright = rolled_off(np.array([85.0, 203, 500, 1000, 4000]))
    assert (np.diff(bright[:4]) > 0).all()
    assert 130 < bright[1] < 190  # reference white keeps most of its light
    np.testing.assert_allclose(bright[3:], [203, 203], rtol=1e-6)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_grey_stays_grey_and_levels_are_those_of_the_curve(transfer):
    """50 cd/m2 is below the knee: (50 / 203) ** (1 / 2.4) = 0.558, level 142. Peak is white, black is black."""
    signal = {PQ: [0, float(pq_signal(np.array(50.0))), 0.752], HLG: [0, hlg_signal(50.0), 1.0]}[transfer]
    picture = np.round(np.array(signal) * 65535).astype(np.uint16)[None, :, None].repeat(3, -1)
    assert tone_mapped(picture, transfer)[0].tolist() == [[0] * 3, [142] * 3, [255] * 3]


def hlg_signal(nits: float) -> float:
    """HLG signal of a grey of this light on a display of 1000 cd/m2 (BT.2100): scene light E = (nits/1000)^(1/1.2)."""
    scene = (nits / 1000) ** (1 / 1.2)
    a = 0.17883277
    if scene <= 1 / 12:
        return float(np.sqrt(3 * scene))
    return float(a * np.log(12 * scene - (1 - 4 * a)) + 0.5 - a * np.log(4 * a))


def test_a_colour_is_that_of_bt709():
    """The primaries of BT.709 at 50 cd/m2, written in BT.2020 by the inverse matrix of BT.2087, come back pure."""
    to_bt2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    light = 50 * (to_bt2020 @ np.eye(3)).T  # a row a colour
    shown = tone_mapped(np.round(pq_signal(light) * 65535).astype(np.uint16)[None], PQ)[0].astype(int)
    assert np.abs(np.diag(shown) - 142).max() <= 1
    assert shown[~np.eye(3, dtype=bool)].max() <= 12


@pytest.mark.parametrize(("transfer", "name"), [(PQ, "PQ"), (HLG, "HLG")])
def test_hdr_files_are_tone_mapped(tmp_path, transfer, name):
    """Ten bits, BT.2020: a grey of 50 cd/m2 is level 142 as above; read as SDR, its code would show as it stands."""
    signal = float(pq_signal(np.array(50.0))) if transfer == PQ else hlg_signal(50.0)
    code = round(64 + signal * 876)  # limited range of ten bits
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx265", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p10le"
        stream.options = {"x265-params": "log-level=none:lossless=1"}
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace, context.color_range = transfer, 9, 9, 1
        for index in range(4):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p10le")
            for plane, value in zip(frame.planes, (code, 512, 512), strict=True):
                plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert probe(tmp_path / "a.mp4").hdr == name
    frames = read_clip(tmp_path / "a.mp4").frames
    assert np.abs(frames.astype(int) - 142).max() <= 1
    assert abs(round(signal * 255) - 142) > 10


def bar(x: int) -> np.ndarray:
    picture = grey(40)
    picture[:, x : x + 12] = 220
    return picture


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"flags": "+ildct+ilme", "x264-params": "bff=1:log-level=none", "crf": "8"}),
        ("a.mpg", "mpeg2video", {"flags": "+ildct+ilme", "qscale": "2"}),
        ("a.ts", "mpeg2video", {"flags": "+ildct+ilme", "qscale": "2"}),
    ],
)
def test_fields_become_one_frame_at_the_time_of_the_first(tmp_path, name, codec, options):
    """A bar moves by 2 pixels from field to field; these encoders store the lower field first."""
    frames = []
    for i in range(12):
        woven = bar(4 * i + 2)
        woven[1::2] = bar(4 * i)[1::2]
        frames.append(woven)
    path = write(tmp_path / name, frames, codec, options=options)
    info = probe(path)
    assert info.interlaced and info.num_frames == 12 and info.fps == 25
    shown = read_clip(path).frames.astype(int)
    for i in range(12):
        assert np.abs(np.diff(shown[i, :, :, 1], axis=0)).mean() < 1, "the lines of two fields are still woven"
        assert np.abs(shown[i] - bar(4 * i)).mean() < 5
    late = read_clip(path, start_s=0.2, duration_s=0.2).frames
    assert np.array_equal(late, shown[5:10])


def two_tracks(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for stream, width in zip(streams, (WIDTH, 32), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, HEIGHT, "yuv420p"
        for index in range(8):
            for stream, level in zip(streams, (60, 200), strict=True):
                frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, stream.width, 3), level, np.uint8), format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_track_is_chosen(tmp_path, name):
    path = two_tracks(tmp_path / name)
    for track, width, level in ((0, WIDTH, 60), (1, 32, 200)):
        access = VideoAccess(track=track)
        info = probe(path, access)
        assert (info.num_tracks, info.width_px, info.num_frames) == (2, width, 8)
        assert np.abs(read_clip(path, access=access).frames.astype(int) - level).max() <= 2
    with pytest.raises(InputError, match=r"video track of .*a\.\w+: received 2; expected 0 to 1"):
        probe(path, VideoAccess(track=2))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.TS", "libx264"), ("a.m4v", "libx264"), ("a.wmv", "wmv2"), ("a.mpg", "mpeg2video"), ("a.MPEG", "mpeg1video"),
        ("a.M2TS", "libx264"), ("a.3gp", "libx264"), ("a.flv", "libx264"), ("a.MTS", "libx264"),
    ],
)  # fmt: skip
def test_containers_of_cameras(tmp_path, name, codec):
    """Every frame comes once, in order, at its time."""
    forms = {
        ".ts": "mpegts", ".m2ts": "mpegts", ".mts": "mpegts", ".m4v": "mp4", ".mpg": "mpeg", ".mpeg": "mpeg",
        ".wmv": "asf", ".3gp": "3gp", ".flv": "flv",
    }  # fmt: skip
    options = {"crf": "10"} if codec == "libx264" else {"qscale": "2"}
    path = write(tmp_path / name, noise(20), codec, options=options, container={"format": forms[path_suffix(name)]})
    info = probe(path)
    assert (info.num_frames, info.fps, info.variable_rate) == (20, 25.0, False)
    levels = read_clip(path).frames.mean((1, 2, 3))
    assert np.round((levels - 20) / 5).astype(int).tolist() == list(range(20))


def path_suffix(name: str) -> str:
    return Path(name).suffix.lower()


def noise(count: int = 40) -> list[np.ndarray]:
    """Frames whose grey level encodes their number, with noise, so that every frame takes bytes."""
    rng = np.random.default_rng(0)
    added = rng.integers(-15, 15, (count, HEIGHT, WIDTH, 3))
    return [np.clip(grey(20 + 5 * i) + added[i], 0, 255).astype(np.uint8) for i in range(count)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_the_intact_part_of_a_file_that_is_cut_short(tmp_path, name):
    options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    whole = write(tmp_path / name, noise(), container={"options": options}).read_bytes()
    path = tmp_path / f"cut_{name}"
    path.write_bytes(whole[: len(whole) * 6 // 10])
    if not name.endswith("ts"):  # a transport stream has no header that promises a length
        with pytest.raises(InputError, match=r"cut short|damaged|decode"):
            read_clip(path)
    access = VideoAccess(intact_part=True)
    info = probe(path, access)
    assert 12 <= info.num_frames < 32
    shown = [frame.mean() for _, frame in iter_frames(path, access)]
    assert np.round((np.array(shown) - 20) / 5).astype(int).tolist() == list(range(info.num_frames))
    assert len(list(iter_thumbnails(path, (16, 9), access))) == info.num_frames


def test_damage_in_the_middle_ends_the_intact_part(tmp_path):
    path = write(tmp_path / "a.mkv", noise(), options={"crf": "8", "g": "10"})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    path.write_bytes(data)
    info = probe(path, VideoAccess(intact_part=True))
    assert 8 <= info.num_frames < 24
    levels = read_clip(path, access=VideoAccess(intact_part=True)).frames.mean((1, 2, 3))
    assert np.round((levels - 20) / 5).astype(int).tolist() == list(range(info.num_frames))


def test_a_whole_file_is_the_same_with_and_without_the_option(tmp_path):
    path = write(tmp_path / "a.mp4", noise(12))
    assert np.array_equal(read_clip(path).frames, read_clip(path, access=VideoAccess(intact_part=True)).frames)


def test_an_mp4_without_its_index_says_so(tmp_path):
    path = write(tmp_path / "a.mp4", noise(12))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"index at its end \(moov\) is missing"):
        probe(path, VideoAccess(intact_part=True))
