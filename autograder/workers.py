"""Where the judging is done: by processes of this machine, or by the workers of a Dask cluster.

A job is self-contained: the assignment's name, a clean notebook as JSON, the seed, the level of the sandbox; out comes
JSON. Workers write nothing: results come back and are kept by the one process that asked. Only as many jobs are under
way as keep the workers busy, so a class of any size needs the same memory.
"""

from __future__ import annotations

import itertools
import json
import logging
import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache

import nbformat

from . import judge, results, sandbox
from .assignments import CannotStart

IN_A_ROW = 10  # failures of ours, without a success between them, after which the fault is not a submission's
ANSWER_SECONDS = 10.0  # for a scheduler
WORKER_SECONDS = 120.0  # for a worker to import the judge and probe its sandbox; for another when all are gone


@dataclass(frozen=True)
class Job:
    """One notebook to be judged. ``code`` is the fingerprint of the judge that is asked for."""

    name: str
    slug: str
    text: str
    seed: int
    level: str | None
    code: str


Outcome = tuple[str, tuple[str, str] | Exception]  # a job's name; both parts of its result as JSON, or why not


class OtherCode(RuntimeError):
    """A worker has another version of the judge: its marks could be others."""


_one_at_a_time = threading.Lock()  # a worker of Dask may have several threads; a judge times what it judges


def do(slug: str, text: str, seed: int, level: str | None, code: str) -> tuple[str, str]:
    """Do a job, in a worker.

    Returns:
        What ``judge_notebook`` gives, and what ``read_through`` gives, as JSON.

    Raises:
        OtherCode: This worker's judge is not the one that is asked for.
    """
    if code != judge.code_fingerprint():
        raise OtherCode(_OTHER_CODE)
    with _one_at_a_time:
        _one_thread()
        judged, cells = results.judge_both(slug, nbformat.reads(text, as_version=4), seed, level)
        return json.dumps(judged), json.dumps(cells)


_OTHER_CODE = "it has another version of the course; install the same one on every machine and start its worker again"


@cache
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)  # as many workers as cores: more threads each would only queue up


# ------------------------------------------------------------------------------------------------------- this machine


def here(jobs: Iterable[Job], count: int) -> Iterator[Outcome]:
    """Do jobs in ``count`` processes of this machine; outcomes come in any order.

    A process that dies takes the jobs of its neighbours with it; alone, each of them has a second chance.

    Raises:
        RuntimeError: Many jobs in a row failed for a reason that is not theirs.
    """
    jobs, in_a_row = iter(jobs), 0
    for first in jobs:  # once, and again after each death
        failed = []
        for job, outcome in _side_by_side(itertools.chain([first], jobs), count):
            if isinstance(outcome, Exception):
                failed.append(job)
            else:
                in_a_row = 0
                yield job.name, outcome
        for job in failed:
            ((_, outcome),) = _side_by_side(iter([job]), 1)
            if isinstance(outcome, Exception):
                in_a_row += 1
                yield job.name, outcome
                if in_a_row == IN_A_ROW:
                    raise RuntimeError(_not_theirs(outcome))
            else:
                in_a_row = 0
                yield job.name, outcome


def _side_by_side(jobs: Iterator[Job], count: int) -> Iterator[tuple[Job, tuple[str, str] | Exception]]:
    """Do jobs in ``count`` processes; takes no more of them once a process has died."""
    before = set(multiprocessing.active_children())
    ahead = list(itertools.islice(jobs, 2 * count))
    pool = ProcessPoolExecutor(min(count, len(ahead)), multiprocessing.get_context("spawn"), _start_worker)
    running = {}
    try:
        # the processes start here, and inherit that Ctrl-C is not for them: it ends this process, which ends them
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for job in ahead:
                running[_submit(pool, job)] = job
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        broken = False
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                error = future.exception()
                broken = broken or isinstance(error, BrokenProcessPool)
                yield job, error or future.result()
                for following in () if broken else itertools.islice(jobs, 1):
                    running[_submit(pool, following)] = following
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # they take a second to leave, and nobody has to wait for that
        if running:  # cut off: nobody wants what they are at
            for process in set(multiprocessing.active_children()) - before:
                process.kill()


def _submit(pool: ProcessPoolExecutor, job: Job) -> Future:
    try:
        return pool.submit(do, job.slug, job.text, job.seed, job.level, job.code)
    except BrokenProcessPool as error:  # it broke a moment ago
        future = Future()
        future.set_exception(error)
        return future


