"""What the audit says about each finding, and what to do: code → (sentence, advice), in English and French.

`{name:n}` is shown as a number, `{name:p}` as a share in per cent, `{name}` as it is. Tests hold both languages to the
codes of trtbench.referee.audit.findings.TABLE and to the same placeholders.
"""

from __future__ import annotations

Says = tuple[str, str]

HEADINGS: dict[str, dict[str, str]] = {
    "en": {
        "title": "AUDIT",
        "fail": "FAIL",
        "warn": "WARN",
        "passed": "Passed",
        "everywhere": "all lanes",
        "cell": "batch {batch}, {prompt} + {new}",
        "more": "and in {n} more cells",
        "more_one": "and in one more cell",
        "not_audited": "Not audited: these figures were not checked.",
        "evidence": "CEILING",
        "evidence_note": "from {basis} bandwidth",
        "nominal": "nominal",
        "measured": "measured",
        "unknown": "unknown",
        "ceiling": "tok/s max",
    },
    "fr": {
        "title": "CONTRÔLE",
        "fail": "ÉCHEC",
        "warn": "ALERTE",
        "passed": "Réussi",
        "everywhere": "toutes les voies",
        "cell": "lot {batch}, {prompt} + {new}",
        "more": "et dans {n} autres cellules",
        "more_one": "et dans une autre cellule",
        "not_audited": "Non contrôlé : ces chiffres n'ont pas été vérifiés.",
        "evidence": "PLAFOND",
        "evidence_note": "d'après la bande passante {basis}",
        "nominal": "nominale",
        "measured": "mesurée",
        "unknown": "inconnue",
        "ceiling": "tok/s max",
    },
}

# Figures that are words: reasons and parts.
TERMS: dict[str, dict[str, str]] = {
    "en": {
        "absent": "no judge.json",
        "other_model": "judge.json is about another model",
        "other_workload": "judge.json is about another workload",
        "generation": "whole generation",
        "prefill": "first token",
        "decode": "decode steps",
        "e2e": "the whole generation",
        "ttft": "the first token",
        "power cap": "power cap",
        "governor": "governor",
        "driver": "driver",
        "model": "model",
        "gpu": "GPU",
        "version": "version",
    },
    "fr": {
        "absent": "pas de judge.json",
        "other_model": "judge.json porte sur un autre modèle",
        "other_workload": "judge.json porte sur un autre jeu d'entrées",
        "generation": "génération entière",
        "prefill": "premier token",
        "decode": "pas de décodage",
        "e2e": "la génération entière",
        "ttft": "le premier token",
        "power cap": "plafond de puissance",
        "governor": "gouverneur",
        "driver": "pilote",
        "model": "modèle",
        "gpu": "GPU",
        "version": "version",
    },
}

