"""setup_nvidia_auth.sh and .ps1 are one program in two languages: same flags, exit status, help and reading of Docker.

PowerShell is not run here; its file is checked for grammar and read as text.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SH = (ROOT / "setup_nvidia_auth.sh").read_text(encoding="utf-8")
PS1 = (ROOT / "setup_nvidia_auth.ps1").read_text(encoding="utf-8")

# Words of real clients (20.10 and 28.2) and daemons, and what they mean.
SAYINGS = [
    (
        'error pinging v2 registry: Get "https://nvcr.io/v2/": dial tcp: lookup nvcr.io on 10.0.0.1:53: no such host',
        "network",
    ),
    ('Get "https://127.0.0.1:5401/v2/": dial tcp 127.0.0.1:5401: connect: connection refused', "network"),
    ('Get "https://nvcr.io/v2/": net/http: TLS handshake timeout', "network"),
    ('Get "https://nvcr.io/v2/": EOF', "network"),
    ("no answer within 60 seconds (timeout)", "network"),
    ('Get "https://nvcr.io/v2/": proxyconnect tcp: dial tcp 127.0.0.1:9: connect: connection refused', "proxy"),
    ('Get "https://nvcr.io/v2/": Proxy Authentication Required', "proxy"),
    ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "certificate"),
    ("http: server gave HTTP response to HTTPS client", "certificate"),
    ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", "daemon"),
    ("permission denied while trying to connect to the docker API at unix:///var/run/docker.sock", "daemon"),
    ("error during connect: open //./pipe/docker_engine: The system cannot find the file specified.", "daemon"),
    ('error getting credentials - err: exec: "docker-credential-desktop.exe": executable file not found', "store"),
    ("Error saving credentials: open /home/u/.docker/config.json12: permission denied", "store"),
    ("toomanyrequests: too many", "busy"),
    ("received unexpected HTTP status: 503 Service Unavailable", "busy"),
    ('Get "http://127.0.0.1:5401/v2/a/manifests/1": no basic auth credentials', "unauthorized"),
    ("login attempt to http://127.0.0.1:5401/v2/ failed with status: 401 Unauthorized", "unauthorized"),
    ('Get "https://nvcr.io/v2/": unauthorized: <html><h1>401</h1></html>', "unauthorized"),
    ("denied: access denied", "denied"),
    ("unknown: Payment Required", "denied"),
    ("no such manifest: nvcr.io/nvidia/x:1", "missing"),
    ("manifest unknown", "missing"),
    ("something nobody has seen before", "unknown"),
]


def help_of_sh() -> str:
    return subprocess.run(
        ["bash", str(ROOT / "setup_nvidia_auth.sh"), "--help"], capture_output=True, text=True, check=True
    ).stdout


def help_of_ps1() -> str:
    found = re.search(r"\$USAGE = @'\n(.*?)\n'@", PS1, re.DOTALL)
    assert found
    return found.group(1) + "\n"


def constants(text: str, pattern: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(pattern, text, re.MULTILINE)}


SH_STATUS = constants(SH, r"^readonly (EXIT_[A-Z_]+)=(\d+)$")
PS1_STATUS = constants(PS1, r"^\$(EXIT_[A-Z_]+) = (\d+)$")


def test_help_is_the_same_text() -> None:
    assert help_of_ps1() == help_of_sh()


def test_exit_status_is_the_same_table() -> None:
    assert len(SH_STATUS) == 12
    assert PS1_STATUS == SH_STATUS


def test_the_help_documents_every_exit_status_and_no_other() -> None:
    listed = re.search(r"Exit status:\n(.*)", help_of_sh(), re.DOTALL)
    assert listed
    assert sorted(int(n) for n in re.findall(r"^  (\d+) ", listed.group(1), re.MULTILINE)) == sorted(SH_STATUS.values())


def test_nvidia_setup_documents_the_same_exit_status() -> None:
    page = (ROOT / "NVIDIA_SETUP.md").read_text(encoding="utf-8")
    assert [int(n) for n in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == sorted(SH_STATUS.values())


@pytest.mark.parametrize("name", sorted(SH_STATUS))
def test_every_exit_status_is_used_in_both(name: str) -> None:
    assert len(re.findall(rf"\${name}\b", SH)) >= 1
    assert len(re.findall(rf"\${name}\b", PS1)) >= 2  # the assignment counts as one


def test_both_take_the_flags_of_the_help_and_no_other() -> None:
    documented = set(re.findall(r"^  (--[a-z-]+)", help_of_sh(), re.MULTILINE))
    assert documented == {"--check", "--logout", "--key-file", "--registry", "--image", "--timeout", "--help"}
    loop = SH[SH.index('while [ "$#" -gt 0 ]') : SH.index("if ! [[ $timeout")]
    options = PS1[PS1.index("function Read-Options") : PS1.index("if ($seconds -notmatch")]
    assert set(re.findall(r"(--[a-z-]+)(?==?\?|[ |)])", re.sub(r'"[^"]*"', "", loop))) == documented
    assert set(re.findall(r"'(--[a-z-]+)'", options)) == documented


@pytest.mark.parametrize(
    "pattern",
    [
        r"https://org\.ngc\.nvidia\.com/[a-z/-]+",
        r"\bnvcr\.io\b",
        r"nvidia/tensorrt-llm/release:[0-9.]+",
        r"\$oauthtoken",
    ],
)
def test_both_name_the_same_addresses(pattern: str) -> None:
    assert set(re.findall(pattern, SH)) == set(re.findall(pattern, PS1)) != set()


@pytest.mark.parametrize(("words", "meaning"), SAYINGS)
def test_both_read_dockers_words_alike(words: str, meaning: str) -> None:
    function = SH[SH.index("failure() (") : SH.index("\n)\n", SH.index("failure() (")) + 3]
    told = subprocess.run(
        ["bash", "-c", f"{function}\nout=$1; failure", "bash", words], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert told == meaning
    body = PS1[PS1.index("function Get-Failure") : PS1.index("function Hide-Password")]
    rules = re.findall(r"^        '([^']+)' \{ return '([a-z]+)' \}$", body, re.MULTILINE)
    assert len(rules) == 9
    assert next((name for rule, name in rules if re.search(rule, words, re.IGNORECASE)), "unknown") == meaning


def syntax_errors(source: bytes) -> list[str]:
    grammar = pytest.importorskip(
        "tree_sitter_powershell", reason="tree-sitter-powershell is not installed, so PowerShell's grammar is unchecked"
    )
    tree_sitter = pytest.importorskip("tree_sitter", reason="tree-sitter is not installed")

    def wrong(node: Any) -> Iterator[str]:
        if node.type == "ERROR" or node.is_missing:
            yield f"line {node.start_point[0] + 1}: {source[node.start_byte : node.start_byte + 40]!r}"
        elif node.has_error:
            for child in node.children:
                yield from wrong(child)

    parser = tree_sitter.Parser(tree_sitter.Language(grammar.language()))
    return list(wrong(parser.parse(source).root_node))


def test_powershell_grammar() -> None:
    assert syntax_errors(PS1.encode()) == []
    # The check has to be able to fail.
    assert syntax_errors(PS1.replace("function Get-Key {", "function Get-Key ", 1).encode())


def test_powershell_runs_under_5_1_and_strict() -> None:
    assert PS1.startswith("#Requires -Version 5.1\n")
    assert "Set-StrictMode -Version Latest" in PS1
    assert PS1.isascii(), "5.1 reads a file without a byte order mark in the machine's own code page"
    newer = re.findall(r"\?\?|&&|\|\||\$\{?\w+\}?\?\.|-MaskInput|ArgumentList\.Add", PS1)
    assert newer == [], "not known to 5.1"


def test_neither_puts_the_key_on_a_command_line() -> None:
    assert SH.count("--password-stdin") == PS1.count("--password-stdin") == 1
    code = re.sub(r"^\s*#.*$", "", SH + PS1, flags=re.MULTILINE)
    assert not re.findall(r"docker login.*(?:-p |--password[ =])", code)
    assert "<<<" not in code, "a here-string may lie in a file for a moment"


def test_both_drop_what_was_typed_before_the_question_and_at_the_end() -> None:
    before = SH[SH.index('key_source="what you typed"') : SH.index("IFS= read -rs ngc_key")]
    assert "drop_typed" in before and before.index("drop_typed") < before.index("NGC key (not shown")
    assert "drop_typed; stty" in SH[SH.index("clean_up() {") : SH.index("trap clean_up EXIT")]
    assert re.search(r"\n +Clear-Typed\n +\$script:key = Read-TypedKey\n", PS1)
    assert re.search(r"\n} finally {\n(    [^\n]+\n)*    Clear-Typed\n", PS1)
    condition = re.search(r"\nfunction Clear-Typed {\n    if \((.*)\) { return }\n", PS1)
    assert condition and condition[1] == (
        "$mode -ne 'login' -or $keyFile -ne '' -or $givenKey -ne '' -or [Console]::IsInputRedirected"
    )
    assert '[ "$mode$key_file$given_key" = login ] && [ -t 0 ]' in SH
