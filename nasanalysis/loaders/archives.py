"""Tar archives of other people: names as long as names are."""

from __future__ import annotations

import tarfile
from typing import Final

#: Most bytes of a path in a tar archive, or of the header that stands for it.
_NAME_LIMIT: Final = 2**16


class Entry(tarfile.TarInfo):
    """A member whose extended header (a long name) is read only where it is as short as names are.

    To be given to ``tarfile.open(..., tarinfo=Entry)``: a header may say that its name has gigabytes.
    """

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        longer = self.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE)
        if longer and self.size > _NAME_LIMIT:
            raise tarfile.ReadError(f"a name of {self.size:,} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]
