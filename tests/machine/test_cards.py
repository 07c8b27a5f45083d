"""The table of cards: consistent with itself and with NVML's clocks, and names that can't be mixed up."""

from __future__ import annotations

import pytest

from trtbench.errors import UserError
from trtbench.machine import cards
from trtbench.machine.cards import CARDS, Card

# Bus in bits and Gbit/s a pin, from the sources that the rows name: a second way to each bandwidth.
BUS = {
    "GeForce GTX 1080 Ti": (352, 11),
    "GeForce GTX 1660": (192, 8),
    "GeForce GTX 1660 SUPER": (192, 14),
    "GeForce GTX 1660 Ti": (192, 12),
    "GeForce RTX 2070": (256, 14),
    "GeForce RTX 2070 SUPER": (256, 14),
    "GeForce RTX 2080": (256, 14),
    "GeForce RTX 2080 SUPER": (256, 15.5),
    "GeForce RTX 2080 Ti": (352, 14),
    "TITAN RTX": (384, 14),
    "GeForce RTX 3050 6GB": (96, 14),
    "GeForce RTX 3050 8GB": (128, 14),
    "GeForce RTX 4090 D": (384, 21),
    "GeForce RTX 5060": (128, 28),
    "GeForce RTX 5060 Ti": (128, 28),
    "GeForce RTX 3060 Laptop GPU": (192, 14),
    "GeForce RTX 3070 Laptop GPU": (256, 14),
    "GeForce RTX 3070 Ti Laptop GPU": (256, 14),
    "GeForce RTX 3080 Laptop GPU": (256, 14),
    "GeForce RTX 3080 Ti Laptop GPU": (256, 16),
    "GeForce RTX 4050 Laptop GPU": (96, 16),
    "GeForce RTX 4060 Laptop GPU": (128, 16),
    "GeForce RTX 4070 Laptop GPU": (128, 16),
    "GeForce RTX 4080 Laptop GPU": (192, 18),
    "GeForce RTX 4090 Laptop GPU": (256, 18),
    "GeForce RTX 5070 Laptop GPU": (128, 28),
    "GeForce RTX 5070 Ti Laptop GPU": (192, 28),
    "GeForce RTX 5080 Laptop GPU": (256, 28),
    "GeForce RTX 5090 Laptop GPU": (256, 28),
    "RTX A4000": (256, 14),
    "RTX A5000": (384, 16),
    "RTX A5500": (384, 16),
    "RTX 4500 Ada": (192, 18),
    "RTX 5000 Ada": (256, 18),
    "RTX PRO 4000 Blackwell": (192, 28),
    "RTX PRO 4500 Blackwell": (256, 28),
    "RTX PRO 5000 Blackwell": (384, 28),
    "RTX PRO 6000 Blackwell Workstation Edition": (512, 28),
    "RTX PRO 6000 Blackwell Max-Q Workstation Edition": (512, 28),
    "RTX PRO 6000 Blackwell Server Edition": (512, 25),
    "A2": (128, 12.5),
    "A16": (128, 12.5),
    "A30": (3072, 2.43),
    "A800 40GB": (5120, 2.43),
    "A800 80GB PCIe": (5120, 3.024),
    "A800 80GB SXM": (5120, 3.186),
    "L2": (192, 12.5),
    "L20": (384, 18),
    "H20 96GB": (6144, 5.238),
    "H20 141GB": (6144, 6.402),
    "H800 PCIe": (5120, 3.186),
    "H800 SXM": (5120, 5.238),
    "GB10": (256, 8.533),
    "Jetson AGX Orin": (256, 6.4),
    "GeForce RTX 3060": (192, 15),
    "GeForce RTX 3070": (256, 14),
    "GeForce RTX 3070 Ti": (256, 19),
    "GeForce RTX 3080 10GB": (320, 19),
    "GeForce RTX 3080 12GB": (384, 19),
    "GeForce RTX 3080 Ti": (384, 19),
    "GeForce RTX 3090": (384, 19.5),
    "GeForce RTX 3090 Ti": (384, 21),
    "GeForce RTX 4060": (128, 17),
    "GeForce RTX 4060 Ti": (128, 18),
    "GeForce RTX 4070": (192, 21),
    "GeForce RTX 4070 SUPER": (192, 21),
    "GeForce RTX 4070 Ti": (192, 21),
    "GeForce RTX 4070 Ti SUPER": (256, 21),
    "GeForce RTX 4080": (256, 22.4),
    "GeForce RTX 4080 SUPER": (256, 23),
    "GeForce RTX 4090": (384, 21),
    "GeForce RTX 5070": (192, 28),
    "GeForce RTX 5070 Ti": (256, 28),
    "GeForce RTX 5080": (256, 30),
    "GeForce RTX 5090": (512, 28),
    "RTX A6000": (384, 16),
    "RTX 6000 Ada": (384, 20),
    "T4": (256, 10),
    "V100 PCIe": (4096, 1.754),
    "V100 SXM": (4096, 1.754),
    "V100S PCIe": (4096, 2.214),
    "A10": (384, 12.5),
    "A10G": (384, 12.5),
    "A40": (384, 14.5),
    "A100 40GB": (5120, 2.43),
    "A100 80GB PCIe": (5120, 3.024),
    "A100 80GB SXM": (5120, 3.186),
    "L4": (192, 12.5),
    "L40": (384, 18),
    "L40S": (384, 18),
    "H100 PCIe": (5120, 3.186),
    "H100 SXM": (5120, 5.238),
    "H200": (6144, 6.402),
    "H200 NVL": (6144, 6.402),
    "GH200 96GB": (6144, 5.238),
}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_every_row_is_plausible(card: Card) -> None:
    assert card.source
    assert 100 < card.bandwidth_gbs < 10_000
    assert 1 <= card.l2_mib <= 128
    if card.name in BUS:
        bits, rate = BUS[card.name]
        # H200: 4.8 TB/s is published, bus and clock give 4.92.
        assert bits * rate / 8 == pytest.approx(card.bandwidth_gbs, rel=0.025)
    if card.gate_peak is not None and card.peak is not None:
        assert card.gate_peak > card.peak


