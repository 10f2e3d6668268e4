"""The checks of ``doctor``: from facts about this machine to verdicts with remedies."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Final

from watcher.core.health.problems import REMEDIES, Problem, ProblemCode
from watcher.core.incidents.model import MAX_CLOCK_SKEW_SECONDS
from watcher.core.plural import counted

if TYPE_CHECKING:
    from watcher.config import ConfigFault
    from watcher.reports.online import OnlineCheck

MEGABYTE: Final = 1_000_000
LITTLE_SPACE: Final = 500 * MEGABYTE
NO_SPACE: Final = 50 * MEGABYTE
OTHERS_MAY: Final = stat.S_IRWXG | stat.S_IRWXO
ONLINE_REMEDY: Final = "see docs/runbook.md"
LISTED_PROBLEMS: Final = 3
"""So many problems of one kind are listed; of more, the first and their number."""


class CheckVerdict(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorCheck:
    """One check, with its remedy if it did not pass."""

    about: str
    verdict: CheckVerdict
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the check for programs."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """Facts about the store's file."""

    path: str
    exists: bool = True
    error: str | None = None
    """The reason why the file cannot be read."""
    damage: str | None = None
    """The first damage that the integrity check found."""
    size_bytes: int = 0
    schema: str | None = None
    known_schemas: frozenset[str] = frozenset()
    """The schema versions that this version of the program can use."""
    user: int | None = None
    """The number of the daemon's user, where another user judges."""
    closed_files: Sequence[str] = ()
    """Files of the store that the daemon's user may not open."""
    lost: str | None = None
    """The problem of a daemon that runs although the file does not exist."""
    has_backups: bool = False
    """Whether there are automatic backups of a file that does not exist: it was not always missing."""
    deviations: Sequence[str] | None = None
    """Descriptions of the stored deviations, oldest first; ``None`` if they cannot be read."""

    @property
    def usable(self) -> bool:
        """Whether this version can read the rows of the store."""
        return self.exists and self.deviations is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonFacts:
    """The answer of the daemon at the store's control socket."""

    running: bool
    has_store: bool = True
    """Whether a daemon has ever run here."""
    error: str | None = None
    without_store: bool = False
    """Whether it cannot be asked, since the folder of its store and its socket is gone."""
    pid: object = None
    version: object = None
    uid: object = None
    gid: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFacts:
    """Facts about one secret that the configuration names; never the secret itself."""

    key: str
    source: str
    """The environment variable, file or credential, e.g. ``env NCP_ACCESS_KEY``."""
    error: str | None = None
    """The reason why it cannot be read, and the remedy after a semicolon."""
    file: str | None = None
    """The file's name, if the source is a file."""
    mode: int = 0
    """The permission bits of that file."""
    only_in_unit: bool = False
    """Whether systemd gives it to the unit alone, and this is not the unit."""
    closed_to: int | None = None
    """The number of the daemon's user, if that user may not read the file."""
    hint: str = ""
    """The likely mistake in it, and the remedy."""


def ok(about: str, detail: str) -> DoctorCheck:
    """Return a check that passed."""
    return DoctorCheck(about=about, verdict=CheckVerdict.OK, detail=detail)


def warning(about: str, detail: str, remedy: str) -> DoctorCheck:
    """Return a check that found a possible problem."""
    return DoctorCheck(about=about, verdict=CheckVerdict.WARNING, detail=detail, remedy=remedy)


def fault(about: str, detail: str, remedy: str) -> DoctorCheck:
    """Return a check that failed."""
    return DoctorCheck(about=about, verdict=CheckVerdict.FAULT, detail=detail, remedy=remedy)


def problem_checks(problems: Sequence[Problem]) -> Iterator[DoctorCheck]:
    """Return a fault for each problem of ``status``, the gravest first; many of one kind are counted together."""
    for code, group in groupby(problems, key=lambda problem: problem.code):
        same = list(group)
        if len(same) <= LISTED_PROBLEMS:
            yield from (fault(code.value, problem.text, problem.remedy) for problem in same)
        else:
            yield fault(code.value, f"{same[0].text}, and {len(same) - 1} more like it", same[0].remedy)
    if not problems:
        yield ok("status", "no problem")


def versions_check(versions: Mapping[str, str], needed_sqlite: str | None = None) -> DoctorCheck:
    """List the versions of the program and its libraries; ``needed_sqlite`` is set where SQLite is older than that."""
    if needed_sqlite is not None:
        detail = f"SQLite {versions['SQLite']}, the store needs {needed_sqlite} or later"
        return fault("versions", detail, "install a newer libsqlite3, or a Python that brings one")
    return ok("versions", ", ".join(f"{name} {version}" for name, version in versions.items()))


def configuration_checks(faults: Sequence[ConfigFault]) -> Iterator[DoctorCheck]:
    """Report each fault of the file; the daemon keeps the configuration that it has."""
    for item in faults:
        yield fault("configuration", f"{item}".rpartition("; ")[0], item.remedy)


def store_checks(facts: StoreFacts) -> Iterator[DoctorCheck]:
    """Judge the store: its file, its schema and the deviations in it."""
    if facts.lost is not None:
        yield fault("store", facts.lost, REMEDIES[ProblemCode.STORE_UNREADABLE])
        return
    if facts.has_backups:
        yield fault(
            "store",
            f"{facts.path} is gone; its backups are there",
            "put the file back, or start the watcher, which restores the newest backup",
        )
        return
    if not facts.exists:
        yield warning(
            "store", f"there is no store at {facts.path}", "start the watcher once, or name the right configuration"
        )
        return
    if facts.error is not None:
        remedy = "run this as the watcher's user; if the file is damaged, restore a backup"
        yield fault("store", f"{facts.path}: {facts.error}", remedy)
        return
    yield _integrity_check(facts)
    if facts.closed_files:
        yield _closed_check(facts)
    if facts.schema is not None:
        yield _schema_check(facts.schema, facts.known_schemas)
    if facts.deviations is not None:
        yield _deviations_check(facts.deviations)


