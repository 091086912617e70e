"""Ends the membership of killed processes of this machine, so that their partitions are not without an owner.

A member that is killed stays in its group until its session times out, and a new member that joins meanwhile makes all
others wait for it, or, if it has a name (`KAFKA_INSTANCE_ID`), nobody reads its partitions until it is back. So each
member keeps a file with its member id, held as `claims` describes. The other members on the same machine look for files
that nobody holds, and have the broker remove these members: LeaveGroup, for which any client may name the member. A
named member that is back already has a new id, and the broker refuses to remove it.
"""

import hashlib
import logging
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.errors import KafkaError

from tickflow.claims import claim, shared_folder
from tickflow.ticklog.kafka.cluster import Cluster

LOOK_SECONDS = 0.5
REQUEST_MS = 2_000
SUFFIX = ".member"

_logger = logging.getLogger(__name__)


class Membership:
    """The file of one member of a group, in `folder`. It exists from the first `note` to `close`; in this time a thread
    looks for members that were killed.
    """

    def __init__(self, cluster: Cluster, group: str, instance_id: str | None, folder: Path | None = None) -> None:
        self._cluster = cluster
        self._group = group
        self._instance_id = instance_id
        self._folder = folder or shared_folder()
        self._mark = hashlib.sha256(f"{cluster.where} {group}".encode()).hexdigest()[:16]
        self._path = self._folder / f"{self._mark}-{uuid4().hex}{SUFFIX}"
        self._file: TextIO | None = None
        self._noted = ""
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, member_id: str) -> None:
        """Keep the id under which this process is a member now."""
        if member_id == self._noted:
            return
        self._noted = member_id
        try:
            while self._file is None:  # only another member that looks at it at this moment can hold it
                self._file = claim(self._path)
            self._file.truncate(0)
            self._file.write("\n".join(filter(None, (member_id, self._instance_id))))
            self._file.flush()
        except (OSError, ImportError) as error:
            _logger.info("after a kill -9 the group would wait for this worker for 10 s: %s", error)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="membership", daemon=True)
            self._thread.start()

    def end_others(self) -> None:
        """Remove the members whose processes have ended without leaving the group."""
        ended = list(self._ended())
        if not ended:
            return
        try:
            admin = self._cluster.connect(KafkaAdminClient, request_timeout_ms=REQUEST_MS)
            try:
                found = admin.remove_group_members(self._group, ended)
            finally:
                admin.close()
        except KafkaError as error:
            _logger.info("the group waits for killed members until their sessions time out: %s", error)
            return
        removed = sum(getattr(each, "errno", -1) == 0 for each in found.values())
        if removed:
            _logger.info("removed %s from the group, killed on this machine before", _counted(removed))

    def close(self) -> None:
        """Delete the file of this member, which has left the group."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(REQUEST_MS / 1000)
        if self._file is not None:
            with suppress(FileNotFoundError):
                self._path.unlink()
            self._file.close()
            self._file = None

    def _look(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            self.end_others()

    def _ended(self) -> Iterable[MemberToRemove]:
        for path in sorted(self._folder.glob(f"{self._mark}-*{SUFFIX}")):
            try:
                file = claim(path)
            except (OSError, ImportError):
                continue  # `note` logs why the folder cannot be used
            if file is None:
                continue  # its process is alive
            with file:
                file.seek(0)
                noted = file.read().split("\n")
                path.unlink(missing_ok=True)
            if noted[0]:
                yield MemberToRemove(*noted[:2], reason="its process has ended")


def _counted(number: int) -> str:
    return "a member" if number == 1 else f"{number} members"
