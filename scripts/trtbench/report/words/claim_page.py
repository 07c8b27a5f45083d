"""What docs/possible.html says around a verdict, in English and French."""

from __future__ import annotations

CLAIM_PAGE: dict[str, tuple[str, str]] = {
    "claim_page.title": ("Can this speed be true?", "Cette vitesse est-elle possible ?"),
    "claim_page.language": ("Language", "Langue"),
    "claim_page.intro": (
        "Somebody published how fast a language model ran on a graphics card. Enter it: if the card cannot do that, or the figures contradict each other, this page says so, and why.",
        "Quelqu'un a publié la vitesse d'un modèle de langage sur une carte graphique. Entrez-la : si la carte n'en est pas capable, ou si les chiffres se contredisent, cette page le dit, et pourquoi.",
    ),
    "claim_page.ceiling": (
        "The ceiling is the most tokens per second that the card allows: each decode step reads all the weights from its memory, and that delivers only so many bytes per second.",
        "Le plafond est le plus grand nombre de jetons par seconde que la carte permette : chaque étape de décodage lit tous les poids dans sa mémoire, qui ne livre qu'un certain nombre d'octets par seconde.",
    ),
    "claim_page.no_script": (
        "This page computes with JavaScript, which is switched off here.",
        "Cette page calcule en JavaScript, qui est désactivé ici.",
    ),
    "claim_page.unread": (
        "No verdict yet: a field of the claim is empty or can't be read. What is wrong stands below it.",
        "Pas encore de verdict : un champ de l'affirmation est vide ou illisible. Ce qui ne va pas est écrit dessous.",
    ),
    # to pass it on
    "claim_page.pass_on": ("Pass it on", "Faire suivre"),
    "claim_page.link": ("Link to this claim and its verdict", "Lien vers cette affirmation et son verdict"),
    "claim_page.copy": ("Copy the link", "Copier le lien"),
    "claim_page.copied": ("The link is copied.", "Le lien est copié."),
    "claim_page.copy_failed": (
        "This browser doesn't let a page copy; copy the link from its field.",
        "Ce navigateur ne laisse pas une page copier ; copiez le lien depuis son champ.",
    ),
    "claim_page.command": ("The same answer on the command line", "La même réponse en ligne de commande"),
    "claim_page.with_config": ("with this as config.json:", "avec ceci comme config.json :"),
    # the fields
    "claim_page.claim": ("The claim", "L'affirmation"),
    "claim_page.in_words": (
        "Paste it as it was written, or fill in the fields",
        "Collez-la comme elle était écrite, ou remplissez les champs",
    ),
    "claim_page.understood": (
        "Taken from it: {fields}. Everything else stays as the fields have it.",
        "Pris dans ce texte : {fields}. Tout le reste demeure comme dans les champs.",
    ),
    "claim_page.not_understood": (
        "Nothing of it was understood; fill in the fields.",
        "Rien n'en a été compris ; remplissez les champs.",
    ),
    "claim_page.card": ("Card", "Carte"),
    "claim_page.gpu": ("Graphics card", "Carte graphique"),
    "claim_page.other_card": ("another card…", "une autre carte…"),
    "claim_page.bandwidth": ("Memory bandwidth in GB/s", "Bande passante de la mémoire en Go/s"),
    "claim_page.memory": ("Memory in GiB, if known", "Mémoire en Gio, si connue"),
    "claim_page.cards": ("Such cards sharing the work", "Cartes identiques se partageant le travail"),
    "claim_page.model": ("Model", "Modèle"),
    "claim_page.name": ("Language model", "Modèle de langage"),
    "claim_page.other_model": ("another model, by its sizes…", "un autre modèle, d'après ses tailles…"),
    "claim_page.layers": ("Layers", "Couches"),
    "claim_page.hidden": ("Hidden size", "Dimension cachée"),
    "claim_page.heads": ("Attention heads", "Têtes d'attention"),
    "claim_page.kv_heads": ("Key-value heads", "Têtes de clés et valeurs"),
    "claim_page.head_dim": ("Size of a head", "Taille d'une tête"),
    "claim_page.intermediate": ("Width of the MLP, or of an expert", "Largeur du MLP, ou d'un expert"),
    "claim_page.vocab": ("Vocabulary size", "Taille du vocabulaire"),
    "claim_page.experts": ("Experts in a layer, if any", "Experts par couche, s'il y en a"),
    "claim_page.active_experts": ("Experts that a token takes", "Experts que prend un jeton"),
    "claim_page.tied": ("The output head is the input embedding", "La tête de sortie est le plongement d'entrée"),
    "claim_page.precision": ("Precision of the weights", "Précision des poids"),
    "claim_page.speed": ("Work and speed", "Travail et vitesse"),
    "claim_page.batch": ("Sequences at once (batch)", "Séquences à la fois (lot)"),
    "claim_page.prompt": ("Prompt tokens of a sequence, if known", "Jetons d'entrée d'une séquence, si connus"),
    "claim_page.tokens": ("New tokens of a sequence", "Nouveaux jetons d'une séquence"),
    "claim_page.latency": ("Time of the whole generation in ms", "Temps de la génération entière en ms"),
    "claim_page.rate": ("Output tokens/s, all sequences together", "Jetons produits/s, toutes séquences ensemble"),
    # what is wrong with one
    "claim_page.bad_missing": ("A number is needed here.", "Il faut un nombre ici."),
    "claim_page.bad_whole": (
        "'{text}' is not a whole number of at least {least:i}.",
        "« {text} » n'est pas un nombre entier d'au moins {least:i}.",
    ),
    "claim_page.bad_number": ("'{text}' is not a number above 0.", "« {text} » n'est pas un nombre supérieur à 0."),
    "claim_page.bad_two_ways": (
        "'{text}' can be read in two ways; write {thousands} or {decimal}.",
        "« {text} » peut se lire de deux façons ; écrivez {thousands} ou {decimal}.",
    ),
    "claim_page.bad_cards": ("'{text}' is more than {most:n} cards.", "« {text} » dépasse {most:n} cartes."),
    "claim_page.bad_choice": (
        "What the link names is not known here; choose one.",
        "Ce que nomme le lien n'est pas connu ici ; choisissez.",
    ),
    "claim_page.bad_nothing": (
        "Nothing is claimed; give a time, a rate or both.",
        "Rien n'est affirmé ; donnez un temps, un débit ou les deux.",
    ),
    "claim_page.bad_time_alone": (
        "A time alone says nothing; give the new tokens of a sequence.",
        "Un temps seul ne dit rien ; donnez les nouveaux jetons d'une séquence.",
    ),
    "claim_page.bad_heads": (
        "{heads:# attention head|# attention heads} and {kv:# key-value head|# key-value heads}; the first must be a multiple of the second.",
        "{heads:# tête d'attention|# têtes d'attention} et {kv:# tête de clés et valeurs|# têtes de clés et valeurs} ; le premier nombre doit être un multiple du second.",
    ),
    "claim_page.bad_experts": (
        "{active:i} of {experts:# expert|# experts}: no more can be taken than there are.",
        "{active:i} sur {experts:# expert|# experts} : il ne peut en être pris plus qu'il n'y en a.",
    ),
    # what to make of it
    "claim_page.one_sided": (
        "Every bound here is the least that the work can take, so what is called impossible is. What is called possible may still be false. One pass through the model for each new token is assumed (no speculative decoding), and caches that sequences don't share.",
        "Chaque borne est ici le minimum que le travail puisse prendre : ce qui est dit impossible l'est. Ce qui est dit possible peut encore être faux. On suppose que le modèle est parcouru une fois par nouveau jeton (sans décodage spéculatif), et des caches que les séquences ne partagent pas.",
    ),
    "claim_page.alone": (
        "This page asks nothing of the network: what you type stays in it, and in the link.",
        "Cette page ne demande rien au réseau : ce que vous tapez y reste, et dans le lien.",
    ),
}
