#Requires -Version 5.1
# Runs a profile of docker-compose.yml with the exit status that counts: plain `up` ends with 0 when its service fails.
# scripts/up.sh is the same for bash: flags, exit status and help text are equal, and a test holds them so.
# There is no param block on purpose: the flags are spelled --help and not -Help, so they are read from $args.

Set-StrictMode -Version Latest
# Docker writes its progress to standard error; that alone is no failure.
$ErrorActionPreference = 'Continue'
Set-Location (Split-Path -Parent $PSScriptRoot)

$USAGE = @'
Usage: up [OPTION ...] [PROFILE]

Builds what the profile needs, runs its service in Docker, and checks that its results are new.

  profile        service              result
  auto           benchmark-full       engine, all lanes interleaved, comparison (the default)
  build-only     build-engine         the TensorRT engine
  pytorch-only   benchmark-pytorch    the PyTorch lanes
  tensorrt-only  benchmark-tensorrt   the TensorRT-LLM lanes
  vllm-only      benchmark-vllm       the vLLM lane, in vLLM's own image
  compare-only   compare-results      the comparison, without a GPU
  cpu            benchmark-cpu        the CPU lanes and their comparison, without a GPU

Options:
  --no-build  take the image as it is
  --help      show this text

Exit status: the service's own; 2 for a wrong argument, 3 when Docker Compose is not there,
4 when the service ended well and its results are not from this run.
'@

function Stop-WithError([string]$Sentence, [int]$Status) {
    [Console]::Error.WriteLine("error: $Sentence")
    exit $Status
}

$profileName = ''
$build = $true
foreach ($argument in $args) {
    if ($argument -eq '--help') {
        Write-Output $USAGE
        exit 0
    } elseif ($argument -eq '--no-build') {
        $build = $false
    } elseif ("$argument".StartsWith('-')) {
        Stop-WithError "$argument is not an option; --help lists them." 2
    } elseif ($profileName -ne '') {
        Stop-WithError "one profile at a time: $profileName or $argument." 2
    } else {
        $profileName = "$argument"
    }
}
if ($profileName -eq '') { $profileName = 'auto' }

$results = 'data/results'
$comparison = @("$results/benchmark_comparison_report.json", "$results/benchmark_comparison.png")
$fresh = @()
switch -CaseSensitive ($profileName) {
    'auto' { $service = 'benchmark-full'; $fresh = $comparison }
    'build-only' { $service = 'build-engine' }
    'pytorch-only' { $service = 'benchmark-pytorch'; $fresh = @("$results/pytorch_benchmark.json") }
    'tensorrt-only' { $service = 'benchmark-tensorrt'; $fresh = @("$results/tensorrt_benchmark.json") }
    'vllm-only' { $service = 'benchmark-vllm'; $fresh = @("$results/vllm_benchmark.json") }
    'compare-only' { $service = 'compare-results'; $fresh = $comparison }
    'cpu' { $service = 'benchmark-cpu'; $fresh = $comparison }
    default { Stop-WithError "$profileName is not a profile; --help lists them." 2 }
}

$compose = $null
if (Get-Command docker -ErrorAction SilentlyContinue) {
    docker compose version *> $null
    if ($LASTEXITCODE -eq 0) { $compose = @('docker', 'compose') }
}
if (-not $compose -and (Get-Command docker-compose -ErrorAction SilentlyContinue)) { $compose = @('docker-compose') }
if (-not $compose) { Stop-WithError 'Docker Compose is not installed; see NVIDIA_SETUP.md.' 3 }
$program = $compose[0]
$leading = @($compose | Select-Object -Skip 1) + @('--profile', $profileName)

# The profile's services as Compose has them, with what the environment and .env set.
function Get-Services {
    $inside = $false
    foreach ($line in @(& $program @leading config 2> $null)) {
        if ($line -match '^\S') { $inside = $line -match '^services:' }
        if ($inside) { $line }
    }
}

# A card is reserved by its number, which can't be a list: for several, docker/compose.cards.yml takes the place of that.
$had = @(Get-Services) -join "`n"
$size = 1
if ($had -match '(?m)^ +TP_SIZE: *["'']?([0-9]{1,3})["'']?$') { $size = [int]$Matches[1] }
if ($size -gt 1 -and $had.Contains('device_ids:')) {
    $separator = if ($env:COMPOSE_PATH_SEPARATOR) { $env:COMPOSE_PATH_SEPARATOR } else { [IO.Path]::PathSeparator }
    $files = $env:COMPOSE_FILE
    if (-not $files -and (Test-Path .env)) {
        $named = @(Get-Content .env) -match '^ *(export +)?COMPOSE_FILE='
        if ($named) { $files = $named[-1] -replace '^.*?=["'']?([^"'' #]*).*$', '$1' }
    }
    if (-not $files) {
        $files = 'docker-compose.yml'
        if (Test-Path docker-compose.override.yml) { $files += "${separator}docker-compose.override.yml" }
    }
    # Right behind the first one, so that the user's own files have the last word.
    $first, $rest = $files.Split($separator)
    $env:COMPOSE_FILE = (@($first, 'docker/compose.cards.yml') + @($rest | Where-Object { $_ })) -join $separator
    $had = @(Get-Services) -join "`n"
    if ($had -eq '' -or $had.Contains('device_ids:')) {
        Stop-WithError "TP_SIZE above 1 needs Docker Compose 2.24.4 or newer; update it, or set TP_SIZE=1." 3
    }
}

# What it takes, where a Python is here to tell; settings that are wrong are told by the service.
$path = $env:PYTHONPATH
$env:PYTHONPATH = 'scripts'
foreach ($python in 'python3', 'python') {
    if (Get-Command $python -ErrorAction SilentlyContinue) {
        & $python -B -m trtbench.doctor --estimate $profileName 2> $null
        if ($LASTEXITCODE -eq 0) { break }
    }
}
$env:PYTHONPATH = $path

# For the images' labels, where this is a clone and git is here: a public address, without a password that may stand in it.
if ((Test-Path .git) -and (Get-Command git -ErrorAction SilentlyContinue)) {
    $env:TRTBENCH_REVISION = git describe '--always' '--dirty' '--abbrev=40' '--exclude=*' 2> $null
    $env:TRTBENCH_SOURCE = @(git remote get-url origin 2> $null) -match '^https?://' -replace '://[^/]*@', '://'
}

# Docker would make a missing folder as root.
New-Item -ItemType Directory -Force -Path $results | Out-Null
$began = [DateTime]::UtcNow

# An old container would show its old output, and Compose 1.29 fails on one whose image was made anew.
& $program @leading rm --force --stop $service
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
if ($build) {
    & $program @leading build $service
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}
& $program @leading up --no-build --exit-code-from $service $service
$status = $LASTEXITCODE
if ($status -ne 0) { Stop-WithError "$service ended with exit status $status; its messages stand above." $status }

if ($profileName -ceq 'build-only' -and -not (Test-Path 'data/engines/*/engine.json')) {
    Stop-WithError "$service ended well, but data/engines holds no engine." 4
}
foreach ($file in $fresh) {
    if (-not (Test-Path $file) -or (Get-Item $file).LastWriteTimeUtc -lt $began) {
        Stop-WithError "$service ended well, but $file is not from this run." 4
    }
}
exit 0
