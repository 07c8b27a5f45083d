"""What the audit says: its headings, each finding's sentence and advice, and figures that are words, in English and French.

Tests hold the findings to the codes of `trtbench.referee.audit.findings.TABLE`.
"""

from __future__ import annotations

from typing import NamedTuple

HEADINGS: dict[str, tuple[str, str]] = {
    "audit.title": ("AUDIT", "AUDIT"),
    "audit.fail": ("FAIL", "ÉCHEC"),
    "audit.warn": ("WARN", "ALERTE"),
    "audit.passed": ("Passed", "Sans anomalie"),
    "audit.everywhere": ("all lanes", "toutes les voies"),
    "audit.more": ("and in {n:# more cell|# more cells}", "et dans {n:# autre cellule|# autres cellules}"),
    "audit.not_audited": (
        "Not audited: these figures were not checked.",
        "Sans audit : ces chiffres n'ont pas été vérifiés.",
    ),
    "audit.theme.count": ("count", "comptage"),
    "audit.theme.rate": ("rate", "débit"),
    "audit.theme.time": ("time", "temps"),
    "audit.theme.ceiling": ("ceiling", "plafond"),
    "audit.theme.parity": ("parity", "parité"),
    "audit.theme.fairness": ("fairness", "équité"),
    "audit.theme.steady": ("steady", "stabilité"),
    "audit.theme.machine": ("machine", "machine"),
    "audit.theme.provenance": ("provenance", "provenance"),
    "audit.theme.base": ("base", "base"),
    "audit.theme.aa": ("aa", "base contre elle-même"),
    "audit.evidence": ("CEILING", "PLAFOND"),
    "audit.ceiling": ("tok/s max", "tok/s max"),
    "audit.share": ("share", "part"),
}

# Figures of findings that are words: reasons and parts.
FIGURES: dict[str, tuple[str, str]] = {
    "absent": ("no judge.json", "pas de judge.json"),
    "other_model": ("judge.json is about another model", "judge.json porte sur un autre modèle"),
    "other_workload": ("judge.json is about another workload", "judge.json porte sur un autre jeu d'entrées"),
    "run": ("run", "exécution"),
    "near deviations": ("standard deviations that count as near", "écarts types comptés comme proches"),
    "most positions": ("ids scored of a sequence", "identifiants notés par séquence"),
    "temperature": ("TEMPERATURE", "TEMPERATURE"),
    "top p": ("TOP_P", "TOP_P"),
    "sampling seed": ("the seed of sampling", "la graine du tirage"),
    "twice": ("there twice, with other figures", "présent deux fois, avec d'autres chiffres"),
    "near": ("near ids", "identifiants proches"),
    "places": ("more places than are drawn", "plus de places que n'en sont tirées"),
    "positions": ("number of ids", "nombre d'identifiants"),
    "left out": ("left out though there was time", "omises alors que le temps suffisait"),
    "nll": ("likelihood", "vraisemblance"),
    "surprisal": ("nats at the sampling temperature", "nats à la température du tirage"),
    "line": ("lanes that it speaks of", "voies dont il parle"),
    "sequences": ("number of sequences", "nombre de séquences"),
    "perplexity": ("perplexity", "perplexité"),
    "base": ("base", "base"),
    "equal": ("equal ids", "identifiants égaux"),
    "exact": ("exact answers", "réponses exactes"),
    "generation": ("whole generation", "génération entière"),
    "prefill": ("first token", "premier jeton"),
    "decode": ("decode steps", "étapes de décodage"),
    "lanes": ("lanes", "voies"),
    "candidates": ("candidates for the base", "candidates à la base"),
    "cells twice": ("Two records of one cell", "Deux enregistrements d'une même cellule"),
    "holes now and then": (
        "No figures of a cell that other trials measured",
        "Pas de chiffres d'une cellule que d'autres essais ont mesurée",
    ),
    "cells of another run": ("Other cells than were asked for", "D'autres cellules que celles demandées"),
    "e2e": ("the whole generation", "la génération entière"),
    "ttft": ("the first token", "le premier jeton"),
    "warm-up": ("the warm-up", "l'échauffement"),
    "energy": ("the pass for energy", "la passe d'énergie"),
    "cell": ("a cell", "une cellule"),
    "trial": ("a trial", "un essai"),
    "clock": ("the trial by its own clock", "l'essai selon sa propre horloge"),
    "passes": ("its passes", "ses passes"),
    "cells": ("its cells", "ses cellules"),
    "between": ("what stood between calls", "ce qu'il y a entre les appels"),
    "power cap": ("power cap", "plafond de puissance"),
    "governor": ("governor", "gouverneur"),
    "driver": ("driver", "pilote"),
    "model": ("model", "modèle"),
    "gpu": ("GPU", "GPU"),
    "version": ("version", "version"),
    "unknown": ("unknown", "inconnu"),
    "engine": ("engine", "moteur"),
    "environment": ("environment", "environnement"),
    "run's Python": ("the run's own Python", "le Python de l'exécution"),
    "runtime": ("runtime", "moteur d'exécution"),
    "the lane made no statement": ("the lane made no statement", "la voie n'a rien déclaré"),
    "the memory bandwidth of this machine was not measured": (
        "the memory bandwidth of this machine was not measured",
        "la bande passante mémoire de cette machine n'a pas été mesurée",
    ),
    "latency": ("latency", "latence"),
    "throughput": ("throughput", "débit"),
    "latency and throughput": ("latency and throughput", "latence ni débit"),
    "statement": ("statement", "déclaration"),
    "precision": ("precision", "précision"),
    "threads": ("threads", "fils d'exécution"),
    "prefix reuse": ("prefix reuse", "réemploi de préfixe"),
    "telemetry": ("telemetry", "télémétrie"),
    "engine_metrics": ("the engine's own times", "temps du moteur lui-même"),
    "profile": ("a profile", "profil"),
    "close": ("an orderly end", "fin en bon ordre"),
    "iterations": ("a timed call", "un appel chronométré"),
    "files": ("the digests of the model's files", "les empreintes des fichiers du modèle"),
    "sealed": ("what was fixed before", "ce qui était fixé avant"),
    "SM clock": ("SM clock", "fréquence SM"),
    "hw_slowdown": ("hw_slowdown", "par le matériel (hw_slowdown)"),
    "sw_thermal_slowdown": ("sw_thermal_slowdown", "par le pilote à cause de la chaleur (sw_thermal_slowdown)"),
    "hw_thermal_slowdown": ("hw_thermal_slowdown", "par le matériel à cause de la chaleur (hw_thermal_slowdown)"),
    "hw_power_brake_slowdown": ("hw_power_brake_slowdown", "par l'alimentation électrique (hw_power_brake_slowdown)"),
    "throttle reasons": ("throttle reasons", "raisons de bridage"),
    "GPU processes": ("GPU processes", "processus du GPU"),
    "GPU": ("GPU", "GPU"),
    "CPU": ("CPU", "processeur"),
    "swap": ("swap", "espace d'échange"),
    "memory": ("memory", "mémoire"),
    "weights": ("weights", "poids"),
    "CUDA graphs": ("CUDA graphs", "graphes CUDA"),
    "GPU use before": ("the GPU's use before the trial", "l'usage du GPU avant l'essai"),
    "memory bus width": ("memory bus width", "largeur du bus mémoire"),
    "memory clock": ("memory clock", "fréquence mémoire"),
    "uuid": ("identifier", "identifiant"),
    "CPU cache": ("CPU cache in bytes", "cache du processeur en octets"),
    "memory of the card": ("memory of the card in bytes", "mémoire de la carte en octets"),
    "compute_capability": ("compute capability", "capacité de calcul"),
    "digest": ("digest", "empreinte"),
    "config.json": ("config.json", "config.json"),
    "config": ("configuration", "configuration"),
    "architecture": ("architecture", "architecture"),
    "parameters": ("number of parameters", "nombre de paramètres"),
    "no record names the card": ("no record names the card", "aucun enregistrement ne nomme la carte"),
    "candidate level": ("the level of candidates", "le niveau des candidates"),
    "leave level": ("the level at which a lane leaves", "le niveau auquel une voie part"),
    "leave ratio": ("the ratio at which a lane leaves", "le rapport auquel une voie part"),
    "headline left": ("the lane of the headline never leaves", "la voie du résultat principal ne part jamais"),
    "rules keep it": (
        "by the run's own rules its trials keep it in the run",
        "selon les règles de l'exécution, ses essais l'y maintiennent",
    ),
    "ran on": ("it has later trials", "elle a des essais ultérieurs"),
    "other figures": (
        "its records give other figures than those noted",
        "ses enregistrements donnent d'autres chiffres que ceux qui sont notés",
    ),
}