AUDIT: dict[str, dict[str, Says]] = {
    "en": {
        "count.new_ids": (
            "{asked} new ids a row and {batch} rows were asked for, {least} to {most} ids in {rows} rows came back after "
            "{prompt} prompt ids (trials {trials}).",
            "Turn end-of-sequence off in the lane and count only new ids.",
        ),
        "count.ids": (
            "Ids outside of the vocabulary of {vocabulary:n} (trials {trials}).",
            "Look at how the lane reads its output buffer.",
        ),
        "count.prompt_returned": (
            "The ids returned begin with the prompt (trials {trials}).",
            "Cut the prompt off: its tokens are no output.",
        ),
        "count.padding": (
            "{share:p} of the ids are one id repeated to the end of the row: padding counted as output.",
            "Turn end-of-sequence off, so that every id is generated.",
        ),
        "count.iterations": (
            "{asked} timed calls were asked for, a pass holds {least} (trials {trials}).",
            "Keep every iteration; none is dropped, however slow.",
        ),
        "rate.disagrees": (
            "{raw:n} ids/s from raw sums, {printed:n} tok/s from the mean latency.",
            "Throughput is output tokens over wall time; count them again.",
        ),
        "rate.wall": (
            "{timed:n} s were timed in a trial that took {seconds:n} s (trials {trials}).",
            "These times were not measured in these trials; run again.",
        ),
        "ceiling.generation": (
            "A whole generation in {measured:n} ms where {weights} weights need {least:n} ms at {gbs:n} GB/s ({gb:n} GB): "
            "{ratio:n} times the ceiling (trials {trials}).",
            "Not possible on this card: check count, precision and the clock.",
        ),
        "ceiling.prefill": (
            "A first token in {measured:n} ms where the prefill needs {least:n} ms at {gbs:n} GB/s ({gb:n} GB of "
            "{weights} weights): {ratio:n} times the ceiling (trials {trials}).",
            "Look for a cached prompt, or a clock that stops before the token is in host memory.",
        ),
        "ceiling.decode": (
            "The decode steps took {measured:n} ms where {weights} weights need {least:n} ms at {gbs:n} GB/s ({gb:n} GB): "
            "{ratio:n} times the ceiling (trials {trials}).",
            "Not possible on this card: check count, precision and the clock.",
        ),
        "ceiling.measured": (
            "{what}: {measured:n} ms where the bandwidth measured here, {gbs:n} GB/s, allows {least:n} ms for {gb:n} GB of "
            "{weights} weights and cache: {ratio:n} times (trials {trials}).",
            "Part of the model stays in a cache, or the measured bandwidth is too low (a busy machine); run again.",
        ),
        "ceiling.unknown": (
            "No ceiling is known, so none was checked: {reason}.",
            "Give the card a row in cards.py, or take a model whose shape is known.",
        ),
        "ceiling.no_peak": (
            "The peak of {device} is not known: only memory bandwidth was checked.",
            "Give the card a row in cards.py.",
        ),
        "ceiling.zero": (
            "Times of zero or below (trials {trials}).",
            "A step that fails must fail; delete these trials and run again.",
        ),
        "ceiling.same_times": (
            "{times} calls took {ns:n} ns each, to the last digit (trials {trials}).",
            "No clock does that: these times were not measured; run again.",
        ),
        "ceiling.ttft_above_whole": (
            "Every first token took longer ({ttft:n} ms at least) than any whole generation ({whole:n} ms at most; trials "
            "{trials}).",
            "The two passes did not do the same work; look at what stops the clock.",
        ),
        "ceiling.tpot_negative": (
            "The mean first token takes {ttft:n} ms, the whole generation {whole:n} ms: no time per token follows.",
            "Ask for more new tokens (NEW_TOKENS) or more iterations.",
        ),
        "parity.near": (
            "{share:p} of {positions} judged ids are near the reference's first choice; {limit:p} are asked for (trials "
            "{trials}).",
            "It computes another model: check weights, layers, rotary base and heads.",
        ),
        "parity.sampled": (
            "The sampled ids are {gap:n} nats an id off what the model's distribution gives (trials {trials}).",
            "Check temperature, top-p, top-k and the model.",
        ),
        "parity.quantised": (
            "{share:p} of the judged ids are near the reference's first choice; {limit:p} are asked for with these weights, "
            "and random weights prove nothing.",
            "Judge quantised lanes on a real model; calibrate again if it fails there.",
        ),
        "parity.same_answer": (
            "{calls} different prompts got the very same ids (trials {trials}).",
            "Answers are kept, or nothing is computed; if the model really says so, take another.",
        ),
        "parity.unstable": (
            "Greedy ids differ between trials ({share:p} are equal).",
            "Nothing, if the lane adds up in no fixed order; else look for what is not initialised.",
        ),
        "parity.unscored": (
            "What it returned was not judged (trials {trials}).",
            "Run the judge again: python3 -m trtbench.bench --resume.",
        ),
        "parity.absent": (
            "Nobody judged what the lanes returned: {reason}.",
            "Run the judge where torch and transformers are: bench.py does it after the trials.",
        ),
        "fairness.workload": (
            "Workload {found} instead of {wanted} (trials {trials}).",
            "Compare only trials with the same prompts, cells and sampling.",
        ),
        "fairness.prompts": (
            "Other prompt ids were handed over than the workload's (trials {trials}).",
            "Run these trials again.",
        ),
        "fairness.model": (
            "Model {found} instead of {wanted} (trials {trials}).",
            "Compare only trials of the same weights.",
        ),
        "fairness.precision": (
            "{asked} was asked for, the lane says {found} (trials {trials}).",
            "Compare lanes in the precision that they say they run.",
        ),
        "fairness.weights": (
            "It says {precision} and holds {held:n} MB of weights; these would take {least:n} MB (trials {trials}).",
            "Find out what precision is really stored.",
        ),
        "fairness.settings": (
            "{name} was {found} instead of {wanted} (trials {trials}).",
            "Run all lanes with the same settings.",
        ),
        "fairness.threads": (
            "{found} threads instead of {wanted} (trials {trials}).",
            "Set THREADS and see that the lane obeys.",
        ),
        "fairness.device": (
            "It ran on {found} instead of {wanted} (trials {trials}).",
            "Compare lanes on the same device (DEVICE).",
        ),
        "fairness.machine": (
            "Trials of another machine: {found} instead of {wanted} (trials {trials}).",
            "Compare only what one machine measured in one run.",
        ),
        "fairness.reuse": (
            "Prefix or block reuse was on (trials {trials}).",
            "Turn it off: work that is not done cannot be timed.",
        ),
        "fairness.graphs": (
            "CUDA graphs are on here and off in {base}.",
            "Nothing: read the speed-up as one that includes them, or add a PyTorch lane with graphs.",
        ),
        "fairness.unstated": (
            "The lane does not say: {what}.",
            "Take it as unproven.",
        ),
        "steady.drift": (
            "Times change by {change:p} through the iterations (trials {trials}).",
            "Let the machine cool or warm up longer (WARMUP_LIMIT).",
        ),
        "steady.first": (
            "The first timed call is {off:p} off the others (trials {trials}).",
            "Raise WARMUP_LIMIT.",
        ),
        "steady.compile": (
            "Call {call} of {part} takes {ratio:n} times the median in {n} of {of} trials: compilation inside the clock.",
            "Warm up with the same shapes, so that it compiles before.",
        ),
        "steady.unsettled": (
            "The warm-up had not settled when the clock started (trials {trials} of {of}).",
            "Raise WARMUP_LIMIT.",
        ),
        "steady.outliers": (
            "{mine} of {n} calls are outliers here, {theirs} of {m} in {base}: the interval may be too narrow.",
            "More trials, on a quiet machine.",
        ),
        "machine.throttled": (
            "The GPU was throttled: {reasons} (trials {trials}).",
            "Cool it, or set a lower power cap that it can hold.",
        ),
        "machine.clock": (
            "SM clock {mhz:n} MHz where {middle:n} is the middle (trials {trials}).",
            "Lock the clocks (nvidia-smi -lgc), or let the card cool.",
        ),
        "machine.neighbour": (
            "{processes} other processes were on the GPU (trials {trials}).",
            "End them, or take a card of your own.",
        ),
        "machine.busy": (
            "Other processes used {share:p} of the CPU meanwhile (trials {trials}).",
            "End them and run again.",
        ),
        "machine.changed": (
            "The {what} changed between trials: {values}.",
            "Fix it and run all lanes again.",
        ),
        "machine.swap": (
            "Swap grew by {mib:n} MiB (trials {trials}).",
            "Free memory, or lower BATCH_SIZES.",
        ),
        "machine.unwatched": (
            "Not watched: {what} (trials {trials}).",
            "Install nvidia-ml-py, or take the figures as unguarded.",
        ),
        "provenance.simulated": (
            "A stand-in for tests made these figures (trials {trials}).",
            "Run the real engine.",
        ),
        "provenance.schema": (
            "Schema version {found} instead of {wanted} (trials {trials}).",
            "Compare with the version of this program that wrote it.",
        ),
        "provenance.changed": (
            "Changed after it was written: {file}.",
            "Fetch the original, or run again.",
        ),
        "provenance.mixed": (
            "Trials of other runs: {runs} (trials {trials}).",
            "Run all lanes interleaved in one run.",
        ),
        "provenance.not_interleaved": (
            "Not interleaved with the other lanes.",
            "Run all lanes in one run (scripts/run_all.sh).",
        ),
        "provenance.engine": (
            "The engine's {what} is {found}, here it is {wanted}.",
            "Build the engine again (scripts/build_engine.sh).",
        ),
        "provenance.versions": (
            "{name} is {one} in some trials and {other} in others (trials {trials}).",
            "Do not update in the middle of a run; run again.",
        ),
        "provenance.copied": (
            "The times of trial {trial} are those of trial {other} of {other_lane} times {factor:n}.",
            "These times were not measured; run again.",
        ),
        "provenance.gap": (
            "Trials are missing: {missing}.",
            "Keep every trial; run what is missing with --resume.",
        ),
        "provenance.retried": (
            "Trials were run again though they had succeeded ({trials}).",
            "Keep the first; a trial is not repeated until it pleases.",
        ),
        "aa.differs": (
            "Its odd and even trials differ: {ratio:n} ({low:n}-{high:n}), though they are the same thing. One in twenty "
            "does by chance.",
            "Mistrust small differences; quiet the machine and run more trials.",
        ),
        "aa.few": (
            "{trials} trials of the base: comparing it with itself takes {wanted}.",
            "TRIALS={wanted} or more.",
        ),
        "claims.rate": (
            "{name}: {rate:n} tok/s x {latency:n} ms is {product:n} tokens where {made:n} are new.",
            "Rate and time contradict each other: refuse both.",
        ),
        "claims.prompt": (
            "{name}: {rate:n} tok/s x {latency:n} ms is {product:n} tokens: prompt and output together, {made:n} are new.",
            "Prompt tokens are no output: divide by the new ones.",
        ),
        "claims.ceiling": (
            "{name}: {ratio:n} times what {gbs:n} GB/s and {weights} weights allow ({what}).",
            "Not possible on this card.",
        ),
        "claims.nonsense": (
            "{name}: a time of {latency} ms or a rate of {rate} tok/s is none.",
            "A step that failed was written down as a figure.",
        ),
        "claims.incomplete": (
            "{name}: without {what} the figures cannot be held against each other.",
            "Ask for latency, throughput, batch and new tokens.",
        ),
    },
    "fr": {
        "count.new_ids": (
            "{asked} nouveaux ids par ligne et {batch} lignes étaient demandés ; {least} à {most} ids en {rows} lignes sont "
            "revenus après {prompt} ids d'entrée (essais {trials}).",
            "Désactivez la fin de séquence dans la voie et ne comptez que les nouveaux ids.",
        ),
        "count.ids": (
            "Des ids hors du vocabulaire de {vocabulary:n} (essais {trials}).",
            "Voyez comment la voie lit son tampon de sortie.",
        ),
        "count.prompt_returned": (
            "Les ids rendus commencent par l'entrée (essais {trials}).",
            "Retirez l'entrée : ses tokens ne sont pas une sortie.",
        ),
        "count.padding": (
            "{share:p} des ids sont un seul id répété jusqu'au bout de la ligne : du remplissage compté comme sortie.",
            "Désactivez la fin de séquence, pour que chaque id soit produit.",
        ),
        "count.iterations": (
            "{asked} appels chronométrés étaient demandés, une passe en a {least} (essais {trials}).",
            "Gardez chaque itération ; aucune n'est retirée, si lente soit-elle.",
        ),
        "rate.disagrees": (
            "{raw:n} ids/s d'après les sommes brutes, {printed:n} tok/s d'après la latence moyenne.",
            "Le débit est le nombre de tokens produits par seconde écoulée ; recomptez.",
        ),
        "rate.wall": (
            "{timed:n} s chronométrées dans un essai qui a duré {seconds:n} s (essais {trials}).",
            "Ces temps n'ont pas été mesurés dans ces essais ; recommencez.",
        ),
        "ceiling.generation": (
            "Une génération entière en {measured:n} ms alors que des poids {weights} demandent {least:n} ms à {gbs:n} Go/s "
            "({gb:n} Go) : {ratio:n} fois le plafond (essais {trials}).",
            "Impossible sur cette carte : vérifiez compte, précision et chronomètre.",
        ),
        "ceiling.prefill": (
            "Un premier token en {measured:n} ms alors que la lecture de l'entrée demande {least:n} ms à {gbs:n} Go/s "
            "({gb:n} Go de poids {weights}) : {ratio:n} fois le plafond (essais {trials}).",
            "Cherchez une entrée gardée en cache, ou un chronomètre arrêté avant que le token soit en mémoire hôte.",
        ),
        "ceiling.decode": (
            "Les pas de décodage ont pris {measured:n} ms alors que des poids {weights} demandent {least:n} ms à {gbs:n} "
            "Go/s ({gb:n} Go) : {ratio:n} fois le plafond (essais {trials}).",
            "Impossible sur cette carte : vérifiez compte, précision et chronomètre.",
        ),
        "ceiling.measured": (
            "{what} : {measured:n} ms alors que la bande passante mesurée ici, {gbs:n} Go/s, permet {least:n} ms pour "
            "{gb:n} Go de poids {weights} et de cache : {ratio:n} fois (essais {trials}).",
            "Une part du modèle reste en cache, ou la bande passante mesurée est trop basse (machine occupée) ; recommencez.",
        ),
        "ceiling.unknown": (
            "Aucun plafond connu, donc aucun contrôle : {reason}.",
            "Donnez une ligne à la carte dans cards.py, ou prenez un modèle de forme connue.",
        ),
        "ceiling.no_peak": (
            "Le pic de {device} n'est pas connu : seule la bande passante a été contrôlée.",
            "Donnez une ligne à la carte dans cards.py.",
        ),
        "ceiling.zero": (
            "Des temps nuls ou négatifs (essais {trials}).",
            "Une étape qui échoue doit échouer ; supprimez ces essais et recommencez.",
        ),
        "ceiling.same_times": (
            "{times} appels ont pris {ns:n} ns chacun, au dernier chiffre près (essais {trials}).",
            "Aucune horloge ne fait cela : ces temps n'ont pas été mesurés ; recommencez.",
        ),
        "ceiling.ttft_above_whole": (
            "Chaque premier token a pris plus de temps ({ttft:n} ms au moins) que toute génération entière ({whole:n} ms au "
            "plus ; essais {trials}).",
            "Les deux passes n'ont pas fait le même travail ; voyez ce qui arrête le chronomètre.",
        ),
        "ceiling.tpot_negative": (
            "Le premier token prend en moyenne {ttft:n} ms, la génération entière {whole:n} ms : aucun temps par token n'en "
            "découle.",
            "Demandez plus de nouveaux tokens (NEW_TOKENS) ou plus d'itérations.",
        ),
        "parity.near": (
            "{share:p} des {positions} ids jugés sont proches du premier choix de la référence ; {limit:p} sont exigés "
            "(essais {trials}).",
            "Elle calcule un autre modèle : vérifiez poids, couches, base rotative et têtes.",
        ),
        "parity.sampled": (
            "Les ids tirés sont à {gap:n} nats par id de ce que donne la distribution du modèle (essais {trials}).",
            "Vérifiez température, top-p, top-k et modèle.",
        ),
        "parity.quantised": (
            "{share:p} des ids jugés sont proches du premier choix de la référence ; {limit:p} sont exigés avec ces poids, "
            "et des poids aléatoires ne prouvent rien.",
            "Jugez les voies quantifiées sur un vrai modèle ; recalibrez si elles y échouent.",
        ),
        "parity.same_answer": (
            "{calls} entrées différentes ont reçu exactement les mêmes ids (essais {trials}).",
            "Les réponses sont gardées, ou rien n'est calculé ; si le modèle répond vraiment ainsi, prenez-en un autre.",
        ),
        "parity.unstable": (
            "Les ids gloutons diffèrent d'un essai à l'autre ({share:p} sont égaux).",
            "Rien, si la voie additionne sans ordre fixe ; sinon cherchez ce qui n'est pas initialisé.",
        ),
        "parity.unscored": (
            "Ce qu'elle a rendu n'a pas été jugé (essais {trials}).",
            "Relancez le juge : python3 -m trtbench.bench --resume.",
        ),
        "parity.absent": (
            "Personne n'a jugé ce que les voies ont rendu : {reason}.",
            "Lancez le juge là où sont torch et transformers : bench.py le fait après les essais.",
        ),
        "fairness.workload": (
            "Jeu d'entrées {found} au lieu de {wanted} (essais {trials}).",
            "Ne comparez que des essais aux mêmes entrées, cellules et tirages.",
        ),
        "fairness.prompts": (
            "D'autres ids d'entrée que ceux du jeu ont été remis (essais {trials}).",
            "Refaites ces essais.",
        ),
        "fairness.model": (
            "Modèle {found} au lieu de {wanted} (essais {trials}).",
            "Ne comparez que des essais aux mêmes poids.",
        ),
        "fairness.precision": (
            "{asked} était demandé, la voie dit {found} (essais {trials}).",
            "Comparez les voies dans la précision qu'elles disent.",
        ),
        "fairness.weights": (
            "Elle dit {precision} et tient {held:n} Mo de poids ; ils en prendraient {least:n} (essais {trials}).",
            "Trouvez quelle précision est vraiment stockée.",
        ),
        "fairness.settings": (
            "{name} valait {found} au lieu de {wanted} (essais {trials}).",
            "Mesurez toutes les voies avec les mêmes réglages.",
        ),
        "fairness.threads": (
            "{found} fils au lieu de {wanted} (essais {trials}).",
            "Fixez THREADS et voyez si la voie obéit.",
        ),
        "fairness.device": (
            "Elle a tourné sur {found} au lieu de {wanted} (essais {trials}).",
            "Comparez les voies sur le même appareil (DEVICE).",
        ),
        "fairness.machine": (
            "Des essais d'une autre machine : {found} au lieu de {wanted} (essais {trials}).",
            "Ne comparez que ce qu'une machine a mesuré en un passage.",
        ),
        "fairness.reuse": (
            "La réutilisation de préfixes ou de blocs était active (essais {trials}).",
            "Désactivez-la : un travail qui n'est pas fait ne se chronomètre pas.",
        ),
        "fairness.graphs": (
            "Les graphes CUDA sont actifs ici et inactifs dans {base}.",
            "Rien : lisez l'accélération comme les incluant, ou ajoutez une voie PyTorch à graphes.",
        ),
        "fairness.unstated": (
            "La voie ne dit pas : {what}.",
            "Tenez-le pour non prouvé.",
        ),
        "steady.drift": (
            "Les temps changent de {change:p} au fil des itérations (essais {trials}).",
            "Laissez la machine refroidir ou s'échauffer plus longtemps (WARMUP_LIMIT).",
        ),
        "steady.first": (
            "Le premier appel chronométré s'écarte de {off:p} des autres (essais {trials}).",
            "Augmentez WARMUP_LIMIT.",
        ),
        "steady.compile": (
            "L'appel {call} ({part}) prend {ratio:n} fois la médiane dans {n} essais sur {of} : une compilation sous le "
            "chronomètre.",
            "Échauffez avec les mêmes formes, pour qu'elle compile avant.",
        ),
        "steady.unsettled": (
            "L'échauffement n'était pas stable au départ du chronomètre (essais {trials} sur {of}).",
            "Augmentez WARMUP_LIMIT.",
        ),
        "steady.outliers": (
            "{mine} appels sur {n} sont aberrants ici, {theirs} sur {m} dans {base} : l'intervalle est peut-être trop étroit.",
            "Plus d'essais, sur une machine calme.",
        ),
        "machine.throttled": (
            "Le GPU a été bridé : {reasons} (essais {trials}).",
            "Refroidissez-le, ou fixez un plafond de puissance qu'il peut tenir.",
        ),
        "machine.clock": (
            "Horloge SM à {mhz:n} MHz quand le milieu est {middle:n} (essais {trials}).",
            "Verrouillez les horloges (nvidia-smi -lgc), ou laissez refroidir la carte.",
        ),
        "machine.neighbour": (
            "{processes} autres processus étaient sur le GPU (essais {trials}).",
            "Arrêtez-les, ou prenez une carte à vous.",
        ),
        "machine.busy": (
            "D'autres processus ont pris {share:p} du processeur pendant ce temps (essais {trials}).",
            "Arrêtez-les et recommencez.",
        ),
        "machine.changed": (
            "A changé entre les essais ({what}) : {values}.",
            "Fixez-le et mesurez à nouveau toutes les voies.",
        ),
        "machine.swap": (
            "L'espace d'échange a grandi de {mib:n} Mio (essais {trials}).",
            "Libérez de la mémoire, ou baissez BATCH_SIZES.",
        ),
        "machine.unwatched": (
            "Non observé : {what} (essais {trials}).",
            "Installez nvidia-ml-py, ou tenez les chiffres pour non surveillés.",
        ),
        "provenance.simulated": (
            "Une doublure de test a fait ces chiffres (essais {trials}).",
            "Lancez le vrai moteur.",
        ),
        "provenance.schema": (
            "Version de schéma {found} au lieu de {wanted} (essais {trials}).",
            "Comparez avec la version de ce programme qui l'a écrit.",
        ),
        "provenance.changed": (
            "Modifié après écriture : {file}.",
            "Reprenez l'original, ou recommencez.",
        ),
        "provenance.mixed": (
            "Des essais d'autres passages : {runs} (essais {trials}).",
            "Mesurez toutes les voies entrelacées en un passage.",
        ),
        "provenance.not_interleaved": (
            "Non entrelacée avec les autres voies.",
            "Mesurez toutes les voies en un passage (scripts/run_all.sh).",
        ),
        "provenance.engine": (
            "Pour le moteur ({what}) : {found} ; ici : {wanted}.",
            "Reconstruisez le moteur (scripts/build_engine.sh).",
        ),
        "provenance.versions": (
            "{name} est à {one} dans des essais et à {other} dans d'autres (essais {trials}).",
            "Pas de mise à jour au milieu d'un passage ; recommencez.",
        ),
        "provenance.copied": (
            "Les temps de l'essai {trial} sont ceux de l'essai {other} de {other_lane}, multipliés par {factor:n}.",
            "Ces temps n'ont pas été mesurés ; recommencez.",
        ),
        "provenance.gap": (
            "Des essais manquent : {missing}.",
            "Gardez chaque essai ; complétez avec --resume.",
        ),
        "provenance.retried": (
            "Des essais réussis ont été refaits ({trials}).",
            "Gardez le premier ; un essai n'est pas répété jusqu'à ce qu'il plaise.",
        ),
        "aa.differs": (
            "Ses essais impairs et pairs diffèrent : {ratio:n} ({low:n}-{high:n}), bien qu'ils soient la même chose. Un cas "
            "sur vingt l'est par hasard.",
            "Méfiez-vous des petits écarts ; calmez la machine et faites plus d'essais.",
        ),
        "aa.few": (
            "{trials} essais de la base : la comparer à elle-même en demande {wanted}.",
            "TRIALS={wanted} ou plus.",
        ),
        "claims.rate": (
            "{name} : {rate:n} tok/s x {latency:n} ms font {product:n} tokens quand {made:n} sont nouveaux.",
            "Débit et temps se contredisent : refusez les deux.",
        ),
        "claims.prompt": (
            "{name} : {rate:n} tok/s x {latency:n} ms font {product:n} tokens : entrée et sortie ensemble, {made:n} sont "
            "nouveaux.",
            "Les tokens d'entrée ne sont pas une sortie : divisez par les nouveaux.",
        ),
        "claims.ceiling": (
            "{name} : {ratio:n} fois ce que permettent {gbs:n} Go/s et des poids {weights} ({what}).",
            "Impossible sur cette carte.",
        ),
        "claims.nonsense": (
            "{name} : un temps de {latency} ms ou un débit de {rate} tok/s n'en est pas un.",
            "Une étape qui a échoué a été notée comme un chiffre.",
        ),
        "claims.incomplete": (
            "{name} : sans {what}, les chiffres ne peuvent être confrontés.",
            "Demandez latence, débit, lot et nouveaux tokens.",
        ),
    },
}
