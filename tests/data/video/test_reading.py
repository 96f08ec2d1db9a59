"""Video files: frame counts, times, rates, sizes, rotation, round trips, and damaged files."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from worldgen.core.clip import Clip
from worldgen.core.errors import InputError
from worldgen.data.video.encoding import Mp4Writer, encode_mp4, exact_rate, write_clip
from worldgen.data.video.opening import VideoAccess
from worldgen.data.video.probing import probe
from worldgen.data.video.reading import decode_mp4, iter_frames, nearest_frames, read_clip

STEP = 12


def numbered(count: int = 20, height: int = 48, width: int = 64) -> np.ndarray:
    """Frames whose grey level encodes their number, with a red corner top left and a green corner top right."""
    frames = np.repeat(np.arange(count, dtype=np.uint8) * STEP, height * width * 3).reshape(count, height, width, 3)
    frames[:, :12, :12] = (255, 0, 0)
    frames[:, :12, -12:] = (0, 255, 0)
    return frames


def numbers(frames: np.ndarray) -> list[int]:
    """The numbers back from the grey level in the middle."""
    middle = frames[:, frames.shape[1] // 2, frames.shape[2] // 2, 1].astype(float)
    return np.round(middle / STEP).astype(int).tolist()


def smooth(count: int, height: int, width: int) -> np.ndarray:
    t, y, x = np.mgrid[0:count, 0:height, 0:width]
    return np.stack([40 + 2 * x + 3 * t, 60 + 2 * y, 90 + x + y - 2 * t], -1).clip(0, 255).astype(np.uint8)


def write_other(path: Path, frames: np.ndarray, codec: str = "libx264", **how) -> Path:
    """A file from some other writer: codec, pixel format, container, frame times."""
    rate = how.get("rate", 30)
    with av.open(str(path), "w", format=how.get("container")) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = how.get("pixels", "yuv420p")
        stream.options = how.get("options", {})
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = how.get("ticks", range(len(frames)))[index], Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("fps", [25.0, 30000 / 1001, 23.976, 9.6417, 1 / 3, 1000.0, 14.03])
def test_rate_and_count_are_exact(fps):
    clip = decode_mp4(encode_mp4(Clip(smooth(7, 16, 24), fps)))
    assert len(clip) == 7
    assert clip.fps == float(exact_rate(fps)) == pytest.approx(fps, rel=1e-9)


def test_ntsc_rates_are_recognised():
    assert exact_rate(30000 / 1001) == Fraction(30000, 1001)
    assert exact_rate(29.97) == Fraction(2997, 100)


@pytest.mark.parametrize("size", [(48, 64), (49, 65), (48, 65), (5, 3), (1, 1), (2, 2)])
def test_every_size_returns_as_it_was(size):
    clip = Clip(smooth(4, *size), 10.0)
    data = encode_mp4(clip)
    back = decode_mp4(data)
    assert back.frames.shape == clip.frames.shape
    error = back.frames.astype(int) - clip.frames
    assert np.abs(error).mean() < 2.5
    expected = "yuv420p" if size[0] % 2 == size[1] % 2 == 0 else "yuv444p"
    assert probe(data).pixel_format == expected


def test_encoding_repeats_bit_for_bit():
    """Also when memory holds other leftovers each time: parts of libx264 read what they never wrote."""
    t, y, x = np.mgrid[0:12, 0:128, 0:224]
    waves = [128 + 90 * np.sin((x * a + y * b + t * 3) / 17) for a, b in ((1, 0.4), (0.5, 1), (0.8, -0.6))]
    clip = Clip(np.stack(waves, -1).astype(np.uint8), 30000 / 1001)
    rng = np.random.default_rng(0)
    files, leftovers = set(), []
    for _ in range(12):
        leftovers = [*leftovers[-2:], rng.integers(0, 255, (rng.integers(1, 60), 48, 64, 3), dtype=np.uint8)]
        files.add(encode_mp4(clip))
    assert len(files) == 1


def test_colour_conversion_has_no_bias():
    flat = np.zeros((3, 32, 32, 3), np.uint8)
    colours = np.array([[30, 90, 150], [200, 40, 60], [128, 128, 128], [250, 240, 20], [10, 10, 10], [255, 255, 255]])
    shift = []
    for colour in colours:
        flat[:] = colour
        shift.append(decode_mp4(encode_mp4(Clip(flat, 5.0), crf=1)).frames.astype(float).mean((0, 1, 2)) - colour)
    assert np.abs(shift).max() <= 1.5
    assert abs(np.mean(shift)) < 0.5


def test_lower_crf_is_closer():
    clip = Clip(np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8), 5.0)
    errors = [np.abs(decode_mp4(encode_mp4(clip, crf=crf)).frames.astype(int) - clip.frames).mean() for crf in (0, 40)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("crf", [-1, 52, 1.5, True])
def test_bad_crf(crf):
    with pytest.raises(InputError, match="crf"):
        encode_mp4(Clip(smooth(1, 8, 8), 5.0), crf=crf)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.mkv", {}),
        ("a.webm", {"codec": "libvpx-vp9"}),
        ("ten_bit.mp4", {"codec": "libx265", "pixels": "yuv420p10le", "options": {"x265-params": "log-level=none"}}),
        ("prores.mov", {"codec": "prores_ks", "pixels": "yuv422p10le"}),
        ("full_range.avi", {"codec": "mjpeg", "pixels": "yuvj420p"}),
        ("b_frames.avi", {}),
        ("mpeg4.avi", {"codec": "mpeg4"}),
        ("late_start.mp4", {"ticks": range(100, 120)}),
        ("transport.ts", {}),
        ("grey.mkv", {"codec": "ffv1", "pixels": "gray"}),
    ],
)
def test_containers_and_codecs(tmp_path, name, how):
    path = write_other(tmp_path / name, numbered(), **how)
    info = probe(path)
    assert (info.num_frames, info.fps, info.variable_rate) == (20, 30.0, False)
    assert info.times_s == pytest.approx(np.arange(20) / 30, abs=1e-9)
    assert numbers(read_clip(path).frames) == list(range(20))
    assert numbers(read_clip(path, start_s=9 / 30, duration_s=8 / 30).frames) == list(range(9, 17))


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_variable_rate(tmp_path, name):
    ticks = [0, 1, 2, 5, 6, 7, 12, 13, 14, 15, 16, 17, 20, 21, 22, 23, 24, 25, 26, 27]
    path = write_other(tmp_path / name, numbered(), ticks=ticks)
    info = probe(path)
    assert info.variable_rate and info.num_frames == 20
    assert info.times_s == pytest.approx(np.array(ticks) / 30, abs=1e-3)
    assert [time for time, _ in iter_frames(path)] == list(info.times_s)
    with pytest.raises(InputError, match="variable frame rate"):
        read_clip(path)
    clip = read_clip(path, fps=10)  # every third tick; the nearest frame is shown
    nearest = [int(np.argmin(np.abs(np.array(ticks) - 3 * k))) for k in range(9)]
    assert numbers(clip.frames) == nearest


def test_raw_stream_needs_a_rate(tmp_path):
    path = write_other(tmp_path / "a.h264", numbered(), container="h264")
    with pytest.raises(InputError, match="native_fps"):
        probe(path)
    assert probe(path, access=VideoAccess(20)).num_frames == 20
    clip = read_clip(path, access=VideoAccess(20), start_s=0.5, duration_s=0.25)
    assert clip.fps == 20 and numbers(clip.frames) == [10, 11, 12, 13, 14]


def test_span_and_rate(tmp_path):
    path = tmp_path / "a.mp4"
    write_clip(path, Clip(numbered(), 20.0))
    assert numbers(read_clip(path, fps=10, start_s=0.2, duration_s=0.5).frames) == [4, 6, 8, 10, 12]
    assert numbers(read_clip(path, fps=40, duration_s=0.1).frames) == [0, 0, 1, 1]
    for bad in ({"start_s": 1.0}, {"start_s": -0.1}, {"duration_s": 1.01}, {"duration_s": 0}, {"duration_s": 0.01}):
        with pytest.raises(InputError, match=r"start_s|duration_s"):
            read_clip(path, **bad)
    for fps in (0, -1, float("nan"), 1e6):
        with pytest.raises(InputError, match="frames per second"):
            read_clip(path, fps=fps)


@pytest.mark.parametrize("fps", [7.0, 20.0, 29.97, 60.0])
def test_nearest_frames_is_nearest(fps):
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.09, 60))
    picked = nearest_frames(times, fps, start_s=0.3)
    wanted = times[0] + 0.3 + np.arange(len(picked)) / fps
    assert np.abs(times[picked] - wanted) == pytest.approx(np.abs(times[:, None] - wanted).min(0), abs=1e-9)


def rotated(data: bytes, matrix: tuple[int, int, int, int]) -> bytes:
    """The MP4 with another display matrix (a b c d) in its track header."""
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    return data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[at + 36 :]


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((0, 1, -1, 0), lambda f: np.rot90(f, -1, (1, 2))),  # phone held upright: a quarter turn clockwise
        ((0, -1, 1, 0), lambda f: np.rot90(f, 1, (1, 2))),
        ((-1, 0, 0, -1), lambda f: f[:, ::-1, ::-1]),
        ((-1, 0, 0, 1), lambda f: f[:, :, ::-1]),
        ((0, 1, 1, 0), lambda f: f.swapaxes(1, 2)),
    ],
)
def test_rotation_is_applied(matrix, turn):
    frames = numbered(3)
    data = rotated(encode_mp4(Clip(frames, 5.0)), matrix)
    plain = decode_mp4(encode_mp4(Clip(frames, 5.0))).frames
    assert np.array_equal(decode_mp4(data).frames, turn(plain))
    assert (probe(data).height_px, probe(data).width_px) == turn(plain).shape[1:3]


def test_odd_angle_is_refused():
    data = rotated(encode_mp4(Clip(numbered(2), 5.0)), (1, 1, -1, 1))
    with pytest.raises(InputError, match="right angle"):
        decode_mp4(data)


def test_audio_is_ignored(tmp_path):
    path = tmp_path / "loud.mp4"
    with av.open(str(path), "w") as container:
        sound, video = container.add_stream("aac", rate=44100), container.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for _ in range(40):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.rate = 44100
            container.mux(sound.encode(frame))
        for pixels in numbered():
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(sound.encode())
        container.mux(video.encode())
    assert probe(path).num_frames == 20
    assert numbers(read_clip(path).frames) == list(range(20))


def noise_file(path: Path, codec: str, **how) -> bytes:
    frames = np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), dtype=np.uint8)
    return write_other(path, frames, codec, **how).read_bytes()


def test_damaged_files_are_named(tmp_path):
    whole = encode_mp4(Clip(smooth(20, 48, 64), 10.0))
    mkv, avi = noise_file(tmp_path / "w.mkv", "libx264"), noise_file(tmp_path / "w.avi", "mpeg4")
    zeroed = bytearray(noise_file(tmp_path / "w.mp4", "libx264"))
    zeroed[len(zeroed) // 2 : len(zeroed) // 2 + 4000] = bytes(4000)
    cases = {
        "empty.mp4": b"", "text.mp4": b"not a video at all\n" * 40, "half.mp4": whole[: len(whole) // 2],
        "half.mkv": mkv[: len(mkv) // 2], "half.avi": avi[: len(avi) // 2], "zeroed.mp4": bytes(zeroed),
    }  # fmt: skip
    for name, data in cases.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(InputError, match=name) as error:
            read_clip(path)
        assert "\n" not in str(error.value)


def test_missing_folder_and_audio_only(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        probe(tmp_path / "nothing.mp4")
    with pytest.raises(InputError, match="a folder"):
        probe(tmp_path)
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 44100
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    with pytest.raises(InputError, match="without a video track"):
        probe(path)


def test_urls(tmp_path):
    clip = Clip(numbered(4), 10.0)
    write_clip("memory://videos/a.mp4", clip)
    write_clip(tmp_path / "new" / "a.mp4", clip)
    there = read_clip("memory://videos/a.mp4")
    assert np.array_equal(there.frames, read_clip(tmp_path / "new" / "a.mp4").frames)
    with pytest.raises(InputError, match="URL"):
        probe("nosuch://videos/a.mp4")


def test_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_clip(tmp_path / "file" / "a.mp4", Clip(numbered(1), 10.0))


def test_real_clips(shared_dir):
    expected = {
        "calgary": (1800, 29.97, 384, 216), "udacity_project": (1258, 25.0, 384, 216),
        "carnd_white_right": (221, 25.0, 640, 360), "commavq_minute": (1200, 20.0, 256, 128),
    }  # fmt: skip
    for name, facts in expected.items():
        path = shared_dir / "data" / "shippable" / f"{name}.mp4"
        info = probe(path)
        assert (info.num_frames, info.fps, info.width_px, info.height_px) == facts
        assert not info.variable_rate
    # A frame reached by seeking is the frame reached by reading on.
    late = read_clip(path, start_s=30.0, duration_s=0.2)
    in_order = [frame for number, (_, frame) in enumerate(iter_frames(path)) if 600 <= number < 604]
    assert np.array_equal(late.frames, in_order)


def test_streamed_frames_make_the_same_file(tmp_path):
    clip = Clip(smooth(9, 32, 48), 12.5)
    with Mp4Writer(tmp_path / "a.mp4", 12.5, (48, 32)) as writer:
        for start in range(0, 9, 2):
            writer.write(clip.frames[start : start + 2])
        with pytest.raises(InputError, match="frames to write"):
            writer.write(clip.frames[:, :, :40])
    assert writer.num_frames == 9
    assert (tmp_path / "a.mp4").read_bytes() == encode_mp4(clip)
