"""Downloads that survive real servers: resumed, verified, several mirrors, web pages told apart from files.

`pooch` keeps and verifies files; what it lacks is here, as a downloader that it calls: a partial file stays
(``.NAME.part``) and goes on by an HTTP range request, a server that stalls or closes early is asked again,
and a page saved in place of the file (quota, consent, error) is refused before it is kept.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ..core.atomic import explain
from ..core.budget import DEFAULT, in_words, read_budget
from ..core.errors import DataFileError, DownloadError, OutputError
from ..core.provenance import sha256 as hash_of
from ..jobs.units import progress_console
from .files import data_folders
from .safe_pickle import looks_like

if TYPE_CHECKING:
    import requests

_BLOCK = 1 << 16
#: Deflated files of numbers and text unpack to a few times their size; a bomb to a thousand times.
_UNPACKS_TO = 100


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes
    ----------
    connect, silence: seconds until it answers, and that it may be silent.
    attempts: tries in a row that bring no new byte.
    pause: seconds before the second try; doubled for each further one.
    slowest: bytes per second below which it counts as stalled, over `silence` seconds.
    """

    connect: float = 10.0
    silence: float = 30.0
    attempts: int = 4
    pause: float = 1.0
    slowest: float = 1024.0


class _Refused(Exception):
    """A mirror that will not give the file, however often it is asked."""


class _Broken(Exception):
    """A connection that ended early: worth another try from where it stopped."""


