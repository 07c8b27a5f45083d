"""What the table and the page of a fleet say, in English and French."""

from __future__ import annotations

FLEET: dict[str, tuple[str, str]] = {
    "fleet.title": ("Fleet {name}", "Flotte {name}"),
    "fleet.back": (
        "{back:n} of {n:run} {back:is|are} back",
        "{back:# exécution revenue|# exécutions revenues} sur {n:n}",
    ),
    "fleet.machines": ("{n:# machine|# machines}", "{n:# machine|# machines}"),
    "fleet.over_cells": ("over {n:cell}", "sur {n:cell}"),
    "fleet.count.failed": ("{n:n} failed", "{n:# échouée|# échouées}"),
    "fleet.count.refused": ("{n:n} refused", "{n:# refusée|# refusées}"),
    "fleet.count.lost": (
        "{n:# lost with its machine|# lost with their machines}",
        "{n:# perdue avec sa machine|# perdues avec leurs machines}",
    ),
    "fleet.count.stopped": ("{n:n} stopped", "{n:# arrêtée|# arrêtées}"),
    "fleet.count.missing": ("{n:n} missing", "{n:# manquante|# manquantes}"),
    "fleet.count.other": ("{n:n} {word}", "{n:n} {word}"),
    "fleet.status.back": ("back", "revenue"),
    "fleet.status.failed": ("failed", "échouée"),
    "fleet.status.refused": ("refused", "refusée"),
    "fleet.status.lost": ("lost", "perdue"),
    "fleet.status.stopped": ("stopped", "arrêtée"),
    "fleet.status.missing": ("missing", "manquante"),
    # what must be read first
    "fleet.incomplete": (
        "INCOMPLETE: {n:# run is|# runs are} not back; each is listed below with its reason.",
        "INCOMPLET : {n:# exécution n'est pas revenue|# exécutions ne sont pas revenues} ; chacune figure ci-dessous avec sa raison.",
    ),
    "fleet.between": (
        'Figures of two kinds of machine were never measured in one run. A ratio of them is called "between machines" wherever it stands: card, host, cooling and driver may differ together. A speed-up of one engine over another is measured within one run, on one machine, and stands apart.',
        "Les chiffres de deux types de machine n'ont jamais été mesurés dans une même exécution. Leur ratio est dit « entre machines » partout où il figure : carte, hôte, refroidissement et pilote peuvent tous différer à la fois. L'accélération d'un moteur par rapport à un autre est mesurée au sein d'une exécution, sur une seule machine, et figure à part.",
    ),
    "fleet.simulated": (
        "SIMULATED: {n:# run has|# runs have} a stand-in for tests; those figures are no measurement and are not ranked.",
        "SIMULÉ : {n:# exécution contient|# exécutions contiennent} une doublure de test ; ces chiffres ne sont pas une mesure et ne sont pas classés.",
    ),
    "fleet.demonstration": (
        "DEMONSTRATION: {n:# run has|# runs have} random weights and a made-up size; quote no figure of them as a result about engines.",
        "DÉMONSTRATION : {n:# exécution a|# exécutions ont} des poids aléatoires et une taille inventée ; n'en citez aucun chiffre comme résultat sur les moteurs.",
    ),
    "fleet.synthetic": (
        "SYNTHETIC WEIGHTS: {n:# run has|# runs have} a real model's shape and random weights: right for speed, meaningless as text.",
        "POIDS SYNTHÉTIQUES : {n:# exécution a|# exécutions ont} la forme d'un vrai modèle et des poids aléatoires : valable pour la vitesse, sans valeur pour le texte.",
    ),
    "fleet.refused": (
        "VOID: of {n:run} the audit refuses at least one figure; those are shown struck out and are not ranked.",
        "NUL : pour {n:run}, l'audit refuse au moins un chiffre ; ces chiffres sont barrés et ne sont pas classés.",
    ),
    "fleet.disturbed": (
        "In {n:run} a trial that others disturbed counts, since the machine did not become quiet.",
        "Dans {n:run}, un essai que d'autres ont perturbé compte, car la machine n'est pas redevenue calme.",
    ),
    "fleet.aside": (
        "{n:# run|# runs} of {model} ({precision}; {kinds}) {n:was|were} made under other conditions than most and {n:is|are} not ranked with them: {differs}",
        "{n:# exécution|# exécutions} de {model} ({precision} ; {kinds}) {n:a eu lieu|ont eu lieu} dans d'autres conditions que la plupart et {n:n'est pas classée|ne sont pas classées} avec elles : {differs}",
    ),
    "fleet.differs": ("{name} {here} in place of {there}", "{name} {here} au lieu de {there}"),
    "fleet.nothing": ("nothing", "rien"),
    "fleet.what.model": ("digest of the weights", "empreinte des poids"),
    "fleet.what.workload": ("digest of the workload", "empreinte du jeu d'entrées"),
    "fleet.what.program": ("version of this program", "version de ce programme"),
    "fleet.what.commit": ("commit of this program", "commit de ce programme"),
    "fleet.unlike": (
        "The machines of kind {kind} are not alike: {places}.",
        "Les machines du type {kind} ne sont pas identiques : {places}.",
    ),
    "fleet.cut_notices": (
        "{n:# more notice is|# more notices are} in fleet.json.",
        "{n:# autre avertissement figure|# autres avertissements figurent} dans fleet.json.",
    ),
    # who is first
    "fleet.on": ("{lane} on {kind}", "{lane} sur {kind}"),
    "fleet.overview": ("Who is fastest", "Le plus rapide"),
    "fleet.overview_note": (
        "First by the geometric mean of machines, of each machine the geometric mean of its runs (where a run takes only some of its cards, of these cards' means). What cannot be told from the first stands beside it; where it says so, too few machines were there to tell.",
        "Premier selon la moyenne géométrique des machines, chacune prise comme moyenne géométrique de ses exécutions (ou, si une exécution n'occupe qu'une partie de ses cartes, des moyennes de ces cartes). Ce qui ne se distingue pas du premier figure à côté ; là où c'est indiqué, trop peu de machines permettaient de trancher.",
    ),
    "fleet.fastest": ("Fastest", "Le plus rapide"),
    "fleet.thriftiest": ("Best per watt", "Le meilleur par watt"),
    "fleet.cheapest": ("Best per {currency}", "Le meilleur par {currency}"),
    "fleet.nobody": ("nothing that could be ranked", "rien qui puisse être classé"),
    "fleet.alone": ("nothing else was measured", "rien d'autre n'a été mesuré"),
    "fleet.told": (
        "told apart from {n:# other entry|all # other entries}",
        "se distingue {n:de # autre|des # autres}",
    ),
    "fleet.told_some": (
        "told apart from {n:n} of the other entries",
        "se distingue de {n:# autre|# autres}",
    ),
    "fleet.alike": ("not told apart from {names}", "ne se distingue pas de {names}"),
    "fleet.alike_more": ("{names} and {n:# more|# more}", "{names} et {n:# autre|# autres}"),
    "fleet.open_between": (
        "from {n:# machine on a side|# machines on a side} there is no verdict against {names}: machines of one kind of card differ, so this difference between machines is not told apart from that",
        "avec {n:# machine|# machines} d'un côté, pas de verdict face à {names} : des machines à carte du même type diffèrent, donc cet écart entre machines ne s'en distingue pas",
    ),
    "fleet.open_between_one": (
        "from one machine each there is no verdict against {names}: machines of one kind of card differ, so this difference between machines is not told apart from that",
        "avec une machine de chaque côté, pas de verdict face à {names} : des machines à carte du même type diffèrent, donc cet écart entre machines ne s'en distingue pas",
    ),
    "fleet.open_within": (
        "too few machines of its kind for a verdict against {names}: see what each run says of its own lanes",
        "trop peu de machines de ce type pour un verdict face à {names} : voir ce que chaque exécution dit de ses propres voies",
    ),
    # a table
    "fleet.who": ("Lane and kind", "Voie et type"),
    "fleet.place_disturbed": (
        "{place}; disturbed in {n:run}",
        "{place} ; perturbé dans {n:run}",
    ),
    "fleet.verdict_weak": ("{word} ({weak})", "{word} ({weak})"),
    "fleet.rate": ("Tokens/s", "Jetons/s"),
    "fleet.spread": ("Spread of machines or cards", "Dispersion des machines ou cartes"),
    "fleet.of": ("Machines / cards / runs", "Machines / cartes / exécutions"),
    "fleet.latency": ("Latency (ms)", "Latence (ms)"),
    "fleet.against": ("Time against the first", "Temps par rapport au premier"),
    "fleet.watt": ("Tokens/s per watt", "Jetons/s par watt"),
    "fleet.money": ("Tokens per {currency}", "Jetons par {currency}"),
    "fleet.standing.first": ("first", "premier"),
    "fleet.standing.among": ("not told apart", "non distingué"),
    "fleet.standing.behind": ("behind", "derrière"),
    "fleet.standing.few": ("too few machines", "trop peu de machines"),
    "fleet.sure": ("told apart", "distingué"),
    "fleet.models": ("Models", "Modèles"),
    "fleet.number": ("No.", "N°"),
    "fleet.best": ("best", "le meilleur"),
    "fleet.ratio_between": ("{ratio}{interval} between machines", "{ratio}{interval} entre machines"),
    "fleet.ratio_within": ("{ratio}{interval} on the same kind", "{ratio}{interval} sur le même type"),
    "fleet.table_note": (
        "Below a rate: from the slowest to the fastest machine; where each run takes only some of a machine's cards, from the slowest to the fastest of these. Spread: the fastest over the slowest of them, less 1. What is told apart is told from machines alone. Per watt: of all cards that a run takes, by their own counters.",
        "Sous un débit : de la machine la plus lente à la plus rapide ; là où une exécution n'occupe qu'une partie des cartes d'une machine, de la plus lente à la plus rapide de celles-ci. Dispersion : la plus rapide d'entre elles rapportée à la plus lente, moins 1. Seules les machines, et non leurs cartes, permettent de distinguer. Par watt : toutes les cartes qu'une exécution occupe, d'après leurs propres compteurs.",
    ),
    "fleet.table_note_money": (
        "Per {currency}: at the plan's prices of an hour ({prices}).",
        "Par {currency} : aux prix horaires du plan ({prices}).",
    ),
    "fleet.price": ("{kind} {price:w}", "{kind} {price:w}"),
    "fleet.variant": ("other conditions, no. {n:i}", "autres conditions, n° {n:i}"),
    "fleet.own": (
        "Against the best PyTorch lane on the same machine",
        "Par rapport à la meilleure voie PyTorch de la même machine",
    ),
    "fleet.own_says": (
        "{name}: {low:x}-{high:x} over {n:# machine|# machines} ({counts})",
        "{name} : {low:x}-{high:x} sur {n:# machine|# machines} ({counts})",
    ),
    "fleet.own_one": (
        "{name}: {low:x} on {n:# machine|# machines} ({counts})",
        "{name} : {low:x} sur {n:# machine|# machines} ({counts})",
    ),
    "fleet.own_none": ("{name}: no ratio ({counts})", "{name} : pas de ratio ({counts})"),
    "fleet.own_count": ("{word} in {n:run}", "{word} dans {n:run}"),
    "fleet.cut_tables": (
        "{n:# more cell is|# more cells are} in fleet.csv and fleet.json.",
        "{n:# autre cellule figure|# autres cellules figurent} dans fleet.csv et fleet.json.",
    ),
    "fleet.cut_entries": (
        "{n:# more line is|# more lines are} in fleet.csv and fleet.json.",
        "{n:# autre ligne figure|# autres lignes figurent} dans fleet.csv et fleet.json.",
    ),
    # the runs
    "fleet.all_runs": ("All runs", "Toutes les exécutions"),
    "fleet.runs_note": (
        "Verdict and speed-up are each run's own: its headline's lane against the best PyTorch lane on the same machine.",
        "Verdict et accélération sont propres à chaque exécution : la voie du résultat principal par rapport à la meilleure voie PyTorch de la même machine.",
    ),
    "fleet.cut_runs": (
        "{n:# more run is|# more runs are} in fleet.json; those that are not back come first here.",
        "{n:# autre exécution figure|# autres exécutions figurent} dans fleet.json ; celles qui ne sont pas revenues viennent ici en premier.",
    ),
    "fleet.kind": ("Kind", "Type"),
    "fleet.model": ("Model", "Modèle"),
    "fleet.precision": ("Precision", "Précision"),
    "fleet.status": ("Status", "État"),
    "fleet.machine": ("Machine", "Machine"),
    "fleet.machine_no": ("machine {n:i}", "machine {n:i}"),
    "fleet.machine_card": ("machine {n:i}, card {card:i}", "machine {n:i}, carte {card:i}"),
    "fleet.attempts": ("Placed", "Placements"),
    "fleet.findings": ("Fails / warnings", "Échecs / alertes"),
    "fleet.speedup": ("Speed-up", "Accélération"),
    "fleet.verdict": ("Verdict, or why not back", "Verdict, ou pourquoi non revenue"),
    "fleet.without": ("Runs that are not back", "Exécutions non revenues"),
    "fleet.cut_missing": (
        "{n:# more run that is not back is|# more runs that are not back are} in fleet.json.",
        "{n:# autre exécution non revenue figure|# autres exécutions non revenues figurent} dans fleet.json.",
    ),
    "fleet.without_says": (
        "{kind}, {model}, {precision}, no. {repeat:i}: {status}",
        "{kind}, {model}, {precision}, n° {repeat:i} : {status}",
    ),
    "fleet.filter": ("Show only", "N'afficher que"),
    "fleet.all": ("all", "tous"),
    "fleet.search": ("Search", "Rechercher"),
    "fleet.reset": ("Show all", "Tout afficher"),
    "fleet.shown": ("shown", "affichées"),
    "fleet.sort": ("Sort by", "Trier par"),
    "fleet.foot": (
        "Made by trtbench {program} from bundles that were audited again. Every figure is in fleet.json.",
        "Produit par trtbench {program} à partir d'archives anonymes auditées à nouveau. Tous les chiffres figurent dans fleet.json.",
    ),
}
