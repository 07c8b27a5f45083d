"""What the reports say about settings of engines that were tried before the first trial, in English and French."""

from __future__ import annotations

TRIED: dict[str, tuple[str, str]] = {
    "tried.title": ("Settings tried before the first trial", "Réglages essayés avant le premier essai"),
    "tried.line": (
        "{lane}, {cell}: {setting} {values}; taken: {taken}, {why}",
        "{lane}, {cell} : {setting} {values} ; valeur retenue : {taken}, {why}",
    ),
    "tried.value": (
        "{value}: {ms:n} ms ({low:n} to {high:n}, {n:# process|# processes})",
        "{value} : {ms:n} ms ({low:n} à {high:n}, {n:# processus|# processus})",
    ),
    "tried.failed": ("{value}: could not run ({reason})", "{value} : n'a pas pu tourner ({reason})"),
    "tried.unseen": ("{value}: not timed", "{value} : non mesurée"),
    "tried.faster": ("faster than its makers' default", "plus rapide que la valeur par défaut de ses auteurs"),
    "tried.runs": (
        "since its makers' default does not run here",
        "car la valeur par défaut de ses auteurs ne tourne pas ici",
    ),
    "tried.default": (
        "its makers' default: nothing else was shown to be faster",
        "valeur par défaut de ses auteurs : rien d'autre ne s'est montré plus rapide",
    ),
    "tried.excused": ("its makers' default: {reason}", "valeur par défaut de ses auteurs : {reason}"),
    "tried.more": ("{n:# more line|# more lines}", "{n:# autre ligne|# autres lignes}"),
}
