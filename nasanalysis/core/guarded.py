"""A try in a process that may die: for libraries that crash or abort on a damaged file, where no error can be caught.

>>> survives("os.path:getsize", "/")  # nothing is wrong with it
>>> survives("os:abort")  # doctest: +ELLIPSIS
'the process was ended by signal SIGABRT...'
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Final

#: Run by the child: everything it needs is in its arguments, and nothing of this package but `target` is loaded.
_CHILD: Final = """
import importlib, json, sys
try:
    import resource
    limit = int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit)) if limit else None
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, ValueError, OSError):
    pass
module, _, name = sys.argv[1].partition(":")
try:
    getattr(importlib.import_module(module), name)(*json.loads(sys.argv[2]))
except MemoryError:
    sys.stderr.write("it needs more memory than a read may take"); sys.exit(3)
except Exception as error:
    sys.stderr.write(f"{type(error).__name__}: {error}"[:500]); sys.exit(3)
"""


def survives(target: str, *arguments: str | int | float, seconds: float = 300.0, memory: int = 0) -> str | None:
    """Call ``module:function`` with plain arguments in a process of its own; None if it returned, else what happened.

    Parameters
    ----------
    target: ``module:function``; its answer is thrown away.
    seconds: after which the process is ended. memory: bytes of address space that it may have (0: no limit; where the
        system knows no such limit, none).
    """
    import json

    command = [sys.executable, "-c", _CHILD, target, json.dumps(arguments), str(memory)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # threads reserve address space each
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, env=environment, check=False)
    except subprocess.TimeoutExpired:
        return f"it was not done after {seconds:g} s"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        try:
            name = signal.Signals(-done.returncode).name
        except ValueError:
            name = str(-done.returncode)
        return f"the process was ended by signal {name}: the library crashed on it"
    return " ".join(done.stderr.decode("utf-8", "replace").split())[-300:] or f"exit code {done.returncode}"
