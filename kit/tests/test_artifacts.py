"""The object store behaves alike on a folder and on a real S3 server."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import obstore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundsight.common.v1.common_pb2 import ArtifactRef
from soundsight_kit.artifacts import ArtifactStore, ensure_project, project_key
from soundsight_kit.errors import DataLoss, InvalidArgument, NotFound, OutOfRange
from soundsight_kit.transfer import CHUNK_BYTES

SEVERAL_CHUNKS = os.urandom(1 << 20) * 20 + b"tail"


@pytest.fixture(params=["folder", "s3"])
def store_url(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Where an empty store lies."""
    if request.param == "folder":
        return f"file://{tmp_path}/a store"
    server = request.getfixturevalue("s3_server")
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{server.bucket}/{uuid.uuid4().hex}"


@pytest.fixture
def store(store_url: str) -> ArtifactStore:
    return ArtifactStore.open(store_url)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("data", [b"", b"short", SEVERAL_CHUNKS], ids=["empty", "short", "long"])
async def test_a_file_comes_back_as_it_went(
    store: ArtifactStore, tmp_path: Path, data: bytes
) -> None:
    """What is stored from a file is fetched byte by byte, with its true digest, size and type."""
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(data)
    ref = await store.put_file("projects/p/song.flac", source)
    assert (ref.sha256, ref.size_bytes) == (sha256(data), len(data))
    assert (ref.uri, ref.media_type) == (store.uri("projects/p/song.flac"), "audio/flac")
    await store.get_file(ref, back)
    assert back.read_bytes() == data
    assert await store.get_bytes(ref.uri, len(data)) == data
    assert await store.head("projects/p/song.flac") == ref


async def test_the_first_writer_wins(store: ArtifactStore, tmp_path: Path) -> None:
    """A key is written once; later writers get the reference of what lies there, type included."""
    first = await store.put_bytes("projects/p/a", b"first", "text/x-first")
    other = tmp_path / "other"
    other.write_bytes(b"second")
    assert await store.put_file("projects/p/a", other, "text/x-second") == first
    assert await store.put_bytes("projects/p/a", b"third") == first
    assert await store.get_bytes(first, 100) == b"first"