def test_names_are_unique_and_each_finds_its_own_row() -> None:
    assert len({card.name for card in CARDS}) == len(CARDS)
    assert set(BUS) <= {card.name for card in CARDS}
    assert [cards.fastest(card.name) for card in CARDS] == list(CARDS)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("NVIDIA GeForce RTX 4070", "GeForce RTX 4070"),
        ("rtx4070", "GeForce RTX 4070"),
        ("RTX 4070 12GB", "GeForce RTX 4070"),
        ("4070", "GeForce RTX 4070"),
        ("RTX 4070 Ti", "GeForce RTX 4070 Ti"),
        ("rtx-4070-super", "GeForce RTX 4070 SUPER"),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", "GeForce RTX 4070 Ti SUPER"),
        ("RTX 4060 Ti 16GB", "GeForce RTX 4060 Ti"),
        ("RTX 3080 10GB", "GeForce RTX 3080 10GB"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA H100 80GB HBM3", "H100 SXM"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA A100-SXM4-40GB", "A100 40GB"),
        ("NVIDIA A100-PCIE-40GB", "A100 40GB"),
        ("A100-40", "A100 40GB"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB SXM"),
        ("NVIDIA A100 80GB PCIe", "A100 80GB PCIe"),
        ("Tesla T4", "T4"),
        ("Tesla V100-SXM2-16GB", "V100 SXM"),
        ("NVIDIA A10", "A10"),
        ("NVIDIA A10G", "A10G"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA RTX A6000", "RTX A6000"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("NVIDIA GH200 480GB", "GH200 96GB"),
        ("NVIDIA GeForce RTX 4090 D", "GeForce RTX 4090 D"),
        ("4090D", "GeForce RTX 4090 D"),
        ("NVIDIA GeForce RTX 2080 Ti", "GeForce RTX 2080 Ti"),
        ("NVIDIA TITAN RTX", "TITAN RTX"),
        ("NVIDIA GeForce GTX 1080 Ti", "GeForce GTX 1080 Ti"),
        ("1660 Ti", "GeForce GTX 1660 Ti"),
        ("NVIDIA GeForce RTX 5060 Ti", "GeForce RTX 5060 Ti"),
        ("RTX 4060 Ti 8GB", "GeForce RTX 4060 Ti"),
        ("NVIDIA GeForce RTX 4070 Laptop GPU", "GeForce RTX 4070 Laptop GPU"),
        ("RTX 4090 Mobile", "GeForce RTX 4090 Laptop GPU"),
        ("RTX 4090 Laptop 16GB", "GeForce RTX 4090 Laptop GPU"),
        ("NVIDIA GeForce RTX 3080 Ti Laptop GPU", "GeForce RTX 3080 Ti Laptop GPU"),
        ("RTX 3080 Laptop 8GB", "GeForce RTX 3080 Laptop GPU"),
        ("NVIDIA RTX A4000", "RTX A4000"),
        ("NVIDIA RTX 5000 Ada Generation", "RTX 5000 Ada"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000 Blackwell Server Edition"),
        (
            "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition",
            "RTX PRO 6000 Blackwell Max-Q Workstation Edition",
        ),
        ("NVIDIA RTX PRO 4500 Blackwell", "RTX PRO 4500 Blackwell"),
        ("NVIDIA L20", "L20"),
        ("NVIDIA L2", "L2"),
        ("NVIDIA A30", "A30"),
        ("NVIDIA A16", "A16"),
        ("NVIDIA H20-3e", "H20 141GB"),
        ("NVIDIA A800-SXM4-80GB", "A800 80GB SXM"),
        ("NVIDIA A800 80GB PCIe", "A800 80GB PCIe"),
        ("NVIDIA A800 40GB Active", "A800 40GB"),
        ("NVIDIA A800-SXM4-40GB", "A800 40GB"),
        ("NVIDIA GeForce RTX 2070 Super", "GeForce RTX 2070 SUPER"),
        ("NVIDIA RTX PRO 5000 72GB Blackwell", "RTX PRO 5000 Blackwell"),
        ("NVIDIA GeForce RTX 5070 Laptop GPU", "GeForce RTX 5070 Laptop GPU"),
        ("RTX 5070 Laptop 8GB", "GeForce RTX 5070 Laptop GPU"),
        ("NVIDIA H800 PCIe", "H800 PCIe"),
        ("NVIDIA B300 SXM6 AC", "B300"),
        ("NVIDIA GB200", "GB200"),
        ("NVIDIA GB300", "GB300"),
        ("NVIDIA GB10", "GB10"),
        ("DGX Spark", "GB10"),
    ],
)
def test_names_as_people_and_nvml_write_them(written: str, name: str) -> None:
    assert cards.fastest(written).name == name


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("A100", ["A100 40GB", "A100 80GB PCIe", "A100 80GB SXM"]),
        ("A100 80GB", ["A100 80GB PCIe", "A100 80GB SXM"]),
        ("H100", ["H100 PCIe", "H100 SXM", "H100 NVL"]),
        ("RTX 3080", ["GeForce RTX 3080 10GB", "GeForce RTX 3080 12GB"]),
        ("RTX 3050", ["GeForce RTX 3050 6GB", "GeForce RTX 3050 8GB"]),
        ("NVIDIA H20", ["H20 96GB", "H20 141GB"]),
        ("NVIDIA H800", ["H800 PCIe", "H800 SXM"]),
        ("A800", ["A800 40GB", "A800 80GB PCIe", "A800 80GB SXM"]),
        (
            "RTX PRO 6000",
            [
                "RTX PRO 6000 Blackwell Workstation Edition",
                "RTX PRO 6000 Blackwell Max-Q Workstation Edition",
                "RTX PRO 6000 Blackwell Server Edition",
            ],
        ),
    ],
)
def test_an_ambiguous_name_gives_the_upper_envelope(written: str, names: list[str]) -> None:
    envelope = cards.fastest(written)
    rows = [cards.fastest(name) for name in names]
    for row in rows:
        assert row.name in envelope.name
        assert envelope.bandwidth >= row.bandwidth
        assert envelope.cache >= row.cache
        assert envelope.memory >= row.memory
        assert envelope.host_gbs >= row.host_gbs
        assert envelope.peer >= row.peer
        assert envelope.gate_peak is None or (row.gate_peak is not None and envelope.gate_peak >= row.gate_peak)


