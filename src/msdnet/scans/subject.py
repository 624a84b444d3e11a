"""Who was scanned and when, told to this site alone: a key and a number of days, neither of which names anybody.

The key is the HMAC-SHA256 of the patient's number, its issuer and the birth date with a secret of the site. Days count
from a date that follows from these, too: days between scans of one person are right, and no date can be read from them.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from msdnet.scans.privacy import stated_values
from msdnet.scans.scan import Scan

SITE_KEY = "MSDNET_SITE_KEY"
_KEY_BYTES, _SHOWN, _DAYS = 32, 32, 36_500
_NOBODY = frozenset({"", "ANON", "ANONYMOUS", "ANONYMIZED", "ANONYMISED", "DEIDENTIFIED", "NONE", "UNKNOWN", "TEST"})
"""What stands for a patient's number where it was taken out."""


@dataclass(frozen=True)
class Subject:
    """A person at a time.

    Attributes:
        key: The same for the same patient's number at the same site.
        day: Days since a date that is the person's own.
    """

    key: str
    day: int


def site_key_path() -> Path:
    """Where the site's secret lies: the file that MSDNET_SITE_KEY names, or msdnet/site-key in the user's settings."""
    named = os.environ.get(SITE_KEY)
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "msdnet" / "site-key"


def identify_subject(scan: Scan) -> Subject | None:
    """The subject of a DICOM series; None where it states no patient's number or no date, or no secret can be kept."""
    if not scan.source.datasets:
        return None
    header = scan.source.datasets[0]
    number = next((n.strip() for n in stated_values(header, "PatientID") if n.strip()), "")
    date = _date(header)
    if re.sub(r"[\W_0]", "", number).upper() in _NOBODY or date is None:
        return None
    secret = _read_or_make(site_key_path())
    if secret is None:
        return None
    parts = [number, *stated_values(header, "IssuerOfPatientID"), *stated_values(header, "PatientBirthDate")]
    person = "\n".join(parts).encode()
    digest = hmac.new(secret, person, hashlib.sha256)
    offset = int.from_bytes(hmac.new(secret, b"day " + person, hashlib.sha256).digest()[:8], "big") % _DAYS
    return Subject(digest.hexdigest()[:_SHOWN], date.toordinal() - offset)


def _date(header: object) -> datetime.date | None:
    for keyword in ("AcquisitionDate", "SeriesDate", "StudyDate"):
        for value in stated_values(header, keyword):
            try:
                return datetime.datetime.strptime(value.strip(), "%Y%m%d").replace(tzinfo=datetime.UTC).date()
            except ValueError:
                continue
    return None


def _read_or_make(path: Path) -> bytes | None:
    """The secret in the file, made with mode 600 where there is none; None where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
            with contextlib.suppress(FileExistsError):  # another process was faster: its secret counts
                os.link(unfinished, path)
            unfinished.unlink()
        secret = path.read_bytes()
    except OSError:
        return None
    return secret if len(secret) >= _KEY_BYTES else None
