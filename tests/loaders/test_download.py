"""Downloads from a server of our own that truncates, stalls, lies and refuses."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import random
import socketserver
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nasanalysis.core.errors import DataFileError, DownloadError, OutputError, UnknownNameError
from nasanalysis.loaders import download as module
from nasanalysis.loaders import registry
from nasanalysis.loaders.download import Patience, check_no_page, download, unzip

BYTES = random.Random(0).randbytes(300_000)
SHA = hashlib.sha256(BYTES).hexdigest()
HURRY = Patience(connect=2, silence=0.6, attempts=3, pause=0.01, slowest=1000)


@dataclass
class Server:
    """What each path answers, in turn; the last answer repeats. An answer is a function of the request handler."""

    url: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    plans: dict[str, list[object]] = field(default_factory=dict)

    def at(self, path: str, *answers: object) -> str:
        self.plans[path] = list(answers)
        return self.url + path


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.asked.append((self.path, self.headers.get("Range")))
            plan = state.plans[self.path[1:]]
            answer = plan.pop(0) if len(plan) > 1 else plan[0]
            self.close_connection = True
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                answer(self)  # type: ignore[operator]

        def log_message(self, *args: object) -> None: ...

    class Threads(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True

    own = Threads(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{own.server_address[1]}/"
    thread = threading.Thread(target=own.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield state
    own.shutdown()
    own.server_close()


def whole(h: http.server.BaseHTTPRequestHandler, *, body: bytes = BYTES, stop: int | None = None, tag: str = '"a"',
          pause: float = 0.0, ranges: bool = True, said: int | None = None, kind: str = "application/octet-stream",
          shift: int = 0) -> None:  # fmt: skip
    """Serve `body`, from the asked offset where `ranges`; stop after `stop` bytes: close, or be silent for `pause`."""
    asked = h.headers.get("Range") if ranges else None
    if asked and h.headers.get("If-Range") not in (None, tag):
        asked = None
    start = int(asked.removeprefix("bytes=").rstrip("-")) + shift if asked else 0
    if asked and start >= len(body):
        h.send_response(416)
        h.send_header("Content-Range", f"bytes */{len(body)}")
        h.send_header("Content-Length", "0")
        h.end_headers()
        return
    part = body[start:]
    h.send_response(206 if asked else 200)
    if asked:
        h.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    h.send_header("Content-Length", str(len(part) if said is None else said))
    h.send_header("Content-Type", kind)
    h.send_header("ETag", tag)
    h.end_headers()
    h.wfile.write(part[:stop])
    h.wfile.flush()
    if pause:
        time.sleep(pause)
        h.wfile.write(part[stop:])


def cut(stop: int, **keys: object) -> object:
    return lambda h: whole(h, stop=stop, **keys)  # type: ignore[arg-type]


def status(code: int) -> object:
    def answer(h: http.server.BaseHTTPRequestHandler) -> None:
        h.send_response(code)
        h.send_header("Content-Length", "0")
        h.end_headers()

    return answer


def page(h: http.server.BaseHTTPRequestHandler) -> None:
    body = b"<!DOCTYPE html><html><head><title>Quota exceeded</title></head>" + b" " * 400
    whole(h, body=body, ranges=False, kind="text/html; charset=utf-8")


def get(urls: list[str], path: Path, sha256: str | None = SHA) -> Path:
    return download(urls, path, sha256=sha256, patience=HURRY, quiet=True)


def leftovers(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir() if not p.name.endswith(".lock")}


def test_plain_and_again(server: Server, tmp_path: Path) -> None:
    url = server.at("f", whole)
    path = get([url], tmp_path / "deep" / "f.bin")
    assert path.read_bytes() == BYTES
    assert leftovers(path.parent) == {"f.bin"}
    assert get([url], path) == path
    assert len(server.asked) == 1
    path.write_bytes(b"changed since")
    assert get([url], path).read_bytes() == BYTES


def test_a_connection_that_closes_early_is_resumed(server: Server, tmp_path: Path) -> None:
    url = server.at("f", cut(100_000), cut(100_000), whole)
    assert get([url], tmp_path / "f").read_bytes() == BYTES
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", "bytes=200000-"]


def test_a_server_that_stalls_is_asked_again(server: Server, tmp_path: Path) -> None:
    url = server.at("f", cut(50_000, pause=5), whole)
    begun = time.monotonic()
    assert get([url], tmp_path / "f").read_bytes() == BYTES
    assert time.monotonic() - begun < 4
    assert server.asked[1][1] == "bytes=50000-"


def test_a_server_that_drips_is_stalled(server: Server, tmp_path: Path) -> None:
    def drip(h: http.server.BaseHTTPRequestHandler) -> None:
        h.send_response(200)
        h.send_header("Content-Length", str(len(BYTES)))
        h.end_headers()
        for byte in BYTES[:40]:
            h.wfile.write(bytes([byte]))
            time.sleep(0.1)

    url = server.at("f", drip, whole)
    assert get([url], tmp_path / "f").read_bytes() == BYTES
    with pytest.raises(DownloadError, match="stalled"):
        get([server.at("g", drip)], tmp_path / "g")


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    url = server.at("f", cut(100_000, ranges=False), cut(200_000, ranges=False), lambda h: whole(h, ranges=False))
    assert get([url], tmp_path / "f").read_bytes() == BYTES


def test_a_partial_file_is_kept_and_gone_on_from(server: Server, tmp_path: Path) -> None:
    url = server.at("f", cut(120_000), status(503))
    with pytest.raises(DownloadError, match=r"120,000 bytes are kept: the same command goes on") as caught:
        get([url], tmp_path / "f")
    assert "HTTP 503" in str(caught.value)
    assert not (tmp_path / "f").exists()
    server.at("f", whole)
    server.asked.clear()
    assert get([url], tmp_path / "f").read_bytes() == BYTES
    assert server.asked == [("/f", "bytes=120000-")]
    assert leftovers(tmp_path) == {"f"}


def test_a_file_that_changed_on_the_server_is_not_mixed(server: Server, tmp_path: Path) -> None:
    old = bytes(len(BYTES))
    url = server.at("f", cut(100_000, body=old, tag='"old"'), whole)
    assert get([url], tmp_path / "f", None).read_bytes() == BYTES
    # a server without tags: only the checksum can tell, and then it is fetched from the start
    plain = server.at("g", cut(100_000, body=old, tag="W/1"), lambda h: whole(h, tag="W/2"))
    assert get([plain], tmp_path / "g").read_bytes() == BYTES


def test_mirrors_in_turn(server: Server, tmp_path: Path) -> None:
    dead = "http://127.0.0.1:9/f"
    urls = [dead, server.at("gone", status(404)), server.at("page", page), server.at("f", whole)]
    assert get(urls, tmp_path / "f").read_bytes() == BYTES
    with pytest.raises(DownloadError) as caught:
        get(urls[:3], tmp_path / "g")
    text = str(caught.value)
    for url, said in zip(urls, ("refused", "HTTP 404", "a web page titled 'Quota exceeded'"), strict=False):
        assert url in text
        assert said in text
    assert sum(path == "/gone" for path, _ in server.asked) == 2, "a refusal is not asked again"


def test_a_second_mirror_goes_on_where_the_first_stopped(server: Server, tmp_path: Path) -> None:
    first, second = server.at("one", cut(150_000), status(500)), server.at("two", whole)
    assert get([first, second], tmp_path / "f").read_bytes() == BYTES
    assert ("/two", "bytes=150000-") in server.asked
    server.asked.clear()
    server.at("one", cut(150_000), status(500))
    assert get([first, second], tmp_path / "g", None).read_bytes() == BYTES
    assert ("/two", None) in server.asked, "without a checksum nothing may be mixed"


def test_wrong_bytes_are_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    other = BYTES[:-1] + b"?"
    url = server.at("f", lambda h: whole(h, body=other))
    with pytest.raises(DownloadError, match=f"expected SHA-256 {SHA}, got {hashlib.sha256(other).hexdigest()}"):
        get([url], tmp_path / "f")
    assert leftovers(tmp_path) == set()
    assert get([url, server.at("g", whole)], tmp_path / "f").read_bytes() == BYTES


def test_lies_about_lengths_and_parts(server: Server, tmp_path: Path) -> None:
    url = server.at("f", cut(100_000), lambda h: whole(h, shift=-500), whole)
    assert get([url], tmp_path / "f").read_bytes() == BYTES
    with pytest.raises(DownloadError, match=r"[Ii]ncomplete|expected 310,000 bytes"):
        get([server.at("g", lambda h: whole(h, said=310_000, ranges=False))], tmp_path / "g")
    # a partial file as long as the file: the server answers 416, and the file is whole
    (tmp_path / ".h.part").write_bytes(BYTES)
    url = server.at("h", whole)
    (tmp_path / ".h.part.json").write_text(json.dumps({"url": url}))
    assert get([url], tmp_path / "h").read_bytes() == BYTES
    # longer than the file: from the start
    (tmp_path / ".i.part").write_bytes(BYTES + b"x")
    url = server.at("i", whole)
    (tmp_path / ".i.part.json").write_text(json.dumps({"url": url}))
    assert get([url], tmp_path / "i").read_bytes() == BYTES


def test_a_page_does_not_destroy_what_is_there(server: Server, tmp_path: Path) -> None:
    url = server.at("f", cut(200_000), page)
    with pytest.raises(DownloadError, match=r"200,000 bytes are kept(.|\n)*web page"):
        get([url], tmp_path / "f")
    server.at("f", whole)
    assert get([url], tmp_path / "f").read_bytes() == BYTES


def test_no_room_and_no_folder(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.at("f", whole)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        get([url], blocked / "f")
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: full)
    with pytest.raises(OutputError, match="free some space"):
        get([url], tmp_path / "f")


def test_a_server_that_cuts_and_lies_for_ever_is_given_up(server: Server, tmp_path: Path) -> None:
    turns = [cut(100_000), lambda h: whole(h, shift=-500)] * 20
    for name, answers in (("f", turns), ("g", [cut(1000, ranges=False), cut(2000, ranges=False)] * 20)):
        url = server.at(name, *answers)
        server.asked.clear()
        with pytest.raises(DownloadError, match=r"started over \d times"):
            get([url], tmp_path / name)
        assert len(server.asked) < 20


def test_without_a_checksum_only_one_version_is_put_together(server: Server, tmp_path: Path) -> None:
    old = bytes(len(BYTES))

    def other(h: http.server.BaseHTTPRequestHandler) -> None:
        h.headers.replace_header("If-Range", '"new"') if "If-Range" in h.headers else None
        whole(h, tag='"new"')  # a server that answers with its part, whatever version was asked for

    for name, tag in (("f", '"old"'), ("g", "W/1")):
        url = server.at(name, cut(100_000, body=old, tag=tag), other)
        assert get([url], tmp_path / name, None).read_bytes() == BYTES
    same = server.at("h", cut(100_000), whole)
    server.asked.clear()
    assert get([same], tmp_path / "h", None).read_bytes() == BYTES
    assert server.asked == [("/h", None), ("/h", "bytes=100000-")]


def headed(length: str | None, body: bytes = BYTES) -> object:
    def answer(h: http.server.BaseHTTPRequestHandler) -> None:
        h.send_response(200)
        if length is not None:
            h.send_header("Content-Length", length)
        h.end_headers()
        h.wfile.write(body)

    return answer


def test_a_body_without_length_has_a_cap(server: Server, tmp_path: Path) -> None:
    url = server.at("f", headed(None))
    assert get([url], tmp_path / "f").read_bytes() == BYTES
    for most in (100_000, None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NASANALYSIS_READ_BUDGET", "100K")
            with pytest.raises(DownloadError, match=r"expected at most .* where the server names no length, got more"):
                download([url], tmp_path / "g", most=most, patience=HURRY, quiet=True)
    assert registry.data_sets()["nb101-full"].most == 3_900_000_000
    assert registry.data_sets()["nb301"].most is None


def test_a_length_that_is_no_number(server: Server, tmp_path: Path) -> None:
    for checksum in (None, SHA):
        with pytest.raises(DownloadError, match="a length that is no number") as caught:
            get([server.at("f", headed("many"))], tmp_path / "f", checksum)
        assert "None" not in str(caught.value)


PROGRAM = """
import sys
from pathlib import Path
from nasanalysis.loaders.download import download
download([sys.argv[1]], Path(sys.argv[2]), quiet=True)
"""


def test_a_killed_download_leaves_only_what_is_gone_on_from(server: Server, tmp_path: Path) -> None:
    url = server.at("f", lambda h: whole(h, stop=100_000, pause=20), whole)
    package = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, url, str(tmp_path / "f")], cwd=package)
    part, until = tmp_path / ".f.part", time.monotonic() + 60
    while not (part.exists() and part.stat().st_size >= 100_000) and time.monotonic() < until:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert get([url], tmp_path / "f").read_bytes() == BYTES
    assert ("/f", "bytes=100000-") in server.asked
    assert leftovers(tmp_path) == {"f"}


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b", bytes(10_000_000))
    with pytest.raises(DataFileError, match="at most 100 times its size, got one of .* KiB that says 9.5 MiB"):
        unzip(tmp_path / "bomb.zip", tmp_path / "bomb")
    path = packed(tmp_path / "m.zip", "a/b")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 0}))
    with pytest.raises(OutputError, match=r"cannot unpack .*: needs 1 bytes, 0 bytes are free"):
        unzip(path, tmp_path / "m")
    assert {p.name for p in tmp_path.iterdir()} == {"bomb.zip", "m.zip"}


def test_two_processes_fetch_once(server: Server, tmp_path: Path) -> None:
    url = server.at("f", lambda h: whole(h, stop=1000, pause=0.3))
    done: list[Path] = []
    threads = [threading.Thread(target=lambda: done.append(get([url], tmp_path / "f"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    assert len(server.asked) == 1


def test_a_saved_page_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "NATS-tss-v1_0-3ffb9-simple.tar"
    path.write_bytes(b"\n<html><title>Sign in</title>")
    with pytest.raises(DataFileError, match="got a web page"):
        check_no_page(path)


def packed(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return path


def test_unzip(tmp_path: Path) -> None:
    path = packed(tmp_path / "m.zip", "nb_models/xgb/a", "__MACOSX/b")
    folder = unzip(path, tmp_path / "nb_models_1.0")
    assert (folder / "xgb" / "a").read_text() == "x"
    assert not path.exists()
    for name in ("../out", "/abs"):
        bad = packed(tmp_path / "b.zip", "a/b", name)
        with pytest.raises(DataFileError, match="climbs out"):
            unzip(bad, tmp_path / "bad")
    whole_zip = packed(tmp_path / "c.zip", "a/b").read_bytes()
    (tmp_path / "c.zip").write_bytes(whole_zip[:-30])
    with pytest.raises(DataFileError, match="expected a whole zip archive"):
        unzip(tmp_path / "c.zip", tmp_path / "c")
    assert not (tmp_path / "bad").exists()
    assert not (tmp_path / "c").exists()


def entry(server: Server, **changes: object) -> registry.DataSet:
    known = registry.data_sets()["nb101-108"].model_dump()
    urls = {"nasbench_only108.tfrecord": [server.at("bad", status(404)), server.at("f", whole)]}
    known |= {"urls": urls, "sha256_published": {"nasbench_only108.tfrecord": SHA}} | changes
    return registry.DataSet(**known)


def test_data_get(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"nb101-108": entry(server)}
    monkeypatch.setattr(registry, "data_sets", lambda: own)
    [path] = registry.get_data("nb101-108", tmp_path, patience=HURRY, quiet=True)
    assert path == tmp_path / "nasbench_only108.tfrecord"
    assert registry.check_data("nb101-108", tmp_path)[0].status == "ok"
    with pytest.raises(UnknownNameError, match="Did you mean 'nb101-108'"):
        registry.get_data("nb101-18", tmp_path)


def summed(known: registry.DataSet, file: str) -> bool:
    return known.sha256(file) is not None or known.name in UNSUMMED


#: Whose owners publish no checksum: `data check` reads every number of them instead.
UNSUMMED = {"nb201-syne-tune"}


def test_every_link_has_a_file_and_most_a_checksum() -> None:
    for known in registry.data_sets().values():
        for file, urls in known.urls.items():
            assert len(set(urls)) == len(urls)
            assert all(url.startswith("https://") for url in urls), known.name
            assert file in known.unpack or (file in known.files and summed(known, file)), (known.name, file)


@pytest.mark.parametrize("name", ["nats-tss", "images-mnist"])
def test_the_command_says_how_to_get_it_by_hand(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nasanalysis", "data", "get", name, "--to", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2])
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {name}: has no direct link. ")
    assert registry.data_sets()[name].source in done.stderr