@pytest.mark.parametrize(
    "written",
    [
        "RTX 4070 24GB",
        "RTX 4090 48GB",
        "RTX 3080 16GB",
        "NVIDIA GeForce RTX 2080 with Max-Q Design",
        "NVIDIA GeForce RTX 3050 Laptop GPU",
        "NVIDIA GeForce RTX 5060 Laptop GPU",
        "NVIDIA RTX 5000 Ada Generation Laptop GPU",
        "NVIDIA RTX PRO 4500 Blackwell Server Edition",
        "NVIDIA RTX A5000 Laptop GPU",
        "NVIDIA RTX A4000H",
        "NVIDIA H800 NVL",
        "NVIDIA A800 80GB PCIe LC",
        "NVIDIA AX800",
        "Laptop GPU",
        "A100 20GB",
        "RTX",
        "",
        "RTX 5090 D",
        "AMD Instinct MI300X",
        "70",
        "Ti",
    ],
)
def test_other_cards_are_not_taken_for_known_ones(written: str) -> None:
    with pytest.raises(UserError, match="--bandwidth-gbs"):
        cards.fastest(written)


def test_a_near_miss_names_its_neighbours() -> None:
    with pytest.raises(UserError, match="GeForce RTX 4070"):
        cards.fastest("RTX 4071")


