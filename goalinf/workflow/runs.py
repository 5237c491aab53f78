"""Many independent runs of one task: written as they end, resumed, and spread over processes or a cluster."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np

from goalinf.atomic_files import written_whole
from goalinf.checks import check_count
from goalinf.content_hash import content_hash
from goalinf.inference.results.files.serialize import UnstorableError, Writer
from goalinf.inference.samplers.progress import Progress
from goalinf.types import PRNGKey

Result = dict[str, Any]  # as in JSON
Task = Callable[[int], Result]
_SETTINGS = "settings.json"


@runtime_checkable
class Client(Protocol):
    """Client of a cluster, such as ``dask.distributed.Client``."""

    def submit(self, function: Any, *args: Any, pure: bool = ...) -> Any:
        """Start a function on a worker; return a future with ``result()``."""


def run_all(
    task: Task,
    count: int,
    settings: Mapping[str, Any],
    *,
    title: str,
    out: str | Path | None,
    workers: int,
    client: Client | None,
) -> list[Result]:
    """Return the results of ``task(0)``, …, ``task(count - 1)``.

    Parameters
    ----------
    task : callable
        Task of one run; can be pickled where there are several workers.
    count : int
        Number of runs.
    settings : mapping
        Everything on which the results depend.
    title : str
        Title of the progress bar.
    out : path, optional
        Folder in which every result is written when it is there, and from which earlier results are read.
    workers : int
        Number of processes, which are spawned; 1 for none but this one.
    client : Client, optional
        Cluster on which the runs are computed.

    Raises
    ------
    ValueError
        Where the folder holds the results of other settings.
    """
    check_count("runs", count)
    check_count("workers", workers)
    if client is not None and workers > 1:
        raise ValueError("workers= and client= are both given; a cluster has workers of its own")
    folder = None if out is None else _folder(Path(out), settings)
    results = {number: json.loads(path.read_text()) for number, path in _finished(folder, count).items()}
    progress = Progress(title, count, divergences=False)
    with progress:
        progress.advance(len(results))
        missing = [number for number in range(count) if number not in results]
        for number, result in _computed(task, missing, workers, client):
            results[number] = result
            if folder is not None:
                with written_whole(_file(folder, number)) as partial:
                    partial.write_text(json.dumps(result))
            progress.advance(1)
    return [results[number] for number in range(count)]


def identity(key: PRNGKey, *parts: Any, **options: Any) -> dict[str, Any]:
    """Return what identifies a set of runs: a digest of key, world, agents, rewards and data, and the options."""
    writer = Writer()
    try:
        structure = [writer.structure(part) for part in parts]
    except UnstorableError as error:
        structure = [f"{type(error).__name__}: {error}", *map(repr, parts)]
    arrays = {name: np.asarray(array) for name, array in writer.arrays.items()}
    key_data = np.asarray(jax.random.key_data(key)).ravel().tolist()
    text = json.dumps([key_data, structure, writer.records, content_hash(arrays) if arrays else ""], sort_keys=True)
    return {"digest": hashlib.sha256(text.encode()).hexdigest(), **options}


def _folder(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Make the folder, or check that it belongs to these settings."""
    folder.mkdir(parents=True, exist_ok=True)
    path, known = folder / _SETTINGS, json.loads(json.dumps(dict(settings)))
    if path.exists():
        found = json.loads(path.read_text())
        if found != known:
            changed = [name for name in {**found, **known} if found.get(name) != known.get(name)]
            what = (
                "the key, the world, an agent, the reward or the data" if changed == ["digest"] else ", ".join(changed)
            )
            raise ValueError(
                f"{folder} holds runs with other settings ({what} changed since): choose another folder (out=), or "
                "remove this one"
            )
        return folder
    if any(folder.glob("run-*.json")):
        raise ValueError(f"{folder} holds runs without {_SETTINGS}: choose another folder (out=), or remove this one")
    with written_whole(path) as partial:
        partial.write_text(json.dumps(known, indent=1))
    return folder


def _file(folder: Path, number: int) -> Path:
    return folder / f"run-{number:04}.json"


def _finished(folder: Path | None, count: int) -> dict[int, Path]:
    if folder is None:
        return {}
    return {number: _file(folder, number) for number in range(count) if _file(folder, number).exists()}


def _computed(task: Task, missing: Sequence[int], workers: int, client: Client | None) -> Iterator[tuple[int, Result]]:
    """Yield numbers and results of runs as they end."""
    if client is not None:
        submitted = [(number, client.submit(task, number, pure=False)) for number in missing]
        for number, future in submitted:
            yield number, future.result()
    elif workers > 1 and len(missing) > 1:
        # JAX hangs in forked processes.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(missing)), context) as pool:
            futures: dict[Future[Result], int] = {pool.submit(task, number): number for number in missing}
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    else:
        for number in missing:
            yield number, task(number)
