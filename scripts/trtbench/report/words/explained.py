"""What the terms of a report mean, for who meets them for the first time, in English and French: one row a term."""

from __future__ import annotations

EXPLAINED: dict[str, tuple[str, str]] = {
    "explained.ceiling": (
        "Ceiling: the most output tokens per second that this machine's memory and arithmetic allow.",
        "Plafond : le plus de jetons produits par seconde que permettent la mémoire et le calcul de cette machine.",
    ),
    "explained.mbu": (
        "MBU, memory bandwidth utilisation: how much of the memory's bandwidth decode used, by the bytes of weights and KV cache that it must read; the nearer to 100 %, the less there is left to gain. None where a cache serves them.",
        "MBU, utilisation de la bande passante mémoire : la part de cette bande passante que le décodage a utilisée, d'après les octets de poids et de cache KV qu'il doit lire ; plus elle est proche de 100 %, moins il reste à gagner. Aucune valeur là où un cache les fournit.",
    ),
    "explained.mean": (
        "Mean: the geometric one, so that latency, throughput and speed-up fit together.",
        "Moyenne : la moyenne géométrique, pour que latence, débit et accélération s'accordent.",
    ),
    "explained.speedup": (
        "Speedup: the time of the fastest PyTorch lane (the base) over that of the lane; above 1 the lane is faster.",
        "Accélération : le temps de la voie PyTorch la plus rapide (la base) divisé par celui de la voie ; au-dessus de 1, la voie est plus rapide.",
    ),
    "explained.interval": (
        "95 % interval: of a hundred intervals made like this one, about 95 hold the true value.",
        "Intervalle à 95 % : sur cent intervalles obtenus comme celui-ci, environ 95 contiennent la vraie valeur.",
    ),
    "explained.ttft": (
        "TTFT, time to first token: what a user waits before anything appears.",
        "TTFT, temps jusqu'au premier jeton : ce qu'on attend avant de voir apparaître quoi que ce soit.",
    ),
    "explained.tpot": (
        "TPOT, time per output token: what each further token takes.",
        "TPOT, temps par jeton produit : ce que prend chaque jeton suivant.",
    ),
    "explained.rss": (
        "RSS, resident set size: the main memory that the processes of a lane hold.",
        "RSS, mémoire résidente : la mémoire vive qu'occupent les processus d'une voie.",
    ),
    "explained.bleu": (
        "BLEU, from 0 to 100: how much of the wording two answers share.",
        "BLEU, de 0 à 100 : la part des mots et des suites de mots que deux réponses ont en commun.",
    ),
    "explained.perplexity": (
        "Perplexity: how unlikely the reference model finds an answer; 1 is the least.",
        "Perplexité : à quel point le modèle de référence trouve une réponse improbable ; 1 est le minimum.",
    ),
}