class Said(NamedTuple):
    """What is said about a finding, and what to do about it; each in English and French."""

    sentence: tuple[str, str]
    advice: tuple[str, str]


FINDINGS: dict[str, Said] = {
    "count.new_ids": Said(
        sentence=(
            "{asked:# new id|# new ids} a row and {batch:# row|# rows} were asked for, {least:n} to {most:# id|# ids} in {rows:# row|# rows} came back after {prompt:# prompt id|# prompt ids} ({trials:which trial}).",
            "{asked:# nouvel identifiant|# nouveaux identifiants} par ligne et {batch:# ligne|# lignes} étaient demandés ; {least:n} à {most:# identifiant est revenu|# identifiants sont revenus} en {rows:# ligne|# lignes}, après {prompt:# identifiant|# identifiants} d'entrée ({trials:which trial}).",
        ),
        advice=(
            "Turn end-of-sequence off in the lane and count only new ids.",
            "Désactivez la fin de séquence dans la voie et ne comptez que les nouveaux identifiants.",
        ),
    ),
    "count.ids": Said(
        sentence=(
            "Ids outside of the vocabulary of {vocabulary:n} ({trials:which trial}).",
            "Des identifiants hors du vocabulaire de {vocabulary:n} ({trials:which trial}).",
        ),
        advice=("Look at how the lane reads its output buffer.", "Voyez comment la voie lit son tampon de sortie."),
    ),
    "count.prompt_returned": Said(
        sentence=(
            "The ids returned begin with the prompt ({trials:which trial}).",
            "Les identifiants rendus commencent par l'entrée ({trials:which trial}).",
        ),
        advice=(
            "Cut the prompt off: its tokens are no output.",
            "Retirez l'entrée : ses jetons ne sont pas une sortie.",
        ),
    ),
    "count.padding": Said(
        sentence=(
            "{share:p} of the ids are one id repeated to the end of the row: padding counted as output.",
            "{share:p} des identifiants sont un seul identifiant répété jusqu'au bout de la ligne : du remplissage compté comme sortie.",
        ),
        advice=(
            "Turn end-of-sequence off, so that every id is generated.",
            "Désactivez la fin de séquence, pour que chaque identifiant soit produit.",
        ),
    ),
    "count.iterations": Said(
        sentence=(
            "{asked:# timed call was|# timed calls were} asked for, a pass holds {least:n} ({trials:which trial}).",
            "{asked:# appel chronométré était demandé|# appels chronométrés étaient demandés}, une passe en a {least:n} ({trials:which trial}).",
        ),
        advice=(
            "Keep every iteration; none is dropped, however slow.",
            "Gardez chaque itération ; aucune n'est retirée, si lente soit-elle.",
        ),
    ),
    "rate.disagrees": Said(
        sentence=(
            "{raw:id}/s from raw sums, {printed:n} tok/s from the mean latency.",
            "{raw:id}/s d'après les sommes brutes, {printed:n} tok/s d'après la latence moyenne.",
        ),
        advice=(
            "Throughput is output tokens over wall time; count them again.",
            "Le débit est le nombre de jetons produits par seconde écoulée ; recomptez.",
        ),
    ),
    "time.window": Said(
        sentence=(
            "The calls of {part:word} add up to {calls:n} ms, what stood between them to {between:n} ms, and the pass took {window:n} ms ({trials:which trial}).",
            "Les appels pour {part:word} font {calls:n} ms, ce qu'il y a entre eux {between:n} ms, et la passe a duré {window:n} ms ({trials:which trial}).",
        ),
        advice=(
            "These are not the times that were taken in this pass; run again.",
            "Ce ne sont pas les temps relevés dans cette passe ; recommencez.",
        ),
    ),
    "time.between": Said(
        sentence=(
            "Between two calls of {part:word} stood {more:n} ms that nobody timed, in the other pass {less:n} ms ({trials:which trial}).",
            "Entre deux appels pour {part:word}, {more:n} ms ne sont dans aucun temps, contre {less:n} ms dans l'autre passe ({trials:which trial}).",
        ),
        advice=(
            "Nothing but our own few milliseconds may stand between calls; run again.",
            "Entre deux appels, il n'y a que nos quelques millisecondes ; recommencez.",
        ),
    ),
    "time.watched": Said(
        sentence=(
            "The CPU was watched for {watched:n} s beside passes that took {passes:n} s ({trials:which trial}).",
            "Le processeur a été observé {watched:n} s à côté de passes de {passes:n} s ({trials:which trial}).",
        ),
        advice=(
            "The passes of these trials did not take as long as they say; run again.",
            "Les passes de ces essais n'ont pas duré ce qu'elles disent ; recommencez.",
        ),
    ),
    "time.kind": Said(
        sentence=(
            "A call of {what:word} took {other:n} ms, a timed one {timed:n} ms ({trials:which trial}).",
            "Un appel pour {what:word} a duré {other:n} ms, un appel chronométré {timed:n} ms ({trials:which trial}).",
        ),
        advice=(
            "Both are the same work: one of the two was not timed as it ran, or something slowed it unseen. Run again.",
            "C'est le même travail : l'un des deux n'est pas chronométré tel quel, ou a été ralenti sans que rien ne le montre. Recommencez.",
        ),
    ),
    "time.excused": Said(
        sentence=(
            "Calls of {what:word} took longer than the timed ones, which only somebody else on the machine explains ({trials:which trial}).",
            "Des appels pour {what:word} ont duré plus que les appels chronométrés, ce que seule une autre activité sur la machine explique ({trials:which trial}).",
        ),
        advice=(
            "Run again on a quiet machine for a verdict that is not weak.",
            "Recommencez sur une machine calme pour un verdict qui ne soit pas faible.",
        ),
    ),
    "time.order": Said(
        sentence=(
            "Not one after the other within the time that they are part of: {what:word} ({trials:which trial}).",
            "Pas l'une après l'autre dans la durée qui les contient : {what:word} ({trials:which trial}).",
        ),
        advice=(
            "One process does one thing after the other: these clocks were changed. Run again.",
            "Un processus fait une chose après l'autre : ces horloges ont été changées. Recommencez.",
        ),
    ),
    "time.wall": Said(
        sentence=(
            "Times that do not fit: {what:word}, {timed:n} s where there were {seconds:n} s ({trials:which trial}).",
            "Durées incompatibles : {what:word}, {timed:n} s pour {seconds:n} s disponibles ({trials:which trial}).",
        ),
        advice=(
            "These times were not measured in these trials; run again.",
            "Ces temps n'ont pas été mesurés dans ces essais ; recommencez.",
        ),
    ),
    "time.unaccounted": Said(
        sentence=(
            "For {seconds:n} s of {of:n} s nothing is recorded: {what:word} ({trials:which trial}).",
            "Pour {seconds:n} s sur {of:n} s, rien n'est enregistré : {what:word} ({trials:which trial}).",
        ),
        advice=(
            "Something else ran there, or the trial was stopped for a while; run again.",
            "Autre chose a eu lieu là, ou l'essai a été suspendu ; recommencez.",
        ),
    ),
    "time.overlap": Said(
        sentence=(
            "Trial {trial:i} began {seconds:n} s before trial {other:i} of {other_lane:label}, which stands before it, had ended.",
            "L'essai {trial:i} a commencé {seconds:n} s avant la fin de l'essai {other:i} de {other_lane:label}, qui le précède.",
        ),
        advice=(
            "Trials that share the machine slow each other, and this program runs none together; run again.",
            "Des essais simultanés se ralentissent, et ce programme n'en lance jamais deux ensemble ; recommencez.",
        ),
    ),
    "time.unstamped": Said(
        sentence=(
            "Without the clocks beside its times: {what:word} ({trials:which trial}).",
            "Sans les horloges qui accompagnent les temps : {what:word} ({trials:which trial}).",
        ),
        advice=(
            "Run again with this version: these times can only be believed.",
            "Recommencez avec cette version : ces temps sont à croire sur parole.",
        ),
    ),
    "ceiling.generation": Said(
        sentence=(
            "A whole generation in {measured:n} ms where {weights} weights need {least:n} ms at least at {gbs:n} GB/s ({gb:n} GB, less what rounding or a cache may explain): {ratio:n} times the ceiling ({trials:which trial}).",
            "Une génération entière en {measured:n} ms alors que des poids {weights} demandent au moins {least:n} ms à {gbs:n} Go/s ({gb:n} Go, moins ce que l'arrondi ou un cache peut expliquer) : {ratio:n} fois le plafond ({trials:which trial}).",
        ),
        advice=(
            "Not possible on this card: check count, precision and the clock.",
            "Impossible sur cette carte : vérifiez compte, précision et chronomètre.",
        ),
    ),
    "ceiling.prefill": Said(
        sentence=(
            "A first token in {measured:n} ms where the prefill needs {least:n} ms at least at {gbs:n} GB/s ({gb:n} GB of {weights} weights, less what rounding or a cache may explain): {ratio:n} times the ceiling ({trials:which trial}).",
            "Un premier jeton en {measured:n} ms alors que le préremplissage demande au moins {least:n} ms à {gbs:n} Go/s ({gb:n} Go de poids {weights}, moins ce que l'arrondi ou un cache peut expliquer) : {ratio:n} fois le plafond ({trials:which trial}).",
        ),
        advice=(
            "Look for a cached prompt, or a clock that stops before the token is in host memory.",
            "Cherchez une entrée gardée en cache, ou un chronomètre arrêté avant que le jeton soit en mémoire hôte.",
        ),
    ),
    "ceiling.decode": Said(
        sentence=(
            "The decode steps took {measured:n} ms where {weights} weights need {least:n} ms at least at {gbs:n} GB/s ({gb:n} GB, less what rounding or a cache may explain): {ratio:n} times the ceiling ({trials:which trial}).",
            "Les étapes de décodage ont pris {measured:n} ms alors que des poids {weights} demandent au moins {least:n} ms à {gbs:n} Go/s ({gb:n} Go, moins ce que l'arrondi ou un cache peut expliquer) : {ratio:n} fois le plafond ({trials:which trial}).",
        ),
        advice=(
            "Not possible on this card: check count, precision and the clock.",
            "Impossible sur cette carte : vérifiez compte, précision et chronomètre.",
        ),
    ),
    "ceiling.measured": Said(
        sentence=(
            "{what:word}: {measured:n} ms where the bandwidth measured here, {gbs:n} GB/s, allows {least:n} ms at least for {gb:n} GB of {weights} weights and KV cache, less what rounding or a cache may explain: {ratio:n} times ({trials:which trial}).",
            "{what:word} : {measured:n} ms alors que la bande passante mesurée ici, {gbs:n} Go/s, permet au mieux {least:n} ms pour {gb:n} Go de poids {weights} et de cache KV, moins ce que l'arrondi ou un cache peut expliquer : {ratio:n} fois ({trials:which trial}).",
        ),
        advice=(
            "Part of the model stays in a cache, or the measured bandwidth is too low (a busy machine); run again.",
            "Une part du modèle reste en cache, ou la bande passante mesurée est trop basse (machine occupée) ; recommencez.",
        ),
    ),
    "ceiling.unknown": Said(
        sentence=(
            "No ceiling is known, so none was checked: {reason:word}.",
            "Aucun plafond n'est connu, donc aucun n'a été vérifié : {reason:word}.",
        ),
        advice=(
            "Give the card a row in cards.py, or take a model whose shape is known.",
            "Donnez une ligne à la carte dans cards.py, ou prenez un modèle de forme connue.",
        ),
    ),
    "ceiling.packed": Said(
        sentence=(
            "The checkpoint is quantised, and the lane states {precision}: the ceiling is that of {bits:n} bits a weight, so it is a high one.",
            "Le modèle enregistré est quantifié, et la voie déclare {precision} : le plafond est celui de {bits:n} bits par poids, donc haut.",
        ),
        advice=(
            "For a ceiling that says more, take a checkpoint that is not quantised, and PRECISION.",
            "Pour un plafond plus parlant, prenez un modèle non quantifié, et PRECISION.",
        ),
    ),
    "ceiling.no_peak": Said(
        sentence=(
            "The peak of {device} is not known: only memory bandwidth was checked.",
            "La puissance de calcul crête de {device} n'est pas connue : seule la bande passante mémoire a été vérifiée.",
        ),
        advice=("Give the card a row in cards.py.", "Donnez une ligne à la carte dans cards.py."),
    ),
    "ceiling.zero": Said(
        sentence=(
            "Times of zero or below ({trials:which trial}).",
            "Des temps nuls ou négatifs ({trials:which trial}).",
        ),
        advice=(
            "A step that fails must fail; delete these trials and run again.",
            "Une étape qui échoue doit échouer ; supprimez ces essais et recommencez.",
        ),
    ),
    "ceiling.same_times": Said(
        sentence=(
            "{times:# call|# calls} took {ns:n} ns each, to the last digit ({trials:which trial}).",
            "{times:# appel a|# appels ont} pris {ns:n} ns chacun, au dernier chiffre près ({trials:which trial}).",
        ),
        advice=(
            "No clock does that: these times were not measured; run again.",
            "Aucune horloge ne fait cela : ces temps n'ont pas été mesurés ; recommencez.",
        ),
    ),
    "ceiling.ttft_above_whole": Said(
        sentence=(
            "Every first token took longer ({ttft:n} ms at least) than any whole generation ({whole:n} ms at most; {trials:which trial}).",
            "Chaque premier jeton a pris plus de temps ({ttft:n} ms au moins) que toute génération entière ({whole:n} ms au plus ; {trials:which trial}).",
        ),
        advice=(
            "The two passes did not do the same work; look at what stops the clock.",
            "Les deux passes n'ont pas fait le même travail ; voyez ce qui arrête le chronomètre.",
        ),
    ),
    "ceiling.tpot_negative": Said(
        sentence=(
            "The mean first token takes {ttft:n} ms, the whole generation {whole:n} ms: no time per token follows.",
            "Le premier jeton prend en moyenne {ttft:n} ms, la génération entière {whole:n} ms : aucun temps par jeton n'en découle.",
        ),
        advice=(
            "Ask for more new tokens (NEW_TOKENS) or more iterations.",
            "Demandez plus de nouveaux jetons (NEW_TOKENS) ou plus d'itérations.",
        ),
    ),
    "parity.near": Said(
        sentence=(
            "{share:p} of {positions:the # judged id is|the # judged ids are} near the reference's first choice; {limit:p} is asked for ({trials:which trial}).",
            "Proches du premier choix de la référence : {share:p} sur {positions:# identifiant jugé|# identifiants jugés} ; {limit:p} sont exigés ({trials:which trial}).",
        ),
        advice=(
            "It computes another model: check weights, layers, rotary base and heads.",
            "Elle calcule un autre modèle : vérifiez poids, couches, base RoPE et têtes d'attention.",
        ),
    ),
    "parity.first": Said(
        sentence=(
            "{share:p} of {positions:the # judged first token is|the # judged first tokens are} near the reference's first choice; of so few, {limit:p} is asked for ({trials:which trial}).",
            "Proches du premier choix de la référence : {share:p} sur {positions:# premier jeton jugé|# premiers jetons jugés} ; pour si peu, {limit:p} sont exigés ({trials:which trial}).",
        ),
        advice=(
            "The pass of first tokens computes something else than the whole generation: look at how it asks for one token.",
            "La passe des premiers jetons calcule autre chose que la génération entière : voyez comment elle demande un seul jeton.",
        ),
    ),
    "parity.sampled": Said(
        sentence=(
            "The sampled ids of {part:word} are {gap:# nat|# nats} an id off what the model's distribution gives ({trials:which trial}).",
            "Les identifiants tirés ({part:word}) sont à {gap:# nat|# nats} par identifiant de ce que donne la distribution du modèle ({trials:which trial}).",
        ),
        advice=("Check temperature, top-p, top-k and the model.", "Vérifiez température, top-p, top-k et modèle."),
    ),
    "parity.quantised": Said(
        sentence=(
            "{share:p} of the judged ids are near the reference's first choice; {limit:p} is asked for with these weights, and random weights prove nothing.",
            "{share:p} des identifiants jugés sont proches du premier choix de la référence ; {limit:p} sont exigés avec ces poids, et des poids aléatoires ne prouvent rien.",
        ),
        advice=(
            "Judge quantised lanes on a real model; calibrate again if it fails there.",
            "Jugez les voies quantifiées sur un vrai modèle ; recalibrez si elles y échouent.",
        ),
    ),
    "parity.same_answer": Said(
        sentence=(
            "{calls:# different prompt|# different prompts} got the very same ids ({trials:which trial}).",
            "{calls:# entrée différente a|# entrées différentes ont} reçu exactement les mêmes identifiants ({trials:which trial}).",
        ),
        advice=(
            "Answers are kept, or nothing is computed; if the model really says so, take another.",
            "Les réponses sont gardées, ou rien n'est calculé ; si le modèle répond vraiment ainsi, prenez-en un autre.",
        ),
    ),
    "parity.unstable": Said(
        sentence=(
            "Greedy ids differ between trials ({share:p} are equal).",
            "Les identifiants du décodage glouton diffèrent d'un essai à l'autre ({share:p} sont égaux).",
        ),
        advice=(
            "Nothing, if the lane adds up in no fixed order; else look for what is not initialised.",
            "Rien, si la voie additionne sans ordre fixe ; sinon cherchez ce qui n'est pas initialisé.",
        ),
    ),
    "parity.unscored": Said(
        sentence=(
            "What it returned was not judged: {part:word} ({trials:which trial}).",
            "Ce qu'elle a rendu n'a pas été jugé : {part:word} ({trials:which trial}).",
        ),
        advice=(
            "Run the judge again: python3 -m trtbench.bench --resume.",
            "Relancez le juge : python3 -m trtbench.bench --resume.",
        ),
    ),
    "parity.changed": Said(
        sentence=(
            "Its ids are not those that were judged ({trials:which trial}).",
            "Ses identifiants ne sont pas ceux qui ont été jugés ({trials:which trial}).",
        ),
        advice=(
            "Fetch the original records, or have these judged: python3 -m trtbench.bench --resume.",
            "Reprenez les enregistrements d'origine, ou faites juger ceux-ci : python3 -m trtbench.bench --resume.",
        ),
    ),
    "parity.gone": Said(
        sentence=(
            "{of:label} ({precision}): {trials:which trial}, judged and no longer among the records.",
            "Jugement sans enregistrement : {of:label} ({precision}), {trials:which trial}.",
        ),
        advice=(
            "Put the records back; a trial that displeases stays.",
            "Remettez les enregistrements ; un essai qui déplaît reste.",
        ),
    ),
    "parity.homeless": Said(
        sentence=(
            "{scores:# score is|# scores are} of ids that no record holds.",
            "{scores:# note porte|# notes portent} sur des identifiants qu'aucun enregistrement ne contient.",
        ),
        advice=(
            "Fetch the original records, or delete judge.json and have the run judged again: python3 -m trtbench.bench --resume.",
            "Reprenez les enregistrements d'origine, ou supprimez judge.json et faites juger l'exécution à nouveau : python3 -m trtbench.bench --resume.",
        ),
    ),
    "parity.judgement": Said(
        sentence=(
            "judge.json does not belong to this run ({what:word}: {found} instead of {wanted}).",
            "judge.json n'est pas celui de cette exécution ({what:word} : {found} au lieu de {wanted}).",
        ),
        advice=(
            "Delete judge.json and have the run judged again: python3 -m trtbench.bench --resume.",
            "Supprimez judge.json et faites juger l'exécution à nouveau : python3 -m trtbench.bench --resume.",
        ),
    ),
    "parity.score": Said(
        sentence=(
            "{scores:# score of the judge|# scores of the judge} can't be: {what:word}.",
            "{scores:# note du juge est impossible|# notes du juge sont impossibles} : {what:word}.",
        ),
        advice=(
            "Delete judge.json and have the run judged again: python3 -m trtbench.bench --resume.",
            "Supprimez judge.json et faites juger l'exécution à nouveau : python3 -m trtbench.bench --resume.",
        ),
    ),
    "parity.lines": Said(
        sentence=(
            "What the judge says of it does not follow from its scores and the ids: {what:word}.",
            "Ce que le juge en dit ne découle ni de ses notes ni des identifiants : {what:word}.",
        ),
        advice=(
            "Delete judge.json and have the run judged again: python3 -m trtbench.bench --resume.",
            "Supprimez judge.json et faites juger l'exécution à nouveau : python3 -m trtbench.bench --resume.",
        ),
    ),
    "parity.earlier": Said(
        sentence=(
            "What the judge says of it can't be checked: an earlier program did not say which trials it looked at ({what:word}).",
            "Ce que le juge en dit ne peut être vérifié : un programme antérieur n'a pas noté quels essais le juge a vus ({what:word}).",
        ),
        advice=(
            "Have the run judged again: python3 -m trtbench.bench --resume.",
            "Faites juger l'exécution à nouveau : python3 -m trtbench.bench --resume.",
        ),
    ),
    "parity.absent": Said(
        sentence=(
            "Nobody judged what the lanes returned: {reason:word}.",
            "Personne n'a jugé ce que les voies ont rendu : {reason:word}.",
        ),
        advice=(
            "Run the judge where torch and transformers are: bench.py does it after the trials.",
            "Lancez le juge là où sont torch et transformers : bench.py le fait après les essais.",
        ),
    ),
    "fairness.workload": Said(
        sentence=(
            "Workload {found} instead of {wanted} ({trials:which trial}).",
            "Jeu d'entrées {found} au lieu de {wanted} ({trials:which trial}).",
        ),
        advice=(
            "Compare only trials with the same prompts, cells and sampling.",
            "Ne comparez que des essais aux mêmes entrées, cellules et tirages.",
        ),
    ),
    "fairness.prompts": Said(
        sentence=(
            "Other prompt ids were handed over than the workload's ({trials:which trial}).",
            "D'autres identifiants d'entrée que ceux du jeu d'entrées ont été remis ({trials:which trial}).",
        ),
        advice=("Run these trials again.", "Refaites ces essais."),
    ),
    "fairness.unmade": Said(
        sentence=(
            "A pass has more than {most:# prompt id|# prompt ids}, the most that are made again: whether the workload's were handed over is not known ({trials:which trial}).",
            "Une passe a plus de {most:# identifiant|# identifiants} d'entrée, le maximum qui est refait : on ignore si ceux du jeu d'entrées ont été remis ({trials:which trial}).",
        ),
        advice=(
            "Take it as unproven, or measure smaller cells (BATCH_SIZES, PROMPT_LENGTHS, NUM_ITERATIONS).",
            "Tenez-le pour non prouvé, ou mesurez de plus petites cellules (BATCH_SIZES, PROMPT_LENGTHS, NUM_ITERATIONS).",
        ),
    ),
    "fairness.model": Said(
        sentence=(
            "Model {found} instead of {wanted} ({trials:which trial}).",
            "Modèle {found} au lieu de {wanted} ({trials:which trial}).",
        ),
        advice=("Compare only trials of the same weights.", "Ne comparez que des essais aux mêmes poids."),
    ),
    "fairness.precision": Said(
        sentence=(
            "{asked} was asked for, the lane says {found} ({trials:which trial}).",
            "{asked} était demandé, la voie annonce {found} ({trials:which trial}).",
        ),
        advice=(
            "Compare lanes in the precision that they say they run.",
            "Comparez les voies dans la précision qu'elles annoncent.",
        ),
    ),
    "fairness.weights": Said(
        sentence=(
            "It says {precision} and holds {held:n} MB of weights; these would take {least:n} MB ({trials:which trial}).",
            "La voie annonce {precision} et détient {held:n} Mo de poids ; dans cette précision, ils prendraient {least:n} Mo ({trials:which trial}).",
        ),
        advice=("Find out what precision is really stored.", "Trouvez quelle précision est vraiment stockée."),
    ),
    "fairness.settings": Said(
        sentence=(
            "{name} was {found} instead of {wanted} ({trials:which trial}).",
            "{name} valait {found} au lieu de {wanted} ({trials:which trial}).",
        ),
        advice=("Run all lanes with the same settings.", "Mesurez toutes les voies avec les mêmes réglages."),
    ),
    "fairness.threads": Said(
        sentence=(
            "Threads: {found} instead of {wanted} ({trials:which trial}).",
            "Fils d'exécution : {found} au lieu de {wanted} ({trials:which trial}).",
        ),
        advice=("Set THREADS and see that the lane obeys.", "Fixez THREADS et voyez si la voie obéit."),
    ),
    "fairness.cards": Said(
        sentence=(
            "Cards that it says it split the model over (on a CPU, processes): {found:i}; TP_SIZE asks for {wanted:i} ({trials:which trial}).",
            "Cartes sur lesquelles la voie déclare avoir réparti le modèle (sur CPU, processus) : {found:i} ; TP_SIZE en demande {wanted:i} ({trials:which trial}).",
        ),
        advice=(
            "Compare lanes over equally many cards: see that the lane obeys TP_SIZE.",
            "Comparez des voies sur autant de cartes : voyez si la voie obéit à TP_SIZE.",
        ),
    ),
    "fairness.more_cards": Said(
        sentence=(
            "Cards in its record: {found:i}; TP_SIZE asks for {wanted:i}, and each card raises the ceiling ({trials:which trial}).",
            "Cartes dans son enregistrement : {found:i} ; TP_SIZE en demande {wanted:i}, et chaque carte relève le plafond ({trials:which trial}).",
        ),
        advice=(
            "Run it again with TP_SIZE set to the cards that compute.",
            "Recommencez en donnant à TP_SIZE le nombre de cartes qui calculent.",
        ),
    ),
    "fairness.idle_card": Said(
        sentence=(
            "Of its cards, number {place:i} took {least:n} MB and another one {most:n} MB ({trials:which trial}): it held hardly a part of the model.",
            "Parmi ses cartes, la {place:i} a pris {least:n} Mo et une autre {most:n} Mo ({trials:which trial}) : elle ne tenait presque rien du modèle.",
        ),
        advice=(
            "Find out whether the lane splits the model; if it does not, leave it out or set TP_SIZE=1.",
            "Vérifiez que la voie répartit le modèle ; sinon, écartez-la ou mettez TP_SIZE=1.",
        ),
    ),
    "fairness.device": Said(
        sentence=(
            "It ran on {found} instead of {wanted} ({trials:which trial}).",
            "Appareil : {found} au lieu de {wanted} ({trials:which trial}).",
        ),
        advice=("Compare lanes on the same device (DEVICE).", "Comparez les voies sur le même appareil (DEVICE)."),
    ),
    "fairness.machine": Said(
        sentence=(
            "Trials of another machine: {found} instead of {wanted} ({trials:which trial}).",
            "Des essais d'une autre machine : {found} au lieu de {wanted} ({trials:which trial}).",
        ),
        advice=(
            "Compare only what one machine measured in one run.",
            "Ne comparez que ce qu'une machine a mesuré en une exécution.",
        ),
    ),
    "fairness.reuse": Said(
        sentence=(
            "Prefix or block reuse was on, or blocks of earlier calls were reused ({trials:which trial}).",
            "Le réemploi de préfixe ou de blocs était actif, ou des blocs d'appels antérieurs ont été réemployés ({trials:which trial}).",
        ),
        advice=(
            "Turn it off: work that is not done cannot be timed.",
            "Désactivez-le : un travail qui n'est pas fait ne se chronomètre pas.",
        ),
    ),
    "fairness.setting": Said(
        sentence=(
            "{setting}={wanted} was chosen before the first trial, and it was timed with another value ({trials:which trial}).",
            "{setting}={wanted} a été choisi avant le premier essai, et la mesure a eu lieu avec une autre valeur ({trials:which trial}).",
        ),
        advice=(
            "Run the lane again: all of its trials use the setting that was found.",
            "Relancez la voie : tous ses essais prennent le réglage qui a été trouvé.",
        ),
    ),
    "fairness.choice": Said(
        sentence=(
            "{setting}={found} was taken, and what was tried speaks for {wanted}.",
            "{setting}={found} a été retenu, alors que les mesures préalables plaident pour {wanted}.",
        ),
        advice=(
            "Take no figure of this lane: start a new run.",
            "Ne tirez aucun chiffre de cette voie : commencez une nouvelle exécution.",
        ),
    ),
    "fairness.offered": Said(
        sentence=(
            "{values:# value|# values} of a setting were tried for this lane; any lane is offered {most:# value|# values} at most.",
            "{values:# valeur d'un réglage a été essayée|# valeurs d'un réglage ont été essayées} pour cette voie ; chaque voie en reçoit {most:# valeur|# valeurs} au plus.",
        ),
        advice=(
            "Offer every lane the same.",
            "Offrez la même chose à chaque voie.",
        ),
    ),
    "fairness.graphs": Said(
        sentence=(
            "CUDA graphs are on here and off in {base:label}.",
            "Les graphes CUDA sont actifs ici et inactifs dans {base:label}.",
        ),
        advice=(
            "Nothing: read the speed-up as one that includes them, or add a PyTorch lane with graphs.",
            "Rien : lisez l'accélération comme les incluant, ou ajoutez une voie PyTorch à graphes.",
        ),
    ),
    "fairness.no_workload": Said(
        sentence=(
            "workload.json is absent: whether every lane got the prompts of the workload was not checked, only whether all got the same; nor was whether any returned its prompt.",
            "workload.json est absent : il n'a pas été vérifié que chaque voie a reçu les entrées du jeu d'entrées, seulement que toutes ont reçu les mêmes, ni qu'aucune n'a rendu son entrée.",
        ),
        advice=(
            "Put the run's workload.json back, or take the prompts on trust.",
            "Remettez le workload.json de l'exécution, ou faites confiance pour les entrées.",
        ),
    ),
    "fairness.unstated": Said(
        sentence=("The lane does not say: {what:word}.", "La voie ne dit pas : {what:word}."),
        advice=("Take it as unproven.", "Tenez-le pour non prouvé."),
    ),
    "steady.drift": Said(
        sentence=(
            "Times change by {change:p} through the iterations ({trials:which trial}).",
            "Les temps changent de {change:p} au fil des itérations ({trials:which trial}).",
        ),
        advice=(
            "Let the machine cool or warm up longer (WARMUP_LIMIT).",
            "Laissez la machine refroidir ou s'échauffer plus longtemps (WARMUP_LIMIT).",
        ),
    ),
    "steady.first": Said(
        sentence=(
            "The first timed call takes {ratio:x} the time of the others ({trials:which trial}).",
            "Le premier appel chronométré prend {ratio:r} fois le temps des autres ({trials:which trial}).",
        ),
        advice=("Raise WARMUP_LIMIT.", "Augmentez WARMUP_LIMIT."),
    ),
    "steady.first_busy": Said(
        sentence=(
            "The first timed call takes {ratio:x} the time of the others, and other processes were at work meanwhile ({trials:which trial}).",
            "Le premier appel chronométré prend {ratio:r} fois le temps des autres, et d'autres processus travaillaient alors ({trials:which trial}).",
        ),
        advice=(
            "Close what else runs, and run again; a longer warm-up would change nothing.",
            "Fermez ce qui tourne à côté et recommencez ; un échauffement plus long n'y changerait rien.",
        ),
    ),
    "steady.compile": Said(
        sentence=(
            "Call {call:i} of {part:word} takes {ratio:n} times the median in {n:n} of {of:trial}: compilation inside the clock.",
            "L'appel {call:i} ({part:word}) prend {ratio:n} fois la médiane dans {n:# essai|# essais} sur {of:n} : une compilation sous le chronomètre.",
        ),
        advice=(
            "Warm up with the same shapes, so that it compiles before.",
            "Échauffez avec les mêmes formes, pour que la compilation ait lieu avant.",
        ),
    ),
    "steady.unsettled": Said(
        sentence=(
            "The warm-up had not settled when the clock started ({trials:which trial} of {of:n}).",
            "L'échauffement n'était pas stable au départ du chronomètre ({trials:which trial} sur {of:n}).",
        ),
        advice=("Raise WARMUP_LIMIT.", "Augmentez WARMUP_LIMIT."),
    ),
    "steady.no_warmup": Said(
        sentence=(
            "No warm-up is recorded ({trials:which trial}).",
            "Aucun échauffement n'est enregistré ({trials:which trial}).",
        ),
        advice=(
            "Take the first timed calls for cold ones, or run again.",
            "Tenez les premiers appels chronométrés pour froids, ou recommencez.",
        ),
    ),
    "steady.outliers": Said(
        sentence=(
            "{mine:n} of {n:# call|# calls} {mine:is an outlier|are outliers} here, {theirs:n} of {m:n} in {base:label}: the interval may be too narrow.",
            "{mine:# appel|# appels} sur {n:n} {mine:est aberrant|sont aberrants} ici, {theirs:n} sur {m:n} dans {base:label} : l'intervalle est peut-être trop étroit.",
        ),
        advice=("More trials, on a quiet machine.", "Plus d'essais, sur une machine calme."),
    ),
    "steady.trials": Said(
        sentence=(
            "The trials differ more than the calls within them: their means lie up to {spread:p} apart (trial {fastest:i} is the fastest, trial {slowest:i} the slowest).",
            "Les essais diffèrent plus entre eux que les appels d'un même essai : leurs moyennes s'écartent de {spread:p} au plus (l'essai {fastest:i} est le plus rapide, l'essai {slowest:i} le plus lent).",
        ),
        advice=(
            "Each process may have made other choices, for example of kernels when it compiled: compare the logs of these two trials, and run more trials.",
            "Chaque processus a pu faire d'autres choix, par exemple de noyaux à la compilation : comparez les journaux de ces deux essais et lancez davantage d'essais.",
        ),
    ),
    "machine.throttled": Said(
        sentence=(
            "The GPU was throttled: {reasons:word} ({trials:which trial}).",
            "Le GPU a été bridé : {reasons:word} ({trials:which trial}).",
        ),
        advice=(
            "Cool it, or set a lower power cap that it can hold.",
            "Refroidissez-le, ou fixez un plafond de puissance qu'il peut tenir.",
        ),
    ),
    "machine.clock": Said(
        sentence=(
            "SM clock {mhz:n} MHz where the median is {middle:n} MHz ({trials:which trial}).",
            "Fréquence SM de {mhz:n} MHz pour une médiane de {middle:n} MHz ({trials:which trial}).",
        ),
        advice=(
            "Lock the clocks (nvidia-smi -lgc), or let the card cool.",
            "Verrouillez les fréquences (nvidia-smi -lgc), ou laissez refroidir la carte.",
        ),
    ),
    "machine.neighbour": Said(
        sentence=(
            "{processes:# other process was|# other processes were} on the GPU ({trials:which trial}).",
            "{processes:# autre processus était|# autres processus étaient} sur le GPU ({trials:which trial}).",
        ),
        advice=("End them, or take a card of your own.", "Arrêtez-les, ou prenez une carte pour vous seul."),
    ),
    "machine.busy": Said(
        sentence=(
            "Other processes used {share:p} of the CPU meanwhile ({trials:which trial}).",
            "D'autres processus ont pris {share:p} du processeur pendant ce temps ({trials:which trial}).",
        ),
        advice=("End them and run again.", "Arrêtez-les et recommencez."),
    ),
    "machine.disturbed": Said(
        sentence=(
            "{trials:Trial # was disturbed by others, was not run again and counts|Trials # were disturbed by others, were not run again and count}.",
            "{trials:L'essai #, perturbé par d'autres, n'a pas été refait et compte|Les essais #, perturbés par d'autres, n'ont pas été refaits et comptent}.",
        ),
        advice=(
            "End what else runs, and go on with --resume: what was disturbed is run again.",
            "Arrêtez ce qui tourne à côté, puis reprenez avec --resume : ce qui a été perturbé est refait.",
        ),
    ),
    "machine.changed": Said(
        sentence=(
            "The {what:word} changed between trials: {values}.",
            "Changement entre les essais ({what:word}) : {values}.",
        ),
        advice=("Fix it and run all lanes again.", "Fixez-le et mesurez à nouveau toutes les voies."),
    ),
    "machine.swap": Said(
        sentence=(
            "Swap grew by {mib:n} MiB ({trials:which trial}).",
            "L'espace d'échange utilisé a augmenté de {mib:n} Mio ({trials:which trial}).",
        ),
        advice=("Free memory, or lower BATCH_SIZES.", "Libérez de la mémoire, ou baissez BATCH_SIZES."),
    ),
    "machine.unwatched": Said(
        sentence=(
            "Not watched: {what:word} ({trials:which trial}).",
            "Non observé : {what:word} ({trials:which trial}).",
        ),
        advice=(
            "Install nvidia-ml-py, or take the figures as unguarded.",
            "Installez nvidia-ml-py, ou considérez ces chiffres comme non surveillés.",
        ),
    ),
    "provenance.simulated": Said(
        sentence=(
            "A stand-in for tests made these figures ({trials:which trial}).",
            "Une doublure de test a fait ces chiffres ({trials:which trial}).",
        ),
        advice=("Run the real engine.", "Lancez le vrai moteur."),
    ),
    "provenance.runtime": Said(
        sentence=(
            "The lane says that it ran in {found}; this lane runs in {wanted} ({trials:which trial}).",
            "La voie dit avoir tourné dans {found} ; cette voie tourne dans {wanted} ({trials:which trial}).",
        ),
        advice=(
            "Take no figure of this lane: another engine made it.",
            "Ne tirez aucun chiffre de cette voie : un autre moteur l'a produit.",
        ),
    ),
    "provenance.announced": Said(
        sentence=(
            "{found} announced itself in the log, which is another lane's engine ({trials:which trial}).",
            "{found} s'est annoncé dans le journal : c'est le moteur d'une autre voie ({trials:which trial}).",
        ),
        advice=(
            "Take no figure of this lane: another engine made it.",
            "Ne tirez aucun chiffre de cette voie : un autre moteur l'a produit.",
        ),
    ),
    "provenance.library": Said(
        sentence=(
            "The lane states {name} {found}, and {wanted} was installed or announced itself ({trials:which trial}).",
            "La voie indique {name} {found}, alors que {wanted} était installé ou s'est annoncé ({trials:which trial}).",
        ),
        advice=(
            "Find out which one ran, and run again.",
            "Trouvez laquelle a tourné, et recommencez.",
        ),
    ),
    "provenance.not_installed": Said(
        sentence=(
            "What was installed does not list {name}: its version is the lane's word ({trials:which trial}).",
            "La liste de ce qui était installé ne contient pas {name} : sa version n'est que la parole de la voie ({trials:which trial}).",
        ),
        advice=("Take it as unproven.", "Tenez-la pour non prouvée."),
    ),
    "provenance.artefact": Said(
        sentence=(
            "The lane does not say from which model and version its engine was built ({trials:which trial}).",
            "La voie ne dit pas de quel modèle et avec quelle version son moteur a été construit ({trials:which trial}).",
        ),
        advice=(
            "Build the engine again (scripts/build_engine.sh).",
            "Reconstruisez le moteur (scripts/build_engine.sh).",
        ),
    ),
    "provenance.card": Said(
        sentence=(
            "{what:word}: {found:word} by the lane or by telemetry, {wanted:word} by the description of the machine ({trials:which trial}).",
            "{what:word} : {found:word} d'après la voie ou la télémétrie, {wanted:word} d'après la description de la machine ({trials:which trial}).",
        ),
        advice=(
            "Show the run one card only (CUDA_VISIBLE_DEVICES), and run again.",
            "Ne montrez qu'une carte à l'exécution (CUDA_VISIBLE_DEVICES), et recommencez.",
        ),
    ),
    "provenance.cards": Said(
        sentence=(
            "{what:word}: {one} in some trials and {other} in others.",
            "{what:word} : {one} dans certains essais et {other} dans d'autres.",
        ),
        advice=(
            "Run all lanes on one card of one machine.",
            "Mesurez toutes les voies sur une seule carte d'une seule machine.",
        ),
    ),
    "provenance.machine": Said(
        sentence=(
            "The machine is called {found}, and what is said of it makes {wanted} ({trials:which trial}).",
            "La machine s'appelle {found}, et ce qui en est dit donne {wanted} ({trials:which trial}).",
        ),
        advice=("Fetch the original, or run again.", "Reprenez l'original, ou recommencez."),
    ),
    "provenance.config": Said(
        sentence=(
            "The model's {what:word} does not follow from its files ({trials:which trial}).",
            "Pour le modèle, ceci ne découle pas de ses fichiers : {what:word} ({trials:which trial}).",
        ),
        advice=(
            "Take no ceiling and no figure of it: fetch the original, or run again.",
            "N'en tirez ni plafond ni chiffre : reprenez l'original, ou recommencez.",
        ),
    ),
    "provenance.config_unknown": Said(
        sentence=(
            "The text of config.json and the digests of the model's files are not all in the records: its shape, and so the ceiling, is taken on trust.",
            "Le texte de config.json et les empreintes des fichiers du modèle ne sont pas tous dans les enregistrements : sa forme, donc le plafond, repose sur la confiance.",
        ),
        advice=(
            "Run again with this version; a config.json of over 20,000 characters is not recorded, nor handed on with a name in it.",
            "Recommencez avec cette version ; un config.json de plus de 20 000 caractères n'est pas enregistré, ni transmis s'il contient un nom.",
        ),
    ),
    "provenance.schema": Said(
        sentence=(
            "Schema version {found:i} instead of {wanted:i} ({trials:which trial}).",
            "Version de schéma {found:i} au lieu de {wanted:i} ({trials:which trial}).",
        ),
        advice=(
            "Compare with the version of this program that wrote it.",
            "Comparez avec la version de ce programme qui l'a écrit.",
        ),
    ),
    "provenance.old": Said(
        sentence=(
            "Recorded before schema 2 (it has {schema:i}); not checked: who disturbed a trial, which lanes left early, what the run was opened with.",
            "Enregistré avant le schéma 2 (ici {schema:i}) ; non vérifié : qui a perturbé un essai, quelles voies sont parties avant la fin, avec quelles règles l'exécution a commencé.",
        ),
        advice=("Run again with this version.", "Recommencez avec cette version."),
    ),
    "provenance.rules": Said(
        sentence=(
            "Disturbed trials were told by the limit {name}={found:n}; this program's is {wanted:n}.",
            "Les essais perturbés ont été jugés avec la limite {name}={found:n} ; celle de ce programme est de {wanted:n}.",
        ),
        advice=("Run again with this version.", "Recommencez avec cette version."),
    ),
    "provenance.disturbed": Said(
        sentence=(
            "Whether others disturbed it: record and telemetry differ ({trials:which trial}).",
            "Perturbé par d'autres ou non : l'enregistrement et la télémétrie diffèrent ({trials:which trial}).",
        ),
        advice=("Fetch the original, or run again.", "Reprenez l'original, ou recommencez."),
    ),
    "provenance.changed": Said(
        sentence=("Changed after it was written: {file}.", "Modifié après écriture : {file}."),
        advice=("Fetch the original, or run again.", "Reprenez l'original, ou recommencez."),
    ),
    "provenance.mixed": Said(
        sentence=(
            "Trials of other runs: {runs} ({trials:which trial}).",
            "Des essais d'autres exécutions : {runs} ({trials:which trial}).",
        ),
        advice=("Run all lanes interleaved in one run.", "Mesurez toutes les voies entrelacées en une exécution."),
    ),
    "provenance.not_interleaved": Said(
        sentence=("Not interleaved with the other lanes.", "Non entrelacée avec les autres voies."),
        advice=(
            "Run all lanes in one run (scripts/run_all.sh).",
            "Mesurez toutes les voies en une exécution (scripts/run_all.sh).",
        ),
    ),
    "provenance.engine": Said(
        sentence=(
            "The engine's {what:word} is {found}, here it is {wanted}.",
            "Pour le moteur ({what:word}) : {found} ; ici : {wanted}.",
        ),
        advice=(
            "Build the engine again (scripts/build_engine.sh).",
            "Reconstruisez le moteur (scripts/build_engine.sh).",
        ),
    ),
    "provenance.versions": Said(
        sentence=(
            "{name:word} is {one:word} in some trials and {other:word} in others ({trials:which trial}).",
            "{name:word} : {one:word} dans certains essais, {other:word} dans d'autres ({trials:which trial}).",
        ),
        advice=(
            "Do not update in the middle of a run; run again.",
            "Pas de mise à jour au milieu d'une exécution ; recommencez.",
        ),
    ),
    "provenance.environment": Said(
        sentence=(
            "It ran in {found}, which is no environment of this lane's ({trials:which trial}).",
            "Elle a tourné dans {found}, qui n'est pas un environnement de cette voie ({trials:which trial}).",
        ),
        advice=(
            "This lane runs in the run's own Python or in its own environment; run again.",
            "Cette voie tourne dans le Python de l'exécution ou dans son propre environnement ; recommencez.",
        ),
    ),
    "provenance.shared": Said(
        sentence=(
            "In {environment:word} {name:word} is {found} for this lane and {wanted} for {other_lane:label}.",
            "Dans {environment:word}, {name:word} : {found} pour cette voie, {wanted} pour {other_lane:label}.",
        ),
        advice=(
            "Something was installed after some of the lanes had run, or another Python ran them: run them together again.",
            "Quelque chose a été installé une fois certaines voies mesurées, ou un autre Python les a fait tourner : refaites-les ensemble.",
        ),
    ),
    "provenance.copied": Said(
        sentence=(
            "The times of trial {trial:i} are those of trial {other:i} of {other_lane:label} times {factor:n}.",
            "Les temps de l'essai {trial:i} sont ceux de l'essai {other:i} de {other_lane:label}, multipliés par {factor:n}.",
        ),
        advice=("These times were not measured; run again.", "Ces temps n'ont pas été mesurés ; recommencez."),
    ),
    "provenance.gap": Said(
        sentence=("{missing:Trial # is|Trials # are} missing.", "{missing:L'essai # manque|Les essais # manquent}."),
        advice=(
            "Keep every trial; run what is missing with --resume.",
            "Gardez chaque essai ; complétez avec --resume.",
        ),
    ),
    "provenance.attempts": Said(
        sentence=(
            "{trials:An attempt at trial # is missing or there twice|Attempts at trials # are missing or there twice}.",
            "{trials:Une tentative de l'essai # manque ou existe en double|Des tentatives des essais # manquent ou existent en double}.",
        ),
        advice=(
            "Keep every attempt, also those that failed or were disturbed.",
            "Gardez chaque tentative, même échouée ou perturbée.",
        ),
    ),
    "provenance.retried": Said(
        sentence=(
            "{trials:Trial # was run again though it|Trials # were run again though they} had succeeded undisturbed.",
            "{trials:L'essai # a été refait alors qu'il avait réussi sans être perturbé|Les essais # ont été refaits alors qu'ils avaient réussi sans être perturbés}.",
        ),
        advice=(
            "Keep the first; a trial is not repeated until it pleases.",
            "Gardez le premier ; un essai n'est pas répété jusqu'à ce qu'il plaise.",
        ),
    ),
    "provenance.position": Said(
        sentence=(
            "{missing:Place # of the run holds no record|Places # of the run hold no records}: every attempt left one, also a failed one.",
            "{missing:La place # de l'exécution n'a pas d'enregistrement|Les places # de l'exécution n'ont pas d'enregistrement} : chaque tentative en a laissé un, même échouée.",
        ),
        advice=(
            "Fetch what was taken away, or run again.",
            "Reprenez ce qui a été retiré, ou recommencez.",
        ),
    ),
    "provenance.twice": Said(
        sentence=(
            "{places:Place # of the run holds two records|Places # of the run hold two records each}.",
            "{places:La place # de l'exécution a deux enregistrements|Les places # de l'exécution ont deux enregistrements chacune}.",
        ),
        advice=("Fetch the original, or run again.", "Reprenez l'original, ou recommencez."),
    ),
    "provenance.rounds": Said(
        sentence=(
            "The run says that it ended after {told:round}; there are trials of {found:i}.",
            "L'exécution dit s'être terminée après {told:round} ; il y a des essais de {found:round}.",
        ),
        advice=(
            "Keep every trial; run what is missing with --resume.",
            "Gardez chaque essai ; complétez avec --resume.",
        ),
    ),
    "provenance.cells": Said(
        sentence=("{what:word} ({trials:which trial}).", "{what:word} ({trials:which trial})."),
        advice=("Fetch the original, or run again.", "Reprenez l'original, ou recommencez."),
    ),
    "provenance.failed": Said(
        sentence=(
            "{trials:Trial # is said to have failed and holds|Trials # are said to have failed and hold} what only a finished one has.",
            "{trials:L'essai # aurait échoué, mais contient|Les essais # auraient échoué, mais contiennent} ce que seul un essai terminé peut contenir.",
        ),
        advice=(
            "A trial that was merely slow counts: fetch the original, or run again.",
            "Un essai simplement lent compte : reprenez l'original, ou recommencez.",
        ),
    ),
    "provenance.lane": Said(
        sentence=(
            "It was to run; there is no trial of it, and no reason why not.",
            "Elle devait tourner ; il n'y a d'elle aucun essai, ni de raison à son absence.",
        ),
        advice=(
            "Keep every trial; run what is missing with --resume.",
            "Gardez chaque essai ; complétez avec --resume.",
        ),
    ),
    "provenance.unlisted": Said(
        sentence=(
            "{other_lane:label} is missing from the run's {what:word}; its trials were to run with it.",
            "{other_lane:label} manque parmi les {what:word} de l'exécution ; ses essais devaient tourner avec elle.",
        ),
        advice=("Fetch the original run.json, or run again.", "Reprenez le run.json original, ou recommencez."),
    ),
    "provenance.unasked": Said(
        sentence=(
            "The call that ran it did not name it in LANES ({trials:which trial}).",
            "L'appel qui l'a lancée ne la nommait pas dans LANES ({trials:which trial}).",
        ),
        advice=("Fetch the original, or run again.", "Reprenez l'original, ou recommencez."),
    ),
    "provenance.setting": Said(
        sentence=(
            "{name} is {found} in the run and {wanted} in its trials ({trials:place #|places #}); it is fixed when a run opens.",
            "{name} vaut {found} dans l'exécution et {wanted} dans ses essais ({trials:place #|places #}) ; il est fixé à l'ouverture.",
        ),
        advice=(
            "Start a new run for another value (--new-run).",
            "Pour une autre valeur, commencez une autre exécution (--new-run).",
        ),
    ),
    "provenance.headline": Said(
        sentence=(
            "The run's headline is {found:label}; before the first trial it was {wanted:label}.",
            "La voie du résultat principal de l'exécution est {found:label} ; avant le premier essai, c'était {wanted:label}.",
        ),
        advice=(
            "Start a new run for another headline (--new-run).",
            "Pour un autre résultat principal, commencez une autre exécution (--new-run).",
        ),
    ),
    "provenance.bandwidth": Said(
        sentence=(
            "The run's measured bandwidth is {found:n} GB/s; its trials carried {wanted:n} GB/s ({trials:place #|places #}).",
            "La bande passante mesurée est de {found:n} Go/s dans l'exécution et de {wanted:n} Go/s dans ses essais ({trials:place #|places #}).",
        ),
        advice=("Fetch the original run.json, or run again.", "Reprenez le run.json original, ou recommencez."),
    ),
    "provenance.stripped": Said(
        sentence=(
            "Taken out of the record, though this program always writes it: {what:word} ({trials:which trial}).",
            "Retiré de l'enregistrement, alors que ce programme l'écrit toujours : {what:word} ({trials:which trial}).",
        ),
        advice=(
            "Fetch the original records, or run again: what was checked by it can't be checked.",
            "Reprenez les originaux, ou recommencez : ce qu'il permettait de vérifier ne peut l'être.",
        ),
    ),
    "provenance.left_out": Said(
        sentence=(
            "Without {what:word}: {reason} ({trials:which trial}).",
            "Sans {what:word} : {reason} ({trials:which trial}).",
        ),
        advice=(
            "The times of these trials stand; the trial's log has the whole message.",
            "Les temps de ces essais restent ; le journal de l'essai contient le message entier.",
        ),
    ),
    "provenance.unsealed": Said(
        sentence=(
            "Not checked: whether headline, lanes, candidates and bandwidth were fixed before; trials don't carry them ({trials:place #|places #}).",
            "Non vérifié : le résultat principal, les voies, les candidates et la bande passante étaient-ils fixés d'avance ? Des essais n'en portent pas la trace ({trials:place #|places #}).",
        ),
        advice=("Run again with this version.", "Recommencez avec cette version."),
    ),
    "base.rules": Said(
        sentence=(
            "In the run's own rules {what:word} is {found:n}, not {wanted:n}: lanes that may be the fastest are ruled out.",
            "Dans les règles de l'exécution, {what:word} est de {found:n} et non de {wanted:n} : des voies qui sont peut-être les plus rapides sont écartées.",
        ),
        advice=("Run again with this program as it is.", "Recommencez avec ce programme tel qu'il est."),
    ),
    "base.absent": Said(
        sentence=(
            "This PyTorch lane was asked for and has no figures: {reason}. If it is the fastest, the speed-ups are too high.",
            "Cette voie PyTorch était demandée et n'a pas de chiffres : {reason}. Si c'est la plus rapide, les accélérations sont trop élevées.",
        ),
        advice=(
            "Mend what kept it from starting and run again.",
            "Réparez ce qui l'a empêchée de démarrer et recommencez.",
        ),
    ),
    "base.excused": Said(
        sentence=(
            "It is noted as absent ({reason}) and has trials that count.",
            "Cette voie est notée comme absente ({reason}) et a des essais qui comptent.",
        ),
        advice=(
            "Mend what kept it from starting and go on with --resume.",
            "Réparez ce qui l'a empêchée de démarrer et reprenez avec --resume.",
        ),
    ),
    "base.unchecked": Said(
        sentence=(
            "In no round that all lanes shared ({trials:which trial}): whether others beside them are missing was not checked.",
            "Dans aucun tour commun à toutes les voies ({trials:which trial}) : il n'a pas été vérifié s'il en manque d'autres à côté.",
        ),
        advice=(
            "Run all lanes in one run (scripts/run_all.sh).",
            "Mesurez toutes les voies en une exécution (scripts/run_all.sh).",
        ),
    ),
    "base.left": Said(
        sentence=(
            "It left after round {round:i}, and should not have: {what:word}.",
            "Elle est partie après le tour {round:i}, à tort : {what:word}.",
        ),
        advice=(
            "Run again with every lane to the end (SLOW_LANES=keep).",
            "Recommencez en gardant toutes les voies jusqu'au bout (SLOW_LANES=keep).",
        ),
    ),
    "base.vanished": Said(
        sentence=(
            "No trial, failed or not, in {rounds:which round}, though other lanes have one.",
            "Aucun essai, même échoué : {rounds:which round}, alors que d'autres voies en ont un.",
        ),
        advice=(
            "Trials may not be left out: look for the missing records, or run what is missing with --resume and all lanes.",
            "Aucun essai ne doit être omis : cherchez les enregistrements manquants, ou complétez avec --resume et toutes les voies.",
        ),
    ),
    "base.unaccounted": Said(
        sentence=(
            "It was to run in this precision; there is no trial of it, and no reason is given why.",
            "Cette voie devait tourner dans cette précision ; il n'y en a aucun essai, et aucune raison n'est donnée.",
        ),
        advice=(
            "Look for the missing records, or run again: it may be the fastest PyTorch lane.",
            "Cherchez les enregistrements manquants, ou recommencez : c'est peut-être la voie PyTorch la plus rapide.",
        ),
    ),
    "aa.differs": Said(
        sentence=(
            "Its odd and even trials differ: {ratio:n} ({low:n}-{high:n}), though they are the same thing. One in twenty does by chance.",
            "Ses essais impairs et pairs diffèrent : {ratio:n} ({low:n}-{high:n}), bien qu'ils soient la même chose. Cela arrive par hasard une fois sur vingt.",
        ),
        advice=(
            "Mistrust small differences; quiet the machine and run more trials.",
            "Méfiez-vous des petits écarts ; calmez la machine et faites plus d'essais.",
        ),
    ),
    "aa.few": Said(
        sentence=(
            "{trials:trial} of the base: comparing it with itself takes {wanted:n}.",
            "{trials:trial} de la base : la comparer à elle-même en demande {wanted:n}.",
        ),
        advice=("TRIALS={wanted:i} or more.", "TRIALS={wanted:i} ou plus."),
    ),
}
