"""The list of terms: what each thing is called in English and French, in every report, on the page and in both READMEs.

A sentence counts with a term by its name, `{n:trial}`. Tests hold the sentences and the READMEs to the list.
"""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """The forms of a term in English and in French: for one first, then for several, then others that stand for it.

    `never` are French words that somebody might take for it.
    """

    english: tuple[str, ...]
    french: tuple[str, ...]
    never: tuple[str, ...] = ()


TERMS: dict[str, Term] = {
    # the workload
    "model": Term(("model", "models"), ("modèle", "modèles")),
    "token": Term(("token", "tokens"), ("jeton", "jetons"), ("token", "tokens")),
    "id": Term(("id", "ids"), ("identifiant", "identifiants"), ("id", "ids")),
    "prompt": Term(("prompt", "prompts"), ("entrée", "entrées"), ("prompt", "prompts", "invite", "invites")),
    "batch": Term(("batch", "batches"), ("lot", "lots"), ("batch", "batchs")),
    "cell": Term(("cell", "cells"), ("cellule", "cellules")),
    "workload": Term(("workload", "workloads"), ("jeu d'entrées", "jeux d'entrées"), ("charge de travail",)),
    # a run and what it is made of
    "run": Term(("run", "runs"), ("exécution", "exécutions"), ("passage", "passages")),
    "lane": Term(("lane", "lanes"), ("voie", "voies")),
    "engine": Term(("engine", "engines"), ("moteur", "moteurs")),
    "runtime": Term(("runtime", "runtimes"), ("moteur d'exécution", "moteurs d'exécution"), ("runtime",)),
    "trial": Term(("trial", "trials"), ("essai", "essais")),
    "iteration": Term(("iteration", "iterations"), ("itération", "itérations")),
    "round": Term(("round", "rounds"), ("tour", "tours"), ("rondes",)),
    "interleaved": Term(
        ("interleaved",),
        ("entrelacé", "entrelacés", "entrelacée", "entrelacées", "entrelacement"),
        ("alterné", "alternés", "alternée", "alternées", "alternance", "imbriqué", "imbriqués"),
    ),
    "warm-up": Term(("warm-up", "warm-ups", "warm up"), ("échauffement", "échauffements", "échauffez", "échauffer")),
    "thread": Term(("thread", "threads"), ("fil d'exécution", "fils d'exécution"), ("thread", "threads")),
    "exit status": Term(
        ("exit status", "exit statuses", "status 3", "own status"), ("code de retour", "codes de retour"), ("état 0", "état 1", "état 2", "état 3", "état 4", "statut")
    ),
    "record": Term(("record", "records"), ("enregistrement", "enregistrements"), ("record", "records")),
    "stand-in": Term(("stand-in", "stand-ins"), ("doublure", "doublures")),
    # where the time goes
    "latency": Term(("latency", "latencies"), ("latence", "latences")),
    "throughput": Term(("throughput",), ("débit", "débits")),
    "prefill": Term(("prefill",), ("préremplissage",), ("prefill",)),
    "decode": Term(("decode",), ("décodage",), ("decode",)),
    "decode step": Term(("decode step", "decode steps"), ("étape de décodage", "étapes de décodage"), ("pas de décodage",)),
    "KV cache": Term(("KV cache", "KV caches"), ("cache KV", "caches KV"), ("KV cache",)),
    "prefix reuse": Term(
        ("prefix reuse",), ("réemploi de préfixe", "réemploi de préfixes"), ("réutilisation", "réutilisations")
    ),
    "weights": Term(("weights",), ("poids",)),
    "bandwidth": Term(("bandwidth",), ("bande passante",)),
    # what is said of it
    "audit": Term(("audit", "audited"), ("audit", "audité", "audités", "auditée", "auditées"), ("contrôle", "contrôles")),
    "finding": Term(("finding", "findings"), ("constat", "constats"), ("trouvaille", "trouvailles")),
    "verdict": Term(("verdict", "verdicts"), ("verdict", "verdicts")),
    "headline": Term(
        ("headline", "headlines"),
        ("résultat principal", "résultats principaux", "chiffres principaux"),
        ("hors titre", "du titre", "le titre"),
    ),
    "weak": Term(("weak",), ("faible", "faibles")),
    "neighbour": Term(("neighbour", "neighbours"), ("voisin", "voisins", "voisine", "voisines")),
    "makers' default": Term(
        ("makers' default", "makers' defaults"), ("valeur par défaut", "valeurs par défaut"), ("le défaut", "les défauts")
    ),
    "SM clock": Term(("SM clock", "SM clocks"), ("fréquence SM", "fréquences SM"), ("horloge SM", "horloges SM")),
    "candidate": Term(("candidate", "candidates"), ("candidate", "candidates")),
    "speed-up": Term(("speed-up", "speed-ups", "speedup"), ("accélération", "accélérations")),
    "interval": Term(("interval", "intervals"), ("intervalle", "intervalles")),
    "ceiling": Term(("ceiling", "ceilings"), ("plafond", "plafonds")),
    "outlier": Term(("outlier", "outliers"), ("aberrant", "aberrants", "aberrante", "aberrantes")),
    "judge": Term(("judge", "judges"), ("juge", "juges")),
    "own decode loop": Term(("own decode loop",), ("boucle de décodage dédiée",), ("boucle propre", "décodage propre")),
}  # fmt: skip
