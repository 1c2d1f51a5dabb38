"""Read a file into a scratch folder, learning what only the whole file tells; in this process, or ahead of it in another one.

Staging knows no store. A child process reads the next file while this one places the last, and a file that kills its reader kills no
load: the parent takes nothing from it but Arrow files and counts.
"""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Final, cast

import polars as pl

from cloudmap.city import City, Source
from cloudmap.errors import SourceError
from cloudmap.geo.pileups import PileUps
from cloudmap.ingest.reports import Batch, read_reports
from cloudmap.ingest.taxonomy import Taxonomy
from cloudmap.ingest.versions import Versions

Progress = Callable[[str, int], None]
"""Told a step ("read", "place") and the records done so far."""
Job = tuple[Source, Path]
Extent = tuple[float, float, float, float]

SAMPLE_N: Final = 60_000
"""Points that the datum is judged on, spread evenly over the batches."""

AHEAD_BYTES: Final = 30_000_000
"""Files that are smaller together are read in this process: another one takes seconds to start."""

_SAMPLED: Final = {"x": pl.Float64, "y": pl.Float64, "unit_named": pl.String}


@dataclass
class Staged:
    """Clean rows of one file in scratch files, and what had to be learnt from all of them.

    Attributes
    ----------
    folder : Path
        Scratch folder; `discard` removes it.
    rows, rejected : list of Path
        Arrow files of `schema.CLEAN` and `schema.REJECTED`, in file order.
    records_n : int
        Records read; rows and rejected together.
    pile_ups, versions
        Counted over the whole file.
    evidence : tuple of str
        How encoding, columns and times were decided.
    seconds : float
        Wall time of reading.
    """

    folder: Path
    rows: list[Path] = field(default_factory=list)
    rejected: list[Path] = field(default_factory=list)
    records_n: int = 0
    pile_ups: PileUps = field(default_factory=PileUps)
    versions: Versions = field(default_factory=Versions)
    evidence: tuple[str, ...] = ()
    seconds: float = 0.0
    _sample: list[pl.DataFrame] = field(default_factory=list)

    def take(self, batch: Batch) -> None:
        """Stage one batch of the file."""
        rows = batch.rows
        self.records_n += batch.records_n
        self.pile_ups.add(rows["x"], rows["y"])
        self.versions.add(rows)
        self._sample.append(_thin(rows.select(list(_SAMPLED)).filter(pl.col("x").is_not_null())))
        if sum(part.height for part in self._sample) > 2 * SAMPLE_N:
            self._sample = [_thin(pl.concat(self._sample))]
        self.rows.append(self._keep(rows, f"rows-{len(self.rows)}"))
        if batch.rejected.height:
            self.rejected.append(self._keep(batch.rejected, f"rejected-{len(self.rejected)}"))

    def sample(self) -> pl.DataFrame:
        """Return points to judge the datum on: x, y, unit_named."""
        return _thin(pl.concat(self._sample)) if self._sample else pl.DataFrame(schema=_SAMPLED)

    def discard(self) -> None:
        """Remove the scratch files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keep(self, frame: pl.DataFrame, name: str) -> Path:
        path = self.folder / f"{name}.arrow"
        try:
            frame.write_ipc(path, compression="lz4")
        except OSError as error:
            raise SourceError(f"{path.parent}: no room to stage the file ({error}); free space there or set TMPDIR") from error
        return path


def stage(city: City, job: Job, taxonomy: Taxonomy, extent: Extent, folder: Path, progress: Progress = lambda _step, _done: None) -> Staged:
    """Read a file into a scratch folder.

    Parameters
    ----------
    city, taxonomy
        What the file is read with.
    job : (Source, Path)
        The file and the source that it is of.
    extent : (west, south, east, north)
        Where the city lies, degrees WGS84; swapped axes are told by it.
    folder : Path
        An existing scratch folder of the caller's.
    progress : callable
        Told the step and the records done so far.

    Raises
    ------
    SourceError, SchemaError
        The file cannot be used.
    """
    source, path = job
    begun = time.perf_counter()
    staged = Staged(folder)
    reader = read_reports(city, source, path, taxonomy, extent=extent)
    for batch in reader.batches():
        staged.take(batch)
        progress("read", staged.records_n)
    staged.evidence = tuple(reader.evidence)
    staged.seconds = time.perf_counter() - begun
    return staged


@contextmanager
def staged_files(city: City, jobs: Sequence[Job], taxonomy: Taxonomy, extent: Extent, progress: Progress) -> Iterator[Iterable[Staged]]:
    """Stage files in order; the next is read in another process while the caller works on the last, where that pays.

    Parameters
    ----------
    city, jobs, taxonomy, extent, progress
        As for `stage`; one staged file a job, in order.

    Raises
    ------
    SourceError, SchemaError
        A file cannot be used, or its reading process ended; raised when the caller asks for that file.
    """
    scratch = Path(tempfile.mkdtemp(prefix="cloudmap-"))
    size = sum(path.stat().st_size for _, path in jobs)
    asked = [(city, job, taxonomy, extent, _folder(scratch, number)) for number, job in enumerate(jobs)]
    try:
        if len(jobs) > 1 and size >= AHEAD_BYTES and (os.cpu_count() or 1) > 1:
            with _ReadingProcess() as reading:
                yield reading.ahead(asked)
        else:
            yield (stage(*one, progress) for one in asked)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _ReadingProcess:
    """Another Python that stages files one after the other.

    A plain child with pickles in its pipes, not `multiprocessing`: that would run the caller's own script again, which a notebook or a
    script without a main guard does not survive.
    """

    def __enter__(self) -> _ReadingProcess:
        self._child = subprocess.Popen([sys.executable, "-m", "cloudmap.staging"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._child.kill()
        self._child.communicate()

    def ahead(self, asked: Sequence[tuple[City, Job, Taxonomy, Extent, Path]]) -> Iterator[Staged]:
        """Yield each staged file after the next one has been asked for."""
        for number, (_, (_, path), *_) in enumerate(asked):
            if number == 0:
                self._ask(asked[0])
            staged = self._answer(path)
            if number + 1 < len(asked):
                self._ask(asked[number + 1])
            yield staged

    def _ask(self, job: tuple[City, Job, Taxonomy, Extent, Path]) -> None:
        with suppress(BrokenPipeError):  # the answer tells
            pickle.dump(job, self._pipe(self._child.stdin))
            self._pipe(self._child.stdin).flush()

    def _answer(self, path: Path) -> Staged:
        try:
            answer = pickle.load(self._pipe(self._child.stdout))  # noqa: S301  (written by our own child)
        except EOFError as error:
            raise SourceError(f"{path}: the process that read it was ended (out of memory?); nothing of it is stored") from error
        if isinstance(answer, BaseException):
            raise answer
        return cast(Staged, answer)

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise SourceError("the reading process has no pipe")
        return pipe


def _serve() -> None:
    """Stage what is asked for on standard input until it ends; anything printed goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            asked = pickle.load(sys.stdin.buffer)  # noqa: S301  (written by our own parent)
        except EOFError:
            return
        answer: Staged | Exception
        try:
            answer = stage(*asked)
        except Exception as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


def _folder(scratch: Path, number: int) -> Path:
    folder = scratch / str(number)
    folder.mkdir()
    return folder


def _thin(points: pl.DataFrame) -> pl.DataFrame:
    """Keep at most SAMPLE_N points, evenly spread."""
    return points if points.height <= SAMPLE_N else points.gather_every(-(-points.height // SAMPLE_N))


if __name__ == "__main__":
    # Under its own name, so that what is pickled here is what the parent knows.
    from cloudmap.staging import _serve as serve

    serve()
