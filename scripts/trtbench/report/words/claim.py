"""What is said of a claim, by the command `possible` and by docs/possible.html, in English and French."""

from __future__ import annotations

CLAIM: dict[str, tuple[str, str]] = {
    # what it is held against
    "claim.on": (
        "{architecture}, {parameters:n1} M parameters, on {place}.",
        "{architecture}, {parameters:n1} M de paramètres, sur {place}.",
    ),
    "claim.card": ("{name} (figures from: {source})", "{name} (chiffres tirés de : {source})"),
    "claim.other_card": ("a card of {gbs:w} GB/s", "une carte de {gbs:w} Go/s"),
    "claim.several": ("{place}, {cards:n} of them together", "{place}, {cards:n} cartes ensemble"),
    # the ceiling
    "claim.step": (
        "A decode step reads {amount}: {weights:n1} M weights in {precision}.",
        "Une étape de décodage lit {amount} : {weights:n1} M de poids en {precision}.",
    ),
    "claim.step_cache": (
        "A decode step reads {amount}: {weights:n1} M weights in {precision} and the KV cache.",
        "Une étape de décodage lit {amount} : {weights:n1} M de poids en {precision} et le cache KV.",
    ),
    "claim.gigabytes": ("{count:n3} GB", "{count:n3} Go"),
    "claim.megabytes": ("{count:n3} MB", "{count:n3} Mo"),
    "claim.reading": ("{gbs:n0} GB/s", "{gbs:n0} Go/s"),
    "claim.reading_together": (
        "{gbs:n0} GB/s of {cards:n} cards together",
        "{gbs:n0} Go/s de {cards:n} cartes ensemble",
    ),
    "claim.most": (
        "At {reading} that allows at most {rate:n1} tokens/s at batch {batch:i}.",
        "À {reading}, cela permet au plus {rate:n1} jetons/s avec un lot de {batch:i}.",
    ),
    "claim.most_peak": (
        "At {reading} that allows at most {rate:n1} tokens/s (the peak of the tensor cores is the bound) at batch {batch:i}.",
        "À {reading}, cela permet au plus {rate:n1} jetons/s (la limite est le maximum des cœurs Tensor) avec un lot de {batch:i}.",
    ),
    "claim.in_cache": (
        "But all of it fits into the last-level cache ({mib:n0} MiB), so memory bandwidth rules nothing out.",
        "Mais le tout tient dans le cache de dernier niveau ({mib:n0} Mio) : la bande passante de la mémoire n'exclut donc rien.",
    ),
    # the memory
    "claim.taken": (
        "Weights take at least {needed:n2} GB in {precision}",
        "Les poids prennent au moins {needed:n2} Go en {precision}",
    ),
    "claim.taken_cache": (
        "Weights ({weights:n2} GB) and KV cache ({cache:n2} GB) take at least {needed:n2} GB in {precision}",
        "Les poids ({weights:n2} Go) et le cache KV ({cache:n2} Go) prennent au moins {needed:n2} Go en {precision}",
    ),
    "claim.held": (
        "the card holds {held:n2} GB ({gib:w} GiB)",
        "la carte dispose de {held:n2} Go ({gib:w} Gio)",
    ),
    "claim.held_together": (
        "the {cards:n} cards hold {held:n2} GB ({gib:w} GiB)",
        "les {cards:n} cartes disposent de {held:n2} Go ({gib:w} Gio)",
    ),
    "claim.fits": ("{taken}; {held}.", "{taken} ; {held}."),
    "claim.outside": (
        "{taken}, and {held}: {outside:n2} GB of it lies outside.",
        "{taken}, et {held} : il en reste {outside:n2} Go dehors.",
    ),
    "claim.link": (
        "What a step reads of that comes over a link of {gbs:n0} GB/s at most, {limit}.",
        "Ce qu'une étape en lit passe par un lien de {gbs:n0} Go/s au plus, {limit}.",
    ),
    "claim.link_allows": (
        "which allows at most {rate:n2} tokens/s at batch {batch:i}",
        "ce qui permet au plus {rate:n2} jetons/s avec un lot de {batch:i}",
    ),
    "claim.link_idle": (
        "which rules out no more than the card's own memory does",
        "ce qui n'exclut rien de plus que la mémoire de la carte elle-même",
    ),
    "claim.ways": ("Otherwise it takes {ways}.", "Sinon, il faut {ways}."),
    "claim.or": ("{first}, or {then}", "{first}, ou {then}"),
    "claim.either": ("{first} or {then}", "{first} ou {then}"),
    "claim.more_cards": ("at least {cards:n} such cards", "au moins {cards:n} cartes identiques"),
    "claim.host": (
        "layers that the host's own processor computes",
        "des couches que calcule le processeur de l'hôte lui-même",
    ),
    # what is claimed
    "claim.time": (
        "Claimed: {ms:n1} ms for {batch:i} x {tokens:# new token|# new tokens} where the least is {least:n1} ms: {compared}",
        "Affirmé : {ms:n1} ms pour {batch:i} x {tokens:# nouveau jeton|# nouveaux jetons} alors que le minimum est de {least:n1} ms : {compared}",
    ),
    "claim.rate": ("Claimed: {rate:n1} tokens/s: {compared}", "Affirmé : {rate:n1} jetons/s : {compared}"),
    "claim.above": ("{ratio:n2} times the ceiling.", "{ratio:n2} fois le plafond."),
    "claim.rounded": (
        "{ratio:n2} times the ceiling, which rounded figures or the last-level cache explain.",
        "{ratio:n2} fois le plafond, ce que des chiffres arrondis ou le cache de dernier niveau expliquent.",
    ),
    "claim.share": (
        "{ratio:p0} of the ceiling (memory bandwidth utilisation {share:p0}).",
        "{ratio:p0} du plafond (utilisation de la bande passante de la mémoire : {share:p0}).",
    ),
    # time and rate against each other
    "claim.product": (
        "Rate x time is {product:# token|# tokens} where {made:# was|# were} made ({ratio:n2} times as many): {why}",
        "Débit x temps donne {product:# jeton|# jetons} alors que {made:# a été produit|# ont été produits} ({ratio:n2} fois autant) : {why}",
    ),
    "claim.with_prompt": (
        "that is prompt and output together: prompt tokens were counted as output.",
        "c'est l'entrée et la sortie ensemble : des jetons d'entrée ont été comptés comme sortie.",
    ),
    "claim.requests": (
        "that is the batch of {batch:i}, a rate of requests and not of tokens.",
        "c'est le lot de {batch:i}, un débit de requêtes et non de jetons.",
    ),
    "claim.one": (
        "that is a rate of one of the {batch:i} sequences, not of all.",
        "c'est le débit d'une seule des {batch:i} séquences, pas de toutes.",
    ),
    "claim.fewer": (
        "fewer tokens came than were asked for, or the time holds more than the generation.",
        "il est venu moins de jetons que demandé, ou le temps contient plus que la génération.",
    ),
    "claim.counted": (
        "prompt tokens were counted, ratios were averaged or padding was counted",
        "des jetons d'entrée ont été comptés, des rapports moyennés ou du remplissage compté",
    ),
    "claim.part": (
        "{counted}, or the rate leaves out part of the time.",
        "{counted}, ou bien le débit laisse de côté une partie du temps.",
    ),
    "claim.decode": (
        "the rate leaves the prompt out: the steps after the first token leave {left:n1} ms of the {ms:n1} ms for the prompt, and its least is {least:n1} ms.",
        "le débit laisse l'entrée de côté : les étapes après le premier jeton laissent à l'entrée {left:n1} ms sur {ms:n1} ms, et son minimum est de {least:n1} ms.",
    ),
    "claim.too_short": (
        "{counted}; a rate that leaves the prompt out would leave {left:n1} ms of the {ms:n1} ms for the prompt, and its least is {least:n1} ms.",
        "{counted} ; un débit qui laisse l'entrée de côté lui laisserait {left:n1} ms sur {ms:n1} ms, et son minimum est de {least:n1} ms.",
    ),
    "claim.too_long": (
        "{counted}; a rate that leaves the prompt out would leave {left:n1} ms of the {ms:n1} ms for the prompt, and {prompt:# id takes|# ids take} {most:n1} ms at most.",
        "{counted} ; un débit qui laisse l'entrée de côté lui laisserait {left:n1} ms sur {ms:n1} ms, et {prompt:# identifiant prend|# identifiants prennent} {most:n1} ms au plus.",
    ),
    "claim.too_long_unsaid": (
        "{counted}; a rate that leaves the prompt out would leave {left:n1} ms of the {ms:n1} ms for the prompt, and one of a length that is not said takes {most:n1} ms at most.",
        "{counted} ; un débit qui laisse l'entrée de côté lui laisserait {left:n1} ms sur {ms:n1} ms, et une entrée dont la longueur n'est pas dite prend {most:n1} ms au plus.",
    ),
    "claim.unless": (
        "rate and time contradict each other unless the rate leaves the prompt out, which then took {left:n1} ms of the {ms:n1} ms; else {counted}.",
        "débit et temps se contredisent, sauf si le débit laisse de côté l'entrée, qui a alors pris {left:n1} ms sur {ms:n1} ms ; sinon {counted}.",
    ),
    # the verdict
    "claim.time_too_short": (
        "the time is shorter than the memory or the tensor cores allow",
        "le temps est plus court que la mémoire ou les cœurs Tensor ne le permettent",
    ),
    "claim.time_against_link": (
        "the time is shorter than the link allows for what does not fit one card in {precision}, if it computed all",
        "le temps est plus court que le lien ne le permet pour ce qui ne tient pas dans une carte en {precision}, si elle a tout calculé",
    ),
    "claim.rate_too_high": ("the rate is above the ceiling", "le débit est au-dessus du plafond"),
    "claim.rate_against_link": (
        "the rate is above what the link allows for what does not fit one card in {precision}, if it computed all",
        "le débit dépasse ce que le lien permet pour ce qui ne tient pas dans une carte en {precision}, si elle a tout calculé",
    ),
    "claim.contradict": ("rate and time contradict each other", "débit et temps se contredisent"),
    "claim.and": ("{first}; {then}", "{first} ; {then}"),
    "claim.impossible": ("IMPOSSIBLE", "IMPOSSIBLE"),
    "claim.possible": ("POSSIBLE", "POSSIBLE"),
    "claim.possible_offloaded": (
        "POSSIBLE only with offload of {outside:n2} GB to the host",
        "POSSIBLE seulement avec un délestage de {outside:n2} Go vers l'hôte",
    ),
    "claim.nothing_against": (
        "nothing here rules it out, which doesn't make it true",
        "rien ici ne l'exclut, ce qui ne le rend pas vrai",
    ),
    "claim.verdict": ("{word}: {why}.", "{word} : {why}."),
}