def download(
    urls: Sequence[str],
    path: Path,
    *,
    sha256: str | None = None,
    most: int | None = None,
    patience: Patience | None = None,
    quiet: bool = False,
) -> Path:
    """Fetch `path` from the first of `urls` that gives it whole; at once if it is there already and verified.

    Parameters
    ----------
    urls: the file at its mirrors, in the order they are asked.
    path: where it goes; its folder is made.
    sha256: expected, hexadecimal. Without it the length that the server names is all there is to verify, and a partial
        file is gone on from only where the server names its version (a strong ``ETag``).
    most: bytes that are taken from a server that names no length (by default what a read may take, `core.budget`).

    Raises `DownloadError` that says what each mirror answered; a partial file stays, and the next call goes on
    from there. `OutputError` where the file cannot be written.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
    except OSError as error:
        raise OutputError(explain(path, error)) from error
    answers = []
    with lock, _staged(path) as staging:
        if path.exists() and (sha256 is None or hash_of(path) == sha256):
            return path
        for url in urls:
            part = path.with_name(f".{path.name}.part")
            fetch = Resuming(part, patience or Patience(), sha256 is not None, quiet, most or read_budget())
            for _ in range(2):  # a second time where what was resumed turns out to be of another file
                fetch.joined = False
                try:
                    known = f"sha256:{sha256}" if sha256 else None
                    whole = pooch.retrieve(url, known, path.name, staging, downloader=fetch)
                    os.replace(whole, path)
                    return path
                except (_Refused, _Broken) as error:
                    answers.append(f"{url}: {error}")
                    break
                except ValueError as error:  # pooch: another hash; the file is gone, so nothing wrong is resumed
                    got = re.findall(r"[0-9a-f]{64}", str(error))
                    if not got or sha256 is None:
                        answers.append(f"{url}: {_brief(error)}")
                        break
                    if not fetch.joined:
                        answers.append(f"{url}: expected SHA-256 {sha256}, got {got[-1]}")
                        break
                except OSError as error:
                    raise OutputError(explain(path, error)) from error
            else:
                answers.append(f"{url}: not the expected file, even from the start (SHA-256 {sha256})")
    kept = path.with_name(f".{path.name}.part")
    partial = f" {kept.stat().st_size:,} bytes are kept: the same command goes on from there." if kept.exists() else ""
    raise DownloadError(f"{path.name}: no mirror gave the file.{partial}\n" + "\n".join(f"  {a}" for a in answers))


@contextmanager
def _staged(path: Path) -> Iterator[Path]:
    """A folder beside `path` for what is not whole yet: what a killed download left in it is gone with the next."""
    folder = path.with_name(f".{path.name}.new")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Resuming:
    """A downloader for pooch (called with url, output file, pooch) that keeps what it has in ``part``.

    ``joined`` says afterwards whether the file was put together from several answers, ``restarts`` how often what was
    there had to be thrown away. ``most``: bytes taken where no length is named.
    """

    part: Path
    patience: Patience
    verified: bool
    quiet: bool = False
    most: int = DEFAULT
    joined: bool = False
    restarts: int = 0

    @property
    def size(self) -> int:
        """Bytes that are there already."""
        return self.part.stat().st_size if self.part.exists() else 0

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        import requests

        if self._note.get("url") != url:  # what another mirror gave can only be trusted where the end is verified
            if self.verified and self._note:
                self._remember(url, None)
            else:
                self._start_over()
        failures = 0
        with self._bar(url) as bar:
            while True:
                before = self.size
                try:
                    self._take(url, bar)
                    break
                except (_Broken, requests.ConnectionError, requests.Timeout) as error:
                    failures = 1 if self.size > before else failures + 1
                    if self.restarts > self.patience.attempts:
                        raise _Broken(f"started over {self.restarts} times; {_brief(error)}") from error
                    if failures >= self.patience.attempts:
                        raise _Broken(_brief(error)) from error
                    time.sleep(self.patience.pause * 2 ** (failures - 1))
                except requests.RequestException as error:
                    raise _Refused(_brief(error)) from error
        shutil.move(self.part, output_file)
        self._note_path.unlink(missing_ok=True)

    def _take(self, url: str, bar: Progress) -> None:
        """One request: the rest of the file, or as much as comes."""
        import requests

        if self.size and not self.verified and not self._note.get("tag"):
            self._start_over()  # nothing would tell whether the rest is of the same version
        have, note = self.size, self._note
        headers = {"Accept-Encoding": "identity", "User-Agent": "nasanalysis"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if note.get("tag"):
                headers["If-Range"] = note["tag"]
        with requests.get(
            url, headers=headers, stream=True, timeout=(self.patience.connect, self.patience.silence)
        ) as answer:
            self.joined = self.joined or answer.status_code in (206, 416)
            if answer.status_code == 416:
                if _total_of_range(answer) == have:
                    return
                self._start_over()
                raise _Broken("the partial file is longer than the file: started over")
            if answer.status_code >= 500 or answer.status_code == 429:
                raise _Broken(f"HTTP {answer.status_code} {answer.reason}")
            if answer.status_code not in (200, 206):
                raise _Refused(f"HTTP {answer.status_code} {answer.reason}")
            if answer.status_code == 206 and _start_of_range(answer) != have:
                self._start_over()
                raise _Broken("answered with another part than was asked for: started over")
            if answer.status_code == 206 and not self.verified and answer.headers.get("ETag") != note.get("tag"):
                self._start_over()
                raise _Broken("answered with a part of another version of the file: started over")
            if answer.status_code == 200:
                self.restarts += bool(have)
                have = 0
            total = _total_of_range(answer) if answer.status_code == 206 else _length(answer)
            self._room_for(total, have)
            self._remember(url, answer.headers.get("ETag"))
            bar.update(bar.task_ids[0], total=total, completed=have)
            self._keep(answer, have, bar)
        if total is not None and self.size != total:
            if self.size > total:
                self._start_over()
            raise _Broken(f"expected {total:,} bytes, got the end after {self.size:,}")

    def _keep(self, answer: requests.Response, have: int, bar: Progress) -> None:
        import requests
        import urllib3

        started, window = time.monotonic(), 0
        named = "Content-Length" in answer.headers
        read = getattr(answer.raw, "read1", answer.raw.read)  # what has come, instead of waiting for a whole block
        try:
            block = read(_BLOCK)
            if not have:
                _refuse_page(answer, block)  # before anything that is here is overwritten
            with open(self.part, "ab" if have else "wb") as file:
                while block:
                    have += len(block)
                    if not named and have > self.most:
                        raise _Refused(
                            f"expected at most {in_words(self.most)} where the server names no length, got more"
                        )
                    file.write(block)
                    bar.advance(bar.task_ids[0], len(block))
                    window += len(block)
                    if (spent := time.monotonic() - started) > self.patience.silence:
                        if window < self.patience.slowest * spent:
                            raise _Broken(f"stalled: {window:,} bytes in {spent:.0f} s")
                        started, window = time.monotonic(), 0
                    block = read(_BLOCK)
        except (urllib3.exceptions.HTTPError, requests.RequestException) as error:
            raise _Broken(_brief(error)) from error

    def _room_for(self, total: int | None, have: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if total is not None and total - have > free:
            raise OutputError(
                f"cannot write {self.part}: needs {(total - have) / 2**30:.1f} GiB, {free / 2**30:.1f} are free; "
                "free some space, or choose another folder with --to"
            )

    def _start_over(self) -> None:
        self.restarts += 1
        self.part.unlink(missing_ok=True)
        self._note_path.unlink(missing_ok=True)

    @property
    def _note_path(self) -> Path:
        return self.part.with_name(f"{self.part.name}.json")

    @property
    def _note(self) -> dict[str, str]:
        """Where the partial file comes from: ``url``, and ``tag``, which names its version there."""
        try:
            note = json.loads(self._note_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def _remember(self, url: str, tag: str | None) -> None:
        weak = tag is not None and tag.startswith("W/")  # such a tag does not promise the same bytes
        self._note_path.write_text(json.dumps({"url": url} | ({"tag": tag} if tag and not weak else {})))

    @contextmanager
    def _bar(self, url: str) -> Iterator[Progress]:
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(
            TextColumn("{task.description}"), *columns, console=progress_console(), disable=self.quiet
        ) as bar:
            bar.add_task(self.part.name.removeprefix(".").removesuffix(".part"), total=None)
            yield bar


def _refuse_page(answer: requests.Response, head: bytes) -> None:
    """A web page where a file should be: large files behind a quota or a consent form come so."""
    kind = answer.headers.get("Content-Type", "")
    looks = looks_like(head[:64])
    if looks.startswith("a web page") or kind.split(";")[0].strip() in ("text/html", "application/xhtml+xml"):
        title = re.search(rb"<title[^>]*>(.*?)</title>", head[:20_000], re.DOTALL | re.IGNORECASE)
        said = f" titled {' '.join(title[1].decode('utf-8', 'replace').split())[:100]!r}" if title else ""
        raise _Refused(f"answered with a web page{said} instead of the file: a quota, consent or error page")


def check_no_page(path: Path) -> None:
    """`DataFileError` where a file on disk is a web page that somebody saved in place of the archive."""
    with open(path, "rb") as file:
        head = file.read(64)
    if path.suffix.lower() not in (".html", ".htm", ".xml") and looks_like(head).startswith("a web page"):
        raise DataFileError(
            f"{path}: expected a data file, got a web page (a quota, consent or error page saved in its place); "
            "remove it and download the file again"
        )


def _length(answer: requests.Response) -> int | None:
    """How many bytes the server says are coming; `_Refused` where it says something else."""
    named = answer.headers.get("Content-Length")
    if named is not None and not re.fullmatch(r"\d{1,18}", named.strip()):
        raise _Refused(f"answered with a length that is no number ({named[:40]!r})")
    return None if named is None else int(named)


def _start_of_range(answer: requests.Response) -> int | None:
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _total_of_range(answer: requests.Response) -> int | None:
    match = re.fullmatch(r"bytes .*/(\d+)", answer.headers.get("Content-Range", "").strip())
    return int(match[1]) if match else None


def _brief(error: BaseException) -> str:
    text = " ".join((str(error) or type(error).__name__).split())
    system = re.search(r"\[Errno -?\d+\] ([^'\")]+)", text)  # what the system said, out of a chain of wrappers
    return f"no connection: {system[1]}" if system else text[:200]


def target_folder(to: Path | str | None = None) -> Path:
    """Where downloads go: `to`, else ``$NASANALYSIS_DATA``, else the user's cache."""
    return data_folders(to)[0]


