"""The light install on every supported Python: ``make test-light``."""

from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True


@nox.session(python=["3.11", "3.12", "3.13"])
def light(session: nox.Session) -> None:
    """Build the wheel, install it without torch, and run the tests that need none, away from the checkout."""
    wheels = Path(session.create_tmp())
    session.run("python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), ".", silent=True)
    wheel = max(wheels.glob("nasanalysis-*.whl"), key=lambda p: p.stat().st_mtime)
    session.install("--quiet", "--force-reinstall", "--no-deps", str(wheel))
    session.install("--quiet", "-c", "constraints.txt", f"{wheel}", "pytest", "pytest-xdist", "hypothesis", "pandas")
    tests = Path("tests").resolve()
    out = session.create_tmp()
    session.chdir(out)
    session.run("nasanalysis", "report", "digits", "--out", str(Path(out) / "report"))
    session.run(
        "python",
        "-m",
        "pytest",
        "-q",
        "-n",
        "auto",
        "-m",
        "not slow and not torch",
        "-c",
        "/dev/null",
        "--rootdir",
        str(tests),
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore::pytest.PytestUnknownMarkWarning",
        str(tests),
    )


@nox.session
def docs(session: nox.Session) -> None:
    """The site, built strictly, in an environment of its own (`make docs` builds it in the one of the checkout)."""
    session.install("--quiet", "-c", "constraints.txt", "-e", ".[docs]")
    if not Path("build/papers/answer.md").exists():
        session.run("nasanalysis", "papers", "--out", "build/papers")
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})
