"""What the reports say about attempts that failed, in English and French."""

from __future__ import annotations

FAILED: dict[str, tuple[str, str]] = {
    "failed_attempts.title": ("Attempts that failed", "Tentatives échouées"),
    "failed_attempts.again": (
        "{lane}, trial {index:i}, attempt {attempt:i}: {reason}; run again",
        "{lane}, essai {index:i}, tentative {attempt:i} : {reason} ; refaite",
    ),
    "failed_attempts.last": (
        "{lane}, trial {index:i}, attempt {attempt:i}: {reason}; it has no figures",
        "{lane}, essai {index:i}, tentative {attempt:i} : {reason} ; sans chiffres",
    ),
    "failed_attempts.more": ("{n:# more attempt|# more attempts}", "{n:# autre tentative|# autres tentatives}"),
}