async def test_racing_writers_agree_on_one_winner(store: ArtifactStore, tmp_path: Path) -> None:
    """However many write a key at once, all get the same reference, and it is the truth."""
    for index in range(6):
        (tmp_path / str(index)).write_bytes(bytes([index]) * (CHUNK_BYTES // 8 + index))
    for turn in range(4):
        key = f"projects/p/race-{turn}"
        writes = [store.put_file(key, tmp_path / str(index)) for index in range(6)]
        refs = await asyncio.gather(*writes, *(store.put_bytes(key, b"x" * n) for n in range(3)))
        assert len({ref.sha256 for ref in refs}) == 1
        data = await store.get_bytes(refs[0], 2 * CHUNK_BYTES)
        assert sha256(data) == refs[0].sha256
    assert len(await store.list("projects")) == 4
    assert await hidden_objects(store, ".staging") == []


async def test_a_writer_that_dies_after_its_claim_leaves_a_whole_artifact(
    store: ArtifactStore,
) -> None:
    """Bytes whose writer won the race but never moved them are moved by whoever asks next."""
    await obstore.put_async(store._store, ".staging/dead", b"whole")
    record = {
        "key": "projects/p/a",
        "sha256": sha256(b"whole"),
        "size_bytes": 5,
        "media_type": "text/plain",
        "staged": ".staging/dead",
    }
    await obstore.put_async(store._store, ".records/projects/p/a.json", json.dumps(record).encode())
    ref = await store.put_bytes("projects/p/a", b"of the next writer")
    assert (ref.sha256, ref.media_type) == (sha256(b"whole"), "text/plain")
    assert await store.get_bytes(ref, 100) == b"whole"


async def test_abandoned_bytes_are_discarded_but_not_those_of_a_claim(
    store: ArtifactStore,
) -> None:
    """What a writer left that died before its claim goes; what it had claimed is kept."""
    await obstore.put_async(store._store, ".staging/half", b"ha")
    await obstore.put_async(store._store, ".staging/claimed", b"whole")
    record = {
        "key": "projects/p/b",
        "sha256": sha256(b"whole"),
        "size_bytes": 5,
        "media_type": "text/plain",
        "staged": ".staging/claimed",
    }
    await obstore.put_async(store._store, ".records/projects/p/b.json", json.dumps(record).encode())
    assert await store.discard_abandoned() == 1
    assert await hidden_objects(store, ".staging") == [".staging/claimed"]
    ref = await store.head("projects/p/b")
    assert ref is not None
    assert await store.get_bytes(ref, 100) == b"whole"


async def test_what_a_killed_write_left_is_discarded(tmp_path: Path) -> None:
    """A folder's lists leave half-written files out; they go all the same, and only they."""
    folder = tmp_path / "a store"
    store = ArtifactStore.open(folder.as_uri())
    await store.put_bytes("projects/p/a", b"whole")
    half = [folder / ".staging" / "0123#1", folder / ".records" / "projects" / "p" / "b.json#12"]
    for path in half:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"ha")
    before = set(folder.rglob("*"))
    assert await store.discard_abandoned() == 2
    assert set(folder.rglob("*")) == before - set(half)


async def test_a_claim_whose_bytes_are_gone_is_given_up(store: ArtifactStore) -> None:
    """Removing an object behind the store's back frees its key."""
    await store.put_bytes("projects/p/a", b"first")
    await obstore.delete_async(store._store, "projects/p/a")
    assert await store.head("projects/p/a") is None
    ref = await store.put_bytes("projects/p/a", b"second")
    assert await store.get_bytes(ref, 100) == b"second"


async def test_objects_of_other_programs_are_artifacts_too(store: ArtifactStore) -> None:
    """What another program puts at a key has a true reference, and is not overwritten."""
    await obstore.put_async(store._store, "projects/p/clip.mp4", SEVERAL_CHUNKS)
    ref = await store.head("projects/p/clip.mp4")
    assert ref is not None
    assert (ref.sha256, ref.size_bytes) == (sha256(SEVERAL_CHUNKS), len(SEVERAL_CHUNKS))
    assert ref.media_type == "video/mp4"
    assert await store.put_bytes("projects/p/clip.mp4", b"mine") == ref


async def test_an_object_changed_behind_the_record_is_told_by_its_bytes(
    store: ArtifactStore,
) -> None:
    """A record that no longer fits its object is not believed."""
    await store.put_bytes("projects/p/a", b"first")
    await obstore.put_async(store._store, "projects/p/a", b"something else")
    ref = await store.head("projects/p/a")
    assert ref is not None
    assert ref.sha256 == sha256(b"something else")


async def test_replacing_is_for_what_changes(store: ArtifactStore) -> None:
    """The last replacement is what is read, and head tells its digest."""
    await store.put_bytes("projects/p/a.json", b"1")
    ref = await store.replace_bytes("projects/p/a.json", b"22")
    assert ref.sha256 == sha256(b"22")
    assert await store.head("projects/p/a.json") == ref
    assert await store.get_bytes(ref, 10) == b"22"


async def test_other_bytes_than_promised_are_refused(store: ArtifactStore, tmp_path: Path) -> None:
    """A digest that does not fit is data loss, and leaves no file."""
    ref = await store.put_bytes("projects/p/a", b"these")
    ref.sha256 = sha256(b"those")
    with pytest.raises(DataLoss):
        await store.get_file(ref, tmp_path / "back")
    with pytest.raises(DataLoss):
        await store.get_bytes(ref, 100)
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


async def test_what_is_missing_is_not_found(store: ArtifactStore, tmp_path: Path) -> None:
    """Reading nothing raises NotFound with the URI; looking and deleting do not."""
    uri = store.uri("projects/p/none")
    for read in (
        store.get_bytes(uri, 10),
        store.get_file(ArtifactRef(uri=uri), tmp_path / "back"),
        store.read_range(uri, 0, 1),
    ):
        with pytest.raises(NotFound) as caught:
            await read
        assert caught.value.resource == ("artifact", uri)
    assert await store.head("projects/p/none") is None
    await store.delete("projects/p/none")
    assert not (tmp_path / "back").exists()


async def test_where_no_file_can_lie_none_is_found_or_kept(tmp_path: Path) -> None:
    """In a folder, a key below a file or of a folder is the caller's fault, not the store's."""
    store = ArtifactStore.open(f"file://{tmp_path}/store")
    kept = await store.put_bytes("projects/p/file", b"x")
    for key in ("projects/p/file/below", "projects/p/file.json/below", "projects/p"):
        assert await store.head(key) is None
        with pytest.raises(NotFound):
            await store.get_bytes(store.uri(key), 10)
        with pytest.raises(NotFound):
            await store.read_range(store.uri(key), 0, 1)
        await store.delete(key)
    for key in ("projects/p/file/below", "projects/p"):
        for _ in range(2):
            with pytest.raises(InvalidArgument):
                await store.put_bytes(key, b"y")
        assert await store.head(key) is None
    assert await hidden_objects(store, ".staging") == []
    assert await store.get_bytes(kept, 10) == b"x"


async def test_ranges_are_those_of_the_bytes(store: ArtifactStore) -> None:
    """A range has the bytes of the slice; beyond the end there are none."""
    data = bytes(range(100))
    ref = await store.put_bytes("projects/p/a", data)
    for offset, length in ((0, 100), (10, 5), (95, 50), (99, 1)):
        assert await store.read_range(ref, offset, length) == data[offset : offset + length]
    for offset in (100, 101):
        with pytest.raises(OutOfRange):
            await store.read_range(ref, offset, 1)
    for offset, length in ((-1, 1), (0, 0)):
        with pytest.raises(InvalidArgument):
            await store.read_range(ref, offset, length)


async def test_a_limit_stops_the_read(store: ArtifactStore) -> None:
    """More bytes than the caller bears are refused."""
    ref = await store.put_bytes("projects/p/a", b"12345")
    with pytest.raises(InvalidArgument, match="larger than 4 bytes"):
        await store.get_bytes(ref, 4)


async def test_lists_are_of_keys_below_whole_segments(store: ArtifactStore) -> None:
    """A project's list has its own keys, none of a project with a longer name, none of ours."""
    for key in ("projects/p/b", "projects/p/a/c", "projects/p2/a"):
        await store.put_bytes(key, b"x")
    assert await store.list("projects/p") == ["projects/p/a/c", "projects/p/b"]
    assert await store.list("projects/p/") == ["projects/p/a/c", "projects/p/b"]
    assert len(await store.list("")) == 3


async def test_deleting_frees_the_key(store: ArtifactStore) -> None:
    """After a deletion the key is as if it had never been written."""
    await store.put_bytes("projects/p/a", b"first")
    await store.delete("projects/p/a")
    assert await store.head("projects/p/a") is None
    assert await hidden_objects(store, ".records") == []
    ref = await store.put_bytes("projects/p/a", b"second")
    assert ref.sha256 == sha256(b"second")


async def test_an_upload_that_fails_leaves_nothing(store: ArtifactStore, tmp_path: Path) -> None:
    """A file that cannot be read takes neither the key nor room."""
    with pytest.raises(IsADirectoryError):
        await store.put_file("projects/p/a", tmp_path)
    assert await store.head("projects/p/a") is None
    assert await hidden_objects(store, ".staging") == []


BAD_KEYS = ["", "/", "a//b", "../a", "a/..", "a/./b", ".staging/a", "a/.b", "a b", "a\\b", "a%2e"]


@pytest.mark.parametrize("key", [*BAD_KEYS, "a\n", "a\0", "ä", "x" * 900])
async def test_keys_that_lead_elsewhere_are_refused(store: ArtifactStore, key: str) -> None:
    """No key, as such or within a URI, reaches outside the store or into its own records."""
    for use in (store.head(key), store.put_bytes(key, b"x"), store.delete(key)):
        with pytest.raises(InvalidArgument):
            await use
    with pytest.raises(InvalidArgument):
        await store.get_bytes(f"{store.uri('a').removesuffix('a')}{key}", 10)


def test_only_uris_of_this_store_have_a_key(tmp_path: Path) -> None:
    """The key of a key's URI is the key; other URIs are refused."""
    store = ArtifactStore.open(f"file://{tmp_path}/store/")
    assert store.key_of(store.uri("projects/p/a")) == "projects/p/a"
    base = f"file://{tmp_path}"
    for uri in (f"{base}/a", f"{base}/store2/a", "s3://b/a", "/etc/passwd", f"{base}/store/../a"):
        with pytest.raises(InvalidArgument):
            store.key_of(uri)


@pytest.mark.parametrize("url", ["file:///", "file://host/a", "http://x/y", "s3://", "/tmp", ""])
def test_only_folders_and_buckets_are_stores(url: str) -> None:
    """Other URLs are refused with what is allowed."""
    with pytest.raises(InvalidArgument, match="use file:///folder or s3://bucket"):
        ArtifactStore.open(url)


def test_equal_folders_give_equal_uris(tmp_path: Path) -> None:
    """Two services that spell the folder differently mean the same artifacts."""
    spellings = (f"{tmp_path}/s", f"{tmp_path}//s/", f"{tmp_path}/x/../s")
    assert len({ArtifactStore.open(f"file://{each}").uri("a") for each in spellings}) == 1


def test_foreign_artifacts_do_not_exist(tmp_path: Path) -> None:
    """Whether another project has an artifact is not told."""
    store = ArtifactStore.open(f"file://{tmp_path}")
    mine = ArtifactRef(uri=store.uri(project_key("p", "clips/k", "clip.mp4")))
    ensure_project(store, mine, "p")
    for project in ("q", "", "p2", "p/clips"[:2]):
        with pytest.raises(NotFound):
            ensure_project(store, mine, project)
    for project in ("", "..", "a/../b", "."):
        with pytest.raises(InvalidArgument):
            project_key(project, "x")


@given(st.text(max_size=40))
def test_no_text_makes_a_key_outside_its_project(text: str) -> None:
    """Whatever a part holds, the key lies below the project or is refused."""
    try:
        key = project_key("p", text)
    except InvalidArgument:
        return
    assert os.path.normpath(key) == key
    assert key.startswith("projects/p/")


BIG_FILE = """
import asyncio, re, sys
from pathlib import Path
from soundsight_kit.artifacts import ArtifactStore
store, source, back = ArtifactStore.open(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
def peak_mb():
    # Not getrusage: its peak includes that of the process that forked this one.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
async def main():
    await store.put_bytes("warm", b"up")
    before = peak_mb()
    ref = await store.put_file("projects/p/big", source)
    await store.get_file(ref, back)
    assert await store.head("projects/p/big") == ref
    print(peak_mb() - before)
asyncio.run(main())
"""


def test_memory_does_not_grow_with_the_file(store_url: str, tmp_path: Path) -> None:
    """Storing and fetching 300 MB takes far less memory than that."""
    source = tmp_path / "big"
    with source.open("wb") as file:
        file.truncate(300_000_000)
    words = [sys.executable, "-c", BIG_FILE, store_url, str(source), str(tmp_path / "back")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    # Measured: 72 MB on a folder, 48 MB on S3, for files of any size (parts in flight).
    assert int(done.stdout) < 150
    assert (tmp_path / "back").stat().st_size == 300_000_000


async def hidden_objects(store: ArtifactStore, folder: str) -> list[str]:
    """What the store keeps for itself."""
    return [entry["path"] async for batch in obstore.list(store._store, folder) for entry in batch]
