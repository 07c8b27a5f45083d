"""What the reports say about trials that somebody disturbed, in English and French."""

from __future__ import annotations

DISTURBED: dict[str, tuple[str, str]] = {
    "disturbed.title": ("Disturbed by others", "Perturbés par d'autres"),
    "disturbed.again": (
        "{lane}, trial {index:i}: {why}; run again, so it does not count",
        "{lane}, essai {index:i} : {why} ; refait, il ne compte donc pas",
    ),
    "disturbed.counts": (
        "{lane}, trial {index:i}: {why}; it was not run again and counts",
        "{lane}, essai {index:i} : {why} ; il n'a pas été refait et compte",
    ),
    "disturbed.more": ("{n:# more trial|# more trials}", "{n:# autre essai|# autres essais}"),
    "disturbed.cpu": ("others used {value:p} of the CPU", "d'autres ont pris {value:p} du processeur"),
    "disturbed.cell_cpu": (
        "others used {value:p} of the CPU during a cell",
        "d'autres ont pris {value:p} du processeur pendant une cellule",
    ),
    "disturbed.gpu_process": (
        "{value:# other process|# other processes} computed on a GPU",
        "{value:# autre processus a calculé|# autres processus ont calculé} sur un GPU",
    ),
    "disturbed.gpu_used": (
        "a GPU was {value:n} % in use before it began",
        "un GPU était occupé à {value:n} % avant son début",
    ),
    "disturbed.gpu_throttled": (
        "a GPU was throttled before the first call",
        "un GPU était bridé avant le premier appel",
    ),
    "disturbed.gpu_clock": (
        "a GPU reached {value:i} MHz before the first call, below {limit:i} MHz",
        "un GPU a atteint {value:i} MHz avant le premier appel, en dessous de {limit:i} MHz",
    ),
    "disturbed.notice": (
        "NOT QUIET: others disturbed trials that count, so every verdict is weak.",
        "MACHINE OCCUPÉE : d'autres ont perturbé des essais qui comptent, donc chaque verdict est faible.",
    ),
    "not_quiet": ("the machine was not quiet", "la machine n'était pas calme"),
    "weak": ("weak", "faible"),
    "weak.few": ("weak: fewer than five trials", "faible : moins de cinq essais"),
    "weak.not_quiet": ("weak: the machine was not quiet", "faible : la machine n'était pas calme"),
    "weak.lost": (
        "weak: others disturbed one of the lanes compared at least twice as often as another",
        "faible : l'une des voies comparées a été perturbée au moins deux fois plus souvent qu'une autre",
    ),
    "weak.put_back": (
        "weak: with the disturbed trials put back, the verdict is another",
        "faible : le verdict change quand on remet les essais perturbés",
    ),
    "weak.doubted": (
        "weak: the audit doubts a time that is compared",
        "faible : l'audit met en doute un temps comparé",
    ),
    "weak.unjudged": (
        "unproven: nobody judged whether what it returned follows from the model",
        "non prouvé : personne n'a jugé si ce qu'elle a rendu découle du modèle",
    ),
    "judge_notice": (
        "NOT JUDGED: the judge failed, so nobody knows whether any answer below follows from the model.",
        "NON JUGÉ : le juge a échoué, donc personne ne sait si une réponse ci-dessous découle du modèle.",
    ),
    "weak.judge_failed": (
        "unproven: the judge failed, so nobody knows whether what it returned follows from the model",
        "non prouvé : le juge a échoué, donc personne ne sait si ce qu'elle a rendu découle du modèle",
    ),
}
