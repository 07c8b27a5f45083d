"""What the reports say of what stands beside the figures, in English and French: other clocks than ours, and the card."""

from __future__ import annotations

BESIDE: dict[str, tuple[str, str]] = {
    "clocks.title": ("By other clocks", "D'après d'autres horloges"),
    "clocks.engine": (
        "A lane's line is by the engine's own clock, of one more generation a trial, not timed by us: mean of the trials, in a batch its last sequence. It starts once the ids are handed over, and enters no other figure.",
        "La ligne d'une voie vient de l'horloge du moteur lui-même, pour une génération de plus par essai, que nous n'avons pas mesurée : moyenne des essais, dans un lot sa dernière séquence. Elle démarre une fois les identifiants remis et n'entre dans aucun autre chiffre.",
    ),
    "clocks.trtllm_bench": (
        "trtllm-bench streams one sequence at a time, by its own clock. It also turns on TRTLLM_ENABLE_PDL and FORCE_MULTI_BLOCK_MODE and sets the block size of the MMHA kernels, which the lane does not. It changes no verdict.",
        "trtllm-bench produit en flux une séquence à la fois, d'après sa propre horloge. Il active aussi TRTLLM_ENABLE_PDL et FORCE_MULTI_BLOCK_MODE et fixe la taille de bloc des noyaux MMHA, ce que la voie ne fait pas. Il ne change aucun verdict.",
    ),
    "clocks.problem": (
        "trtllm-bench, {precision}: not shown, since {reason}",
        "trtllm-bench, {precision} : non montré, car {reason}",
    ),
    "clocks.ours": ("timed by us (ms)", "mesuré par nous (ms)"),
    "clocks.ttft": ("TTFT (ms)", "TTFT (ms)"),
    "clocks.queued": ("Waiting before (ms)", "Attente avant (ms)"),
    "clocks.reused": ("KV blocks reused", "Blocs KV réemployés"),
    "card.title": ("The card during the timed calls", "La carte pendant les appels mesurés"),
    "card.title_cards": (
        "The cards during the timed calls (power is one card's on average)",
        "Les cartes pendant les appels mesurés (puissance moyenne d'une carte)",
    ),
    "card.sm_clock": ("SM clock (MHz)", "Fréquence SM (MHz)"),
    "card.sm_clock_max": ("Its highest (MHz)", "Son maximum (MHz)"),
    "card.temperature": ("Temperature, highest (°C)", "Température maximale (°C)"),
    "card.power": ("Power, mean (W)", "Puissance moyenne (W)"),
    "card.power_cap": ("Power cap (W)", "Plafond de puissance (W)"),
    "card.power_cap_default": ("Its default (W)", "Par défaut (W)"),
    "card.held_back": ("Clock held back by", "Fréquence bridée par"),
    "card.nothing": ("nothing", "rien"),
    "card.says_clock": ("SM clock {mhz} MHz", "fréquence SM {mhz} MHz"),
    "card.says_clock_of": ("SM clock {mhz} of {most:i} MHz", "fréquence SM {mhz} sur {most:i} MHz"),
    "card.says_temperature": ("up to {celsius:i} °C", "jusqu'à {celsius:i} °C"),
    "card.says_power": ("{watts} W", "{watts} W"),
    "card.says_power_of": ("{watts} W of a cap of {cap} W", "{watts} W sur un plafond de {cap} W"),
    "card.says_cap": ("power cap {cap} W", "plafond de puissance {cap} W"),
    "card.says_lowered": ("below the card's default of {watts} W", "sous les {watts} W par défaut de la carte"),
    "card.says_held_back": ("clock held back by: {reasons}", "fréquence bridée par : {reasons}"),
    "card.reason.applications_clocks_setting": ("a fixed clock", "une fréquence fixée"),
    "card.reason.sw_power_cap": ("the power cap", "le plafond de puissance"),
    "card.reason.hw_slowdown": ("the hardware (heat or power)", "le matériel (chaleur ou puissance)"),
    "card.reason.sync_boost": ("another card of its group", "une autre carte de son groupe"),
    "card.reason.sw_thermal_slowdown": ("heat (by the driver)", "la chaleur (par le pilote)"),
    "card.reason.hw_thermal_slowdown": ("heat (by the hardware)", "la chaleur (par le matériel)"),
    "card.reason.hw_power_brake_slowdown": ("the power supply", "l'alimentation électrique"),
    "card.reason.display_clock_setting": ("the display", "l'affichage"),
}