def _integrity_check(facts: StoreFacts) -> DoctorCheck:
    if facts.damage is not None:
        return fault("store", f"{facts.path} is damaged: {facts.damage}", "restore a backup, see docs/backup.md")
    return ok("store", f"{facts.path}: intact, {facts.size_bytes / MEGABYTE:.1f} MB")


def _closed_check(facts: StoreFacts) -> DoctorCheck:
    files = shlex.join(facts.closed_files)
    detail = f"the watcher's user ({facts.user}) cannot open {files}"
    return fault("store", detail, f"chown {facts.user}: {files}; chmod u+rwX {files}")


def _schema_check(schema: str, known: frozenset[str]) -> DoctorCheck:
    newest = max(known)
    if schema not in known:
        detail = f"{schema}, this version knows up to {newest}"
        return fault("schema", detail, "install the version that made the store")
    if schema != newest:
        return warning("schema", f"{schema} of {newest}", "the next start of the watcher migrates it")
    return ok("schema", schema)


def _deviations_check(deviations: Sequence[str]) -> DoctorCheck:
    if not deviations:
        return ok("documents", "AiTEMS answers as its documents say")
    detail = f"{counted(len(deviations), 'deviation')} of AiTEMS from its documents, e.g. {deviations[0]}"
    return warning("documents", detail, "aitems-watcher status lists them; report new ones")


def disk_check(free_bytes: int, folder: str) -> DoctorCheck:
    """Judge the free space of the store's disk."""
    detail = f"{free_bytes / MEGABYTE:,.0f} MB free at {folder}"
    remedy = "free some space, or move the store: [state] url"
    if free_bytes < NO_SPACE:
        return fault("free space", detail, remedy)
    return warning("free space", detail, remedy) if free_bytes < LITTLE_SPACE else ok("free space", detail)


def daemon_check(facts: DaemonFacts, installed: str) -> DoctorCheck:
    """Judge the daemon of the store; ``installed`` is this program's version."""
    if facts.error is not None:
        return fault("daemon", facts.error, "systemctl restart aitems-watcher if it hangs")
    if not facts.running:
        remedy = REMEDIES[ProblemCode.NO_DAEMON]
        # Before the first start nothing is missing yet.
        return (fault if facts.has_store else warning)("daemon", "no daemon runs on this store", remedy)
    if facts.without_store:
        detail = f"process {facts.pid} cannot be asked: its control socket is gone, too"
        return warning("daemon", detail, "aitems-watcher doctor again once the store is back")
    detail = f"process {facts.pid}, version {facts.version}"
    if facts.version != installed:
        return warning("daemon", f"{detail}; installed is {installed}", "systemctl restart aitems-watcher")
    return ok("daemon", detail)


def page_check(url: str, problem: str | None) -> DoctorCheck:
    """Judge the status page of a running daemon; ``problem`` says why it does not answer."""
    if problem is None:
        return ok("status page", f"{url} answers")
    remedy = "see the log at web.not_listening; a changed [web] needs a restart"
    return fault("status page", f"{url} does not answer: {problem}", remedy)


def secret_check(facts: SecretFacts) -> DoctorCheck:
    """Judge whether a secret can be read, and by nobody else."""
    about = f"secret {facts.key}"
    if facts.only_in_unit:
        return warning(about, f"{facts.source}: only the unit has it", "systemctl start aitems-watcher, then again")
    if facts.error is not None:
        problem, _, remedy = facts.error.partition("; ")
        return fault(about, problem, remedy or "provide the secret there")
    if facts.hint:
        problem, _, remedy = facts.hint.partition(": ")
        return warning(about, f"{facts.source} {problem}", remedy)
    if facts.file is None:
        return ok(about, f"{facts.source}: present; a change needs a restart")
    return _secret_file_check(about, facts)


def _secret_file_check(about: str, facts: SecretFacts) -> DoctorCheck:
    if facts.closed_to is not None:
        problem = f"the watcher's user ({facts.closed_to}) cannot read {facts.file} ({facts.mode:04o})"
        return fault(about, problem, 'give it as { credential = "…" }, with LoadCredential= in the unit')
    if facts.mode & OTHERS_MAY:
        return fault(about, f"other users may read {facts.source} ({facts.mode:04o})", f"chmod 600 {facts.file}")
    return ok(about, f"{facts.source}: present, only for its owner; a change takes effect at once")


def online_checks_skipped() -> DoctorCheck:
    """Return the check that stands for those that need the network."""
    return warning("clock, reachability", "not checked", "aitems-watcher doctor --online")


def online_verdicts(check: OnlineCheck) -> Iterator[DoctorCheck]:
    """Judge one online check, and the clock of the account that answered it."""
    if check.good:
        yield ok(check.about, check.detail)
    else:
        detail = f"{check.cause}: {check.detail}" if check.cause else check.detail
        yield fault(check.about, detail, check.advice or ONLINE_REMEDY)
    # Every call of an account is answered by the same clock: its first check is enough.
    if check.skew_seconds is not None and check.about.startswith("account "):
        yield _clock_check(check.about, check.skew_seconds)


def _clock_check(account: str, skew_seconds: float) -> DoctorCheck:
    about, detail = f"clock, by {account}", f"{skew_seconds:+.0f} s from ours"
    if abs(skew_seconds) > MAX_CLOCK_SKEW_SECONDS:
        return fault(about, detail, "set this machine's clock: systemctl status systemd-timesyncd, or chronyc tracking")
    return ok(about, detail)
