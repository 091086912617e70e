"""Ends the membership of killed processes of this machine, so that their partitions are not without an owner.

A member that is killed stays in its group until its session times out, and a new member that joins meanwhile makes all
others wait for it, or, if it has a name (`KAFKA_INSTANCE_ID`), nobody reads its partitions until it is back. So each
member keeps a file with its member id, held as `claims` describes. The other members on the same machine look for files
that nobody holds, and have the broker remove these members: LeaveGroup, for which any client may name the member. A
named member that is back already has a new id, and the broker refuses to remove it.

None of this is needed for a correct group: where it fails, the session times out as it would without it.
"""

import hashlib
import logging
import os
import socket
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.errors import GroupAuthorizationFailedError

from tickflow.claims import claim, shared_folder
from tickflow.ticklog.kafka.cluster import Cluster

LOOK_SECONDS = 0.5
REQUEST_MS = 2_000
SUFFIX = ".member"
BOOT = Path("/proc/sys/kernel/random/boot_id")

_logger = logging.getLogger(__name__)


class Membership:
    """The file of one member of a group, from the first `note` to `close`; and a thread that looks for members that
    were killed, from `look` to `close`.
    """

    def __init__(self, cluster: Cluster, group: str, instance_id: str | None) -> None:
        self._cluster = cluster
        self._group = group
        self._instance_id = instance_id
        self._mark = hashlib.sha256(f"{_machine()} {cluster.where} {group}".encode()).hexdigest()[:16]
        self._name = f"{self._mark}-{uuid4().hex}"
        self._path: Path | None = None
        self._file: TextIO | None = None
        self._noted = ""
        self._said = ""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look, name="membership", daemon=True)

    def look(self) -> None:
        """Begin to look for members that were killed."""
        self._thread.start()

    def note(self, member_id: str) -> None:
        """Keep the id under which this process is a member now."""
        if not member_id or member_id == self._noted:
            return
        try:
            self._write("\n".join(filter(None, (member_id, self._instance_id))))
        except (OSError, ImportError) as error:
            self._say(f"after a kill -9 the group would wait 10 s for this worker: {error}")
        else:
            self._noted = member_id

    def end_others(self) -> None:
        """Remove the members whose processes have ended without leaving the group.

        A file is deleted once the broker has answered. So a request that failed is repeated by the next call, or by
        another member.
        """
        with ExitStack() as stack:
            ended: dict[Path, MemberToRemove | None] = {}
            for path in sorted(shared_folder().glob(f"{self._mark}-*{SUFFIX}")):
                if path != self._path and (file := claim(path)) is not None:
                    ended[path] = self._member_of(stack.enter_context(file))
            members = list(filter(None, ended.values()))
            removed = self._remove(members) if members else 0
            for path in ended:
                path.unlink(missing_ok=True)
        if removed:
            members_of = "a member whose process" if removed == 1 else f"{removed} members whose processes"
            _logger.info("removed from the group %s: %s was killed on this machine", self._group, members_of)

    def stop_looking(self) -> None:
        """Let the thread end; `close` waits for it."""
        self._closed.set()

    def close(self) -> None:
        """Delete the file of this member, which has left the group."""
        self.stop_looking()
        if self._thread.ident is not None:
            self._thread.join(LOOK_SECONDS)
        with suppress(OSError):
            if self._path is not None:
                self._path.unlink(missing_ok=True)
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        self._file = None

    def _write(self, text: str) -> None:
        if self._path is None:
            hidden = shared_folder() / self._name  # no other member looks at it before it has its final name
            self._file = self._file or claim(hidden)
            self._path = hidden.rename(hidden.with_suffix(SUFFIX))
        if self._file is not None:
            self._file.truncate(0)
            self._file.write(text)
            self._file.flush()

    def _member_of(self, file: TextIO) -> MemberToRemove | None:
        """The member that a file names; `None` if none has to be removed."""
        file.seek(0)
        member_id, _, name = file.read().partition("\n")
        if not member_id or (name and name == self._instance_id):
            return None  # this process itself replaces a member of its own name, without a rebalance
        return MemberToRemove(member_id, name or None, "its process has ended")

    def _remove(self, members: list[MemberToRemove]) -> int:
        """How many of the members the broker has removed."""
        admin = self._cluster.connect(KafkaAdminClient, request_timeout_ms=REQUEST_MS)
        try:
            found = admin.remove_group_members(self._group, members)
        except GroupAuthorizationFailedError:
            return 0
        finally:
            admin.close()
        return sum(getattr(each, "errno", -1) == 0 for each in found.values())

    def _look(self) -> None:
        while True:
            try:
                self.end_others()
            except Exception as error:  # noqa: BLE001 - of Kafka, of files, of threads: the worker can do without
                self._say(f"could not remove killed members; the group waits until their sessions time out: {error}")
            if self._closed.wait(LOOK_SECONDS):
                return

    def _say(self, words: str) -> None:
        if words != self._said:
            self._said = words
            _logger.info(words)


def _machine() -> str:
    """What only processes of one running kernel have in common: locks of others would not show whether they live."""
    try:
        return BOOT.read_text()
    except OSError:
        return f"{socket.gethostname()} {os.name}"
