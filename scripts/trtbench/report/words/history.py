"""What the reports say about this run against another one, in English and French."""

from __future__ import annotations

HISTORY: dict[str, tuple[str, str]] = {
    "history.title": ("AGAINST RUN {run}", "PAR RAPPORT À L'EXÉCUTION {run}"),
    "history.note": (
        "ratio = time then / time now, so above 1 it got faster; {level:p} intervals",
        "ratio = temps d'avant / temps à présent : plus rapide au-dessus de 1 ; intervalles à {level:p}",
    ),
    "history.run": ("a run of this results folder", "une exécution de ce dossier de résultats"),
    "history.folder": ("a run's folder, audited again", "le dossier d'une exécution, auditée à nouveau"),
    "history.bundle": ("a bundle, audited again", "une archive anonyme, auditée à nouveau"),
    "history.report": (
        "a report, whose figures could not be audited again",
        "un rapport, dont les chiffres n'ont pas pu être audités à nouveau",
    ),
    "history.from": ("Compared with {source} from {created}.", "Comparaison avec {source}, du {created}."),
    "history.other_machine_notice": (
        "ANOTHER MACHINE: what differs is the machine and everything on it, not one program.",
        "AUTRE MACHINE : l'écart vient de la machine et de tout ce qu'elle porte, pas d'un seul programme.",
    ),
    "history.other_model_notice": (
        "ANOTHER MODEL: the two did not do the same work, so there is no verdict.",
        "AUTRE MODÈLE : les deux exécutions n'ont pas fait le même travail, donc pas de verdict.",
    ),
    "history.simulated_notice": (
        "SIMULATED: a lane of one side is a stand-in for tests; there is no verdict.",
        "SIMULÉ : une voie de l'une des deux exécutions est une doublure de test ; pas de verdict.",
    ),
    "history.fails_notice": (
        "In the other run {n:# finding fails|# findings fail}.",
        "Dans l'autre exécution, {n:# constat est|# constats sont} en échec.",
    ),
    "history.apart_notice": (
        "The two runs were not interleaved: what drifted in between is part of every ratio.",
        "Les deux exécutions n'ont pas été entrelacées : la dérive entre elles fait partie de chaque ratio.",
    ),
    "history.other_model": ("another model", "autre modèle"),
    "history.lane": ("Lane", "Voie"),
    "history.then": ("Then (ms)", "Avant (ms)"),
    "history.now": ("Now (ms)", "À présent (ms)"),
    "history.ratio": ("Ratio", "Ratio"),
    "history.interval": ("Interval", "Intervalle"),
    "history.word": ("Verdict", "Verdict"),
    "history.nothing": (
        "No lane and cell in common: there is nothing to compare.",
        "Aucune voie ni cellule commune : rien à comparer.",
    ),
    "history.lost": (
        "{lane} had figures then and has none now: {reason}",
        "{lane} avait des chiffres dans l'autre exécution et n'en a plus : {reason}",
    ),
    "history.unpaired": (
        "{n:# more pair|# more pairs} of lane and cell {n:stands|stand} in one run only.",
        "{n:# autre couple (voie, cellule) n'existe|# autres couples (voie, cellule) n'existent} que dans une des deux exécutions.",
    ),
    "history.same": (
        "Machine, versions, model, workload, settings and lanes say the same of themselves.",
        "Machine, versions, modèle, jeu d'entrées, réglages et voies disent la même chose d'eux-mêmes.",
    ),
    "history.differs": ("What differs", "Ce qui diffère"),
    "history.was": ("{what}: {then} then, {now} now", "{what} : {then} avant, {now} à présent"),
    "history.absent": ("absent", "absent"),
    "history.what.governor": ("governor", "gouverneur"),
    "history.what.kernel": ("kernel", "noyau"),
    "history.what.device_name": ("device", "appareil"),
    "history.what.runtime": ("runtime", "moteur d'exécution"),
    "history.what.runtime_version": ("version of the runtime", "version du moteur d'exécution"),
    "history.what.compute_precision": ("computes in", "calcule en"),
    "history.what.weight_precision": ("weights in", "poids en"),
    "history.what.kv_precision": ("KV cache in", "cache KV en"),
    "history.what.cuda_graphs": ("CUDA graphs", "graphes CUDA"),
    "history.what.threads": ("threads", "fils d'exécution"),
    "history.what.attention": ("attention", "attention"),
    "history.what.prefix_reuse": ("prefix reuse", "réemploi de préfixe"),
    "history.regression": (
        "regression: {lane} ({cell}) is proven slower than in run {run} by more than {share:p}: {ratio:x} ({span})",
        "régression : il est prouvé que la voie {lane} ({cell}) est plus lente que dans l'exécution {run}, de plus de {share:p} : {ratio:x} ({span})",
    ),
    "history.regression_lost": (
        "regression: {lane} ({cell}) no longer runs: {reason}",
        "régression : {lane} ({cell}) ne tourne plus : {reason}",
    ),
    "history.passed": (
        "no lane is proven slower than in run {run} by more than {share:p}{unproven}",
        "il n'est prouvé pour aucune voie qu'elle soit plus lente que dans l'exécution {run}, de plus de {share:p}{unproven}",
    ),
    "history.unproven": (
        "; {n:# comparison|# comparisons} could not be checked (void, or fewer than three trials)",
        " ; {n:# comparaison n'a pas pu être vérifiée (nulle|# comparaisons n'ont pas pu être vérifiées (nulles}, ou moins de trois essais)",
    ),
    "history.on_other_machine": (" (on another machine)", " (sur une autre machine)"),
}