def _check_room(path: Path, size: int, folder: Path) -> None:
    if size > _UNPACKS_TO * path.stat().st_size:
        raise DataFileError(
            f"{path}: expected an archive that unpacks to at most {_UNPACKS_TO} times its size, got one of "
            f"{in_words(path.stat().st_size)} that says {in_words(size)}; remove it, download it again"
        )
    if size > (free := shutil.disk_usage(folder.parent).free):
        raise OutputError(
            f"cannot unpack {path}: needs {in_words(size)}, {in_words(free)} are free; "
            "free some space, or choose another folder with --to"
        )


def unzip(path: Path, folder: Path) -> Path:
    """Unpack a zip archive that holds one folder, as `folder`; the archive is removed.

    Raises `DataFileError` for a damaged archive, for one whose paths climb out, and for one that unpacks to more than
    `_UNPACKS_TO` times its size; `OutputError` where there is no room for what it holds.
    """
    temp = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temp, ignore_errors=True)
    try:
        with zipfile.ZipFile(path) as packed:
            _check_room(path, sum(entry.file_size for entry in packed.infolist()), folder)
            for name in packed.namelist():
                if Path(name).is_absolute() or ".." in Path(name).parts:
                    raise DataFileError(f"{path}: expected files inside one folder, got {name!r}, which climbs out")
            packed.extractall(temp)
    except (zipfile.BadZipFile, EOFError, zlib.error, RuntimeError, NotImplementedError) as error:  # encrypted, too
        shutil.rmtree(temp, ignore_errors=True)
        raise DataFileError(
            f"{path}: expected a whole zip archive, got {error}; remove it, download it again"
        ) from error
    except OSError as error:
        raise OutputError(explain(folder, error)) from error
    inside = [p for p in temp.iterdir() if p.is_dir() and not p.name.startswith(("__", "."))]
    (inside[0] if len(inside) == 1 else temp).rename(folder)
    shutil.rmtree(temp, ignore_errors=True)
    path.unlink()
    return folder