def _start_worker() -> None:
    """In a new process: end when the one that started it is gone, however it went."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"


def _not_theirs(error: BaseException) -> str:
    return (
        f"{IN_A_ROW} submissions in a row could not be judged, so the fault is not theirs; the last reason: "
        f"{describe(error)}"
    )


# --------------------------------------------------------------------------------------------------------------- Dask


def about_worker(level: str | None) -> tuple[str, str]:
    """What a worker says of itself before it is given a job: fingerprint of its judge, description of its sandbox."""
    return judge.code_fingerprint(), (sandbox.at(level) if level else sandbox.best()).description


def connect(address: str, level: str | None):
    """Connect to a Dask scheduler, and ask every worker whether it can judge as this machine would.

    Args:
        address: ``tcp://host:port``, or ``tls://host:port`` with Dask's own configuration of the certificates.
        level: Of the sandbox; None for the best that each worker has.

    Returns:
        The client, and what the workers say of their sandboxes.

    Raises:
        CannotStart: No such scheduler, no answer, no workers, or a worker that cannot judge or would judge otherwise.
    """
    try:
        import distributed
    except ImportError as error:
        raise CannotStart("--scheduler needs the package `distributed`: pip install distributed") from error
    if not re.fullmatch(r"(tcp|tls)://.+:\d+", address):
        raise CannotStart(f"--scheduler {address}: the address of a Dask scheduler is tcp://host:port or tls://host:port")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it has to say is said here, in one sentence
    answer = []

    def ask() -> None:
        try:
            answer.append(distributed.Client(address, timeout=ANSWER_SECONDS - 2, set_as_default=False))
        except Exception as error:
            answer.append(error)

    # in a thread, because it waits for ever for a program that takes the connection and says nothing
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(ANSWER_SECONDS)
    client = answer[0] if answer else TimeoutError(f"nothing within {ANSWER_SECONDS:g} s")
    if isinstance(client, Exception):
        raise CannotStart(
            f"--scheduler {address}: no Dask scheduler answers there ({describe(client)}); start one with "
            f"`dask scheduler`, and workers with `dask worker {address}`"
        ) from client
    try:
        return client, _ask_workers(client, address, level)
    except BaseException:
        client.close()
        raise


def _ask_workers(client, address: str, level: str | None) -> list[str]:
    try:
        client.wait_for_workers(1, timeout=ANSWER_SECONDS)
    except TimeoutError as error:
        raise CannotStart(
            f"--scheduler {address}: the scheduler has no workers; start some with `dask worker {address}`"
        ) from error
    asked = {
        worker: client.submit(about_worker, level, workers=[worker], allow_other_workers=False, pure=False)
        for worker in client.nthreads()
    }
    sandboxes = []
    for worker, future in asked.items():
        try:
            code, description = future.result(timeout=WORKER_SECONDS)
        except TimeoutError as error:
            raise CannotStart(f"the worker {worker} does not answer; stop it, or wait until it is free") from error
        except Exception as error:
            raise CannotStart(
                f"the worker {worker} cannot judge ({describe(error)}); install the course there as it is here, and "
                "start the worker in that environment"
            ) from error
        if code != judge.code_fingerprint():
            raise CannotStart(f"the worker {worker} would judge otherwise: {_OTHER_CODE}")
        sandboxes.append(description)
    return sandboxes


def on_dask(jobs: Iterable[Job], client) -> Iterator[Outcome]:
    """Do jobs on the workers of a scheduler; the jobs of a worker that is gone are done by another.

    Dask blames a death on every job that the worker had: at the end, each of those has a second chance alone.

    Raises:
        RuntimeError: The scheduler or the last worker is gone, or many jobs in a row failed.
    """
    import distributed

    jobs, running, in_a_row, gone_since = iter(jobs), {}, 0, None
    again, alone = [], False
    try:
        while True:
            threads = _threads(client)
            room = 1 if alone else 2 * threads + 2
            for job in itertools.islice(jobs, max(0, room - len(running))):
                arguments = job.slug, job.text, job.seed, job.level, job.code
                running[client.submit(do, *arguments, pure=False)] = job
            if not running and (alone or not again):
                return
            if not running:
                jobs, alone, in_a_row = iter(again), True, 0
                continue
            gone_since = None if threads else gone_since or time.monotonic()
            if gone_since and time.monotonic() - gone_since > WORKER_SECONDS:
                raise RuntimeError("all workers of the scheduler are gone; start some, and run the same command again")
            try:
                with client.as_current():
                    done = distributed.wait(list(running), timeout=5, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                continue
            for future in done:
                job, error = running.pop(future), future.exception()
                in_a_row = in_a_row + 1 if error else 0
                if error and not alone:
                    again.append(job)
                else:
                    yield job.name, error or future.result()
                if in_a_row >= IN_A_ROW and (alone or not isinstance(error, distributed.KilledWorker)):
                    raise RuntimeError(_not_theirs(error))
    except (distributed.CancelledError, distributed.comm.CommClosedError) as error:
        raise RuntimeError(_SCHEDULER_GONE) from error
    finally:
        if running and client.status == "running":
            client.cancel(list(running))


_SCHEDULER_GONE = "the scheduler is gone; start it and its workers, and run the same command again"


def _threads(client) -> int:
    """How many jobs the workers of a scheduler can hold at once."""
    try:
        return sum(client.nthreads().values())
    except (OSError, AttributeError, ValueError) as error:  # a client that has lost its scheduler has no connections
        raise RuntimeError(_SCHEDULER_GONE) from error