@pytest.mark.parametrize(
    ("name", "bus_bits", "clock_mhz", "published_gbs"),
    [
        ("RTX 3060", 192, 7501, 360),
        ("RTX 4070", 192, 10501, 504),
        ("RTX 4090", 384, 10501, 1008),
        ("A100 40GB", 5120, 1215, 1555),
        ("A100 80GB SXM", 5120, 1593, 2039),
        ("A100 80GB PCIe", 5120, 1512, 1935),
        ("L4", 192, 6251, 300),
        ("T4", 256, 5001, 320),
        ("H100 SXM", 5120, 2619, 3350),
        ("H100 PCIe", 5120, 1593, 2039),
        ("RTX 5090", 512, 14001, 1792),
        ("V100 SXM", 4096, 877, 900),
    ],
)
def test_bandwidth_from_nvml_clocks_is_the_published_one(
    name: str, bus_bits: int, clock_mhz: int, published_gbs: float
) -> None:
    assert cards.bandwidth_from_clock(bus_bits, clock_mhz) == pytest.approx(published_gbs * 1e9, rel=0.003)
    assert cards.fastest(name).bandwidth_gbs == published_gbs


def test_h200_reports_more_than_its_datasheet() -> None:
    assert cards.bandwidth_from_clock(6144, 3201) == pytest.approx(4.917e12, rel=1e-3)
    assert cards.fastest("H200").bandwidth == 4.8e12


@pytest.mark.parametrize("card", [card for card in CARDS if "Laptop" in card.name], ids=lambda card: card.name)
def test_a_laptop_is_never_taken_for_the_desktop_card_of_its_name(card: Card) -> None:
    desktop = card.name.replace(" Laptop GPU", "")
    for name in (card.name, f"NVIDIA {card.name}", f"{desktop} Laptop", f"{desktop} Mobile"):
        assert cards.fastest(name) == card
    try:
        other = cards.fastest(desktop)
    except UserError:
        return  # there is no such desktop card, or none that is known
    assert "Laptop" not in other.name and other.bandwidth >= card.bandwidth


def test_every_card_has_memory_and_a_link_to_what_lies_outside() -> None:
    for card in CARDS:
        assert 6 <= card.memory_gb <= 288
        # No faster than what the card reads of its own, and PCIe 5.0 x16 at least: a slower slot refutes nobody.
        assert cards.PCIE <= card.host_gbs <= card.bandwidth_gbs
        # Over PCIe where there is no faster link: a bridge that is missing refutes nobody.
        assert card.host_gbs * 1e9 <= card.peer <= card.bandwidth
    assert cards.fastest("GH200").host_gbs == cards.fastest("GB200").host_gbs == 450
    assert [cards.fastest(name).peer / 1e9 for name in ("H200", "H100 PCIe", "A100", "RTX 3090")] == [450, 300, 300, 64]


def test_editions_that_share_a_name_are_bound_by_the_largest() -> None:
    # Memory in GB and nominal GB/s of each edition that is sold under the name.
    for name, editions in {
        "RTX 4060 Ti": [(8, 288), (16, 288)],
        "RTX 5060 Ti": [(8, 448), (16, 448)],
        "RTX 5070 Laptop": [(8, 384), (12, 384)],
        "RTX 3080 Laptop": [(8, 448), (16, 448)],
        "RTX PRO 5000": [(48, 1344), (72, 1344)],
        "RTX PRO 6000": [(96, 1792), (96, 1597)],
        "RTX 3050": [(4, 192), (6, 168), (8, 224)],
        "B200": [(180, 7700), (192, 8000)],
        "GB200": [(186, 8000), (192, 8000)],
        "B300": [(270, 7700), (288, 8000)],
        "H20": [(96, 4000), (141, 4800)],
        "Jetson AGX Orin": [(32, 204.8), (64, 204.8)],
    }.items():
        card = cards.fastest(name)
        assert all(card.memory_gb >= gigabytes and card.bandwidth_gbs >= rate for gigabytes, rate in editions), name
