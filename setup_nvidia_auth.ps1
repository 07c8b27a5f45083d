#Requires -Version 5.1
# Lets Docker pull the TensorRT-LLM image from NVIDIA's registry; NVIDIA_SETUP.md goes through it step by step.
# setup_nvidia_auth.sh is the same for bash: flags, exit status and help text are equal, and a test holds them so.
# There is no param block on purpose: the flags are spelled --check and not -Check, so they are read from $args.

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$EXIT_OK = 0
$EXIT_UNKNOWN = 1
$EXIT_INPUT = 2
$EXIT_NO_DOCKER = 3
$EXIT_NO_DAEMON = 4
$EXIT_KEY_REFUSED = 5
$EXIT_NO_NETWORK = 6
$EXIT_PROXY = 7
$EXIT_NO_IMAGE = 8
$EXIT_KEY_NEEDED = 9
$EXIT_NOT_STORED = 10
$EXIT_INTERRUPTED = 130

$DEFAULT_REGISTRY = 'nvcr.io'
$DEFAULT_IMAGE = 'nvidia/tensorrt-llm/release:1.2.1'
# NVIDIA's fixed user name for keys: these letters, not a variable.
$LOGIN_USER = '$oauthtoken'
$KEYS_PAGE = 'https://org.ngc.nvidia.com/setup/api-keys'

$USAGE = @'
Usage: setup_nvidia_auth [OPTION ...]

Makes sure that Docker can pull NVIDIA's TensorRT-LLM image. Asks the registry for
the image without a login first; when that works there is nothing to set up.
Otherwise it logs Docker in with your NGC key and checks that the image can be read.

The key comes from --key-file, else from the environment variable NGC_API_KEY, else
it is asked for without being shown. It is never a command-line argument.

Options:
  --check            change nothing; say whether the image can be read now
  --logout           remove the stored login
  --key-file FILE    read the key from FILE (the key alone, or a line NGC_API_KEY=key),
                     or from standard input when FILE is -
  --registry HOST    registry to log in to (default nvcr.io)
  --image NAME:TAG   image to ask for (default nvidia/tensorrt-llm/release:1.2.1)
  --timeout SECONDS  longest wait for each answer, 1 to 600 (default 60)
  --help             show this text

Exit status:
  0    the image can be read, or the logout is done
  1    Docker failed in a way that this script doesn't know; its words are shown
  2    an option or the key has the wrong form
  3    Docker is not installed
  4    the Docker daemon is not running, or you may not use it
  5    the registry refuses the key or the stored login: wrong, expired or revoked
  6    the registry can't be reached, is out of order, or answers too slowly
  7    a proxy or a certificate is in the way
  8    the login is accepted, but the image can't be read
  9    a key is needed and there is none
  10   Docker's store of logins can't be read or written
  130  interrupted
'@

function Exit-With {
    param([int]$Status, [string[]]$Lines)
    foreach ($line in $Lines) { [Console]::Error.WriteLine($line) }
    $script:finished = $true
    exit $Status
}

# ---- options ----------------------------------------------------------------------------------

# An argument may be a key typed by mistake, so only what looks like an option is repeated.
function Exit-BadArgument {
    param([string]$Word, [int]$Position)
    if ($Word -match '^(--?[a-z][a-z-]{0,19})(=.*)?$') {
        $option = $Matches[1]
        if (@('--key', '-key', '--api-key', '--token', '--password') -contains $option) {
            Exit-With $EXIT_INPUT @(
                "$option does not exist: a key on the command line is visible to every user and stays in the shell's",
                "history. Use NGC_API_KEY, --key-file, or wait to be asked. If you typed a real key, revoke it: $KEYS_PAGE")
        }
        Exit-With $EXIT_INPUT "Unknown option $option; --help lists the options."
    }
    Exit-With $EXIT_INPUT @(
        "Argument $Position is not an option (it is not repeated here in case it is a key); --help lists the options.",
        "If it was a key, it is now in your shell's history: revoke it at $KEYS_PAGE")
}

$mode = 'login'
$registry = ''
$image = $DEFAULT_IMAGE
$keyFile = ''
$seconds = '60'
$said = ''
$key = ''
$keySource = ''
$work = ''
$stored = 'Nothing was stored.'
$finished = $false
$words = @($args | ForEach-Object { [string]$_ })
$piped = @($input)

function Read-Options {
    $i = 0
    while ($i -lt $words.Count) {
        $word = $words[$i]
        $position = $i + 1
        $value = $null
        if ($word -match '^(--(?:key-file|registry|image|timeout))=(.*)$') {
            $word = $Matches[1]
            $value = $Matches[2]
        }
        switch -CaseSensitive ($word) {
            { @('--help', '-h') -ccontains $_ } { $USAGE; $script:finished = $true; exit $EXIT_OK }
            '--check' { $script:mode = 'check' }
            '--logout' { $script:mode = 'logout' }
            { @('--key-file', '--registry', '--image', '--timeout') -ccontains $_ } {
                if ($null -eq $value) {
                    $i++
                    if ($i -ge $words.Count) { Exit-With $EXIT_INPUT "$word needs a value; --help lists the options." }
                    $value = $words[$i]
                }
                if ($value -eq '') { Exit-With $EXIT_INPUT "$word needs a value that is not empty." }
                switch ($word) {
                    '--key-file' { $script:keyFile = $value }
                    '--registry' { $script:registry = $value }
                    '--image' { $script:image = $value }
                    '--timeout' { $script:seconds = $value }
                }
            }
            default { Exit-BadArgument $word $position }
        }
        $i++
    }
    if ($seconds -notmatch '^[0-9]{1,3}$' -or [int]$seconds -lt 1 -or [int]$seconds -gt 600) {
        Exit-With $EXIT_INPUT "--timeout is '$seconds'; it must be a whole number of seconds from 1 to 600."
    }
    if ($keyFile -ne '' -and $keyFile -ne '-' -and -not (Test-Path -LiteralPath $keyFile -PathType Leaf)) {
        Exit-With $EXIT_INPUT "--key-file is '$keyFile'; there is no such file."
    }
    if ($image -match '^([^/]*[.:][^/]*|localhost)/(.+)$') {
        $first = $Matches[1]
        $rest = $Matches[2]
        if ($registry -ne '' -and $registry -ne $first) {
            Exit-With $EXIT_INPUT "--image names the registry $first and --registry says $registry; give the registry once."
        }
        $script:registry = $first
        $script:image = $rest
    }
    if ($registry -eq '') { $script:registry = $DEFAULT_REGISTRY }
    if ($registry -notmatch '^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$') {
        Exit-With $EXIT_INPUT @(
            "--registry is '$registry'; it must be a host with an optional port, such as nvcr.io, without https:// or a path.")
    }
    if ($image -cnotmatch '^[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$') {
        Exit-With $EXIT_INPUT "--image is '$image'; it must look like nvidia/tensorrt-llm/release:1.2.1."
    }
}

# ---- running docker ---------------------------------------------------------------------------

# Runs docker and returns its exit status. Its words go to $said, without the key; status 124: it took too long.
function Invoke-Docker {
    param([string[]]$Arguments, [string]$Secret = '', [string]$ConfigFolder = '')
    $info = New-Object System.Diagnostics.ProcessStartInfo
    $info.FileName = $docker
    # None of the words can hold a blank or a quote (Read-Options checks them), so joining them is safe.
    $info.Arguments = $Arguments -join ' '
    $info.UseShellExecute = $false
    $info.CreateNoWindow = $true
    $info.RedirectStandardInput = $true
    $info.RedirectStandardOutput = $true
    $info.RedirectStandardError = $true
    $info.EnvironmentVariables.Remove('NGC_API_KEY')
    if ($ConfigFolder -ne '') {
        $info.EnvironmentVariables['DOCKER_CONFIG'] = $ConfigFolder
        $info.EnvironmentVariables.Remove('DOCKER_AUTH_CONFIG')
    }
    # Windows PowerShell 5.1 starts the child's input with a byte order mark when the console is UTF-8: a wrong key.
    $consoleEncoding = [Console]::InputEncoding
    $hasMark = $consoleEncoding.GetPreamble().Length -gt 0
    if ($hasMark) { [Console]::InputEncoding = New-Object System.Text.UTF8Encoding $false }
    try {
        $process = [System.Diagnostics.Process]::Start($info)
        $output = $process.StandardOutput.ReadToEndAsync()
        $errors = $process.StandardError.ReadToEndAsync()
        $bytes = [System.Text.Encoding]::ASCII.GetBytes($Secret)
        try {
            $process.StandardInput.BaseStream.Write($bytes, 0, $bytes.Length)
            $process.StandardInput.Close()
        } catch [System.IO.IOException] {
            # Docker ended without reading; its exit status and words say why.
            $bytes = $null
        }
    } finally {
        if ($hasMark) { [Console]::InputEncoding = $consoleEncoding }
    }
    if (-not $process.WaitForExit([int]$seconds * 1000)) {
        $process.Kill()
        $script:said = "no answer within $seconds seconds (timeout)"
        return 124
    }
    $process.WaitForExit()
    $script:said = ($output.Result + $errors.Result).Trim()
    if ($Secret -ne '') { $script:said = $said.Replace($Secret, '[key]') }
    return $process.ExitCode
}

function Get-LastWord { return ($said -split "`r?`n")[-1] }

# What Docker's words in $said mean. The order matters: a refused proxy connection also reads as a refused connection.
function Get-Failure {
    switch -Regex ($said) {
        'proxyconnect|proxy authentication required' { return 'proxy' }
        'docker daemon|error during connect|docker api at' { return 'daemon' }
        'credentials - err|docker-credential-|saving credentials' { return 'store' }
        'x509|certificate|http response to https client' { return 'certificate' }
        'toomanyrequests|too many requests|http status: 5|status: 5' { return 'busy' }
        'unauthorized|no basic auth credentials|incorrect username or password' { return 'unauthorized' }
        'denied|payment required|forbidden' { return 'denied' }
        'no such manifest|manifest unknown|name unknown|not found' { return 'missing' }
        'timeout|dial tcp|no such host|connection re|deadline exceeded|unreachable|: eof' { return 'network' }
    }
    return 'unknown'
}

function Hide-Password {
    param([string]$Address)
    return $Address -replace '^([a-z]+://)?[^@]*@', '$1***@'
}

# Ends the script for the failures that no key can mend; returns for the others.
function Exit-UnlessAboutAccess {
    param([string]$What)
    $last = "Docker said: $(Get-LastWord)"
    switch ($What) {
        'proxy' {
            $proxy = Hide-Password ([string][Environment]::GetEnvironmentVariable('HTTPS_PROXY'))
            Exit-With $EXIT_PROXY @(
                "The proxy in the way to $registry does not work (HTTPS_PROXY='$proxy').",
                'Correct or unset HTTPS_PROXY; for the Docker daemon see https://docs.docker.com/engine/daemon/proxy/', $last)
        }
        'certificate' {
            Exit-With $EXIT_PROXY @(
                "The certificate that answers for $registry is not trusted, or something in between is not the registry.",
                'Behind a company proxy: give its root certificate to the system and to Docker, then restart Docker.', $last)
        }
        'daemon' { Exit-NoDaemon }
        'store' {
            Exit-With $EXIT_NOT_STORED @(
                "Docker can't use its store of logins ($config): a credential helper named there",
                "(credsStore, credHelpers) is missing or broken, or the file is not yours to write. Mend that, or remove the",
                "helper's line to let Docker use the file itself (then not encrypted).", $last)
        }
        'busy' {
            Exit-With $EXIT_NO_NETWORK @(
                "$registry answers, but is out of order or asks to wait. Try again in a few minutes.", $last)
        }
        'network' {
            Exit-With $EXIT_NO_NETWORK @(
                "$registry can't be reached: no network, no name resolution, a firewall, or the registry is down.",
                "See whether a browser on this machine opens https://$registry; a slow line: --timeout 300.", $last)
        }
        'unknown' {
            Exit-With $EXIT_UNKNOWN @("Docker failed in a way that this script doesn't know.", "Docker said: $said")
        }
    }
}

function Exit-NoDaemon {
    if ($said -match 'permission denied while trying to connect') {
        Exit-With $EXIT_NO_DAEMON @(
            'Docker is installed, but you may not use it: your user is not in the group docker (Windows: docker-users).',
            'Add your user to that group, then log out and in again.', "Docker said: $(Get-LastWord)")
    }
    Exit-With $EXIT_NO_DAEMON @(
        'Docker is installed, but its daemon does not answer.',
        'Start Docker Desktop and wait until it says that the engine is running.', "Docker said: $(Get-LastWord)")
}

function Test-Manifest {
    param([string]$ConfigFolder = '')
    $arguments = @('manifest', 'inspect')
    # Docker tries plain HTTP for a manifest only when told so, and only a registry on this machine may have that.
    if ($registry -match '^(127\.|localhost(:|$))') { $arguments += '--insecure' }
    return (Invoke-Docker ($arguments + $reference) -ConfigFolder $ConfigFolder) -eq 0
}

# With an empty configuration, so that no stored login is sent.
function Test-ManifestAnonymously {
    $empty = Join-Path $work 'empty'
    $null = New-Item -ItemType Directory -Path $empty
    [System.IO.File]::WriteAllText((Join-Path $empty 'config.json'), '{}')
    if (Test-Manifest $empty) { return $true }
    if ((Get-Failure) -ne 'unauthorized') { return $false }
    # NVIDIA's registry is known to refuse an anonymous reader now and then, and to serve it a moment later.
    Start-Sleep -Seconds 1
    return Test-Manifest $empty
}

# ---- where Docker keeps logins ----------------------------------------------------------------

# The value of a property, or $null; strict mode makes a plain access to a missing one an error.
function Get-Value {
    param($Object, [string]$Name)
    if ($null -eq $Object -or $Object -is [string]) { return $null }
    $property = $Object.PSObject.Properties[$Name]
    if ($null -eq $property) { return $null }
    return $property.Value
}

function Read-Config {
    if (-not (Test-Path -LiteralPath $config -PathType Leaf)) { return $null }
    try {
        return Get-Content -LiteralPath $config -Raw | ConvertFrom-Json
    } catch {
        # Docker itself warns about a broken file and goes on as if it were empty.
        return $null
    }
}

function Get-StoredLogin { return Get-Value (Get-Value (Read-Config) 'auths') $registry }
function Test-LoginStored { return $null -ne (Get-StoredLogin) }
function Test-LoginInFile { return $null -ne (Get-Value (Get-StoredLogin) 'auth') }

function Write-WhereStored {
    if (Test-LoginInFile) {
        "Docker keeps the key in $config. It is NOT encrypted there, only base64-coded:"
        'whoever can read that file has the key. A credential helper encrypts it: https://docs.docker.com/go/credential-store/'
    } else {
        $helper = Get-Value (Get-Value (Read-Config) 'credHelpers') $registry
        if ($null -eq $helper) { $helper = Get-Value (Read-Config) 'credsStore' }
        if ($null -eq $helper) { $helper = '?' }
        "Docker keeps the key in the credential helper docker-credential-$helper (named in $config)."
    }
    'To remove it: .\setup_nvidia_auth.ps1 --logout'
}

# ---- the key ----------------------------------------------------------------------------------

# Windows PowerShell writes UTF-16, where every second byte is NUL; the mark in front differs too.
function ConvertFrom-KeyBytes {
    param([byte[]]$Bytes)
    $kept = @($Bytes | Where-Object { @(0, 0xEF, 0xBB, 0xBF, 0xFF, 0xFE) -notcontains $_ })
    if ($kept.Count -eq 0) { return '' }
    return [System.Text.Encoding]::ASCII.GetString([byte[]]$kept)
}

function Read-KeyFile {
    if ($keyFile -eq '-') {
        $script:keySource = 'standard input'
        if ($piped.Count -gt 0) { return ($piped -join "`n") }
        return [Console]::In.ReadToEnd()
    }
    $script:keySource = $keyFile
    $path = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($keyFile)
    if ((Get-Item -LiteralPath $path).Length -gt 8192) {
        Exit-With $EXIT_INPUT "--key-file is '$keyFile'; it has more than 8192 bytes, so it is not a key."
    }
    try {
        $bytes = [System.IO.File]::ReadAllBytes($path)
    } catch [System.UnauthorizedAccessException] {
        Exit-With $EXIT_INPUT "--key-file is '$keyFile'; you may not read it."
    }
    return ConvertFrom-KeyBytes $bytes
}

function Exit-NoKey {
    Exit-With $EXIT_KEY_NEEDED @(
        "$reference can't be read without a login (or its name is wrong), and there is neither a key nor a terminal.",
        "Set NGC_API_KEY, give --key-file FILE, or run this in a terminal. Keys: $KEYS_PAGE")
}

# What was typed or pasted so far answers no question yet: it is dropped, and no shell gets it later. A Windows console
# shows nothing of it before it is read, so there is no echo to turn off.
function Clear-Typed {
    if ($mode -ne 'login' -or $keyFile -ne '' -or $givenKey -ne '' -or [Console]::IsInputRedirected) { return }
    try {
        while ([Console]::KeyAvailable) { $null = [Console]::ReadKey($true) }
    } catch [System.InvalidOperationException] {
        # A host without a console, such as ISE, keeps what is typed to itself.
        return
    }
}

function Read-TypedKey {
    $script:keySource = 'what you typed'
    try {
        $secure = Read-Host -AsSecureString -Prompt 'NGC key (not shown while you type or paste)'
    } catch [System.Management.Automation.PSInvalidOperationException] {
        # PowerShell was started with -NonInteractive.
        Exit-NoKey
    }
    $pointer = [System.Runtime.InteropServices.Marshal]::SecureStringToBSTR($secure)
    try {
        return [System.Runtime.InteropServices.Marshal]::PtrToStringBSTR($pointer)
    } finally {
        [System.Runtime.InteropServices.Marshal]::ZeroFreeBSTR($pointer)
    }
}

# NVIDIA's keys are nvapi- and 64 characters, older ones 84 of base64; the limits are wider, so that a new length passes.
function Test-Key {
    $problem = ''
    if ($key -eq '') { $problem = 'it is empty' }
    elseif ($key -match "`n") { $problem = 'it has more than one line' }
    elseif ($key -eq $LOGIN_USER) { $problem = 'it is the user name for the login, not the key' }
    elseif ($key -clike 'hf_*') { $problem = 'it starts with hf_, so it is a Hugging Face token' }
    elseif ($key -match '\s') { $problem = 'there is a blank in it' }
    elseif ($key -cmatch '^NVIDIA_.*=') { $problem = 'it is NAME=value; the name has to be NGC_API_KEY' }
    elseif ($key -match '^["'']') { $problem = 'it is in quotes; give it without them' }
    elseif ($key -clike 'nvapi-*') {
        if ($key -notmatch '^nvapi-[A-Za-z0-9_-]{32,250}$') {
            $problem = "nvapi- is followed by 64 letters, digits, - or _; this has $($key.Length) characters in all"
        }
    } elseif ($key -notmatch '^[A-Za-z0-9+/=_-]{32,250}$') {
        $problem = "a key is nvapi- and 64 more characters, or some 84 letters and digits; this has $($key.Length) characters"
    }
    if ($problem -ne '') {
        Exit-With $EXIT_INPUT @("The key from $keySource can't be right: $problem.", "It was not sent anywhere. Keys: $KEYS_PAGE")
    }
}

function Get-Key {
    if ($keyFile -ne '') {
        $script:key = Read-KeyFile
    } elseif ($givenKey -ne '') {
        $script:keySource = 'NGC_API_KEY'
        $script:key = $givenKey
    } elseif ([Console]::IsInputRedirected -or -not [Environment]::UserInteractive) {
        Exit-NoKey
    } else {
        "$registry wants a login for $image."
        "Make a free key at $KEYS_PAGE (NVIDIA_SETUP.md, steps 1 and 2)."
        Clear-Typed
        $script:key = Read-TypedKey
    }
    # Byte order marks, CRLF and blanks around the key are how files and clipboards come, not part of it.
    $script:key = ([string]$key).Replace("`r", '').Replace("`0", '').Trim([char[]]@(' ', "`t", "`n", [char]0xFEFF))
    # A settings file such as .env is a key file too.
    if ($key -cmatch '(?m)^NGC_API_KEY=(.*)$') { $script:key = $Matches[1].Trim() }
    Test-Key
}

function Connect-Registry {
    $status = Invoke-Docker @('login', '--username', $LOGIN_USER, '--password-stdin', $registry) -Secret $key
    $script:key = ''
    if ($status -eq 0) {
        $script:stored = 'The login is stored; .\setup_nvidia_auth.ps1 --logout removes it.'
        return
    }
    $what = Get-Failure
    if ($what -eq 'unauthorized' -or $what -eq 'denied') {
        Exit-With $EXIT_KEY_REFUSED @(
            "$registry refuses the key: it is wrong, expired or revoked (or made without the service 'NGC Catalog').",
            "Make a new one at $KEYS_PAGE. Docker said: $(Get-LastWord)")
    }
    if ($what -eq 'missing') {
        Exit-With $EXIT_NO_NETWORK @("$registry does not answer like an image registry.", "Docker said: $(Get-LastWord)")
    }
    Exit-UnlessAboutAccess $what
}

# ---- the three ways through -------------------------------------------------------------------

function Disconnect-Registry {
    $wasStored = Test-LoginStored
    $status = Invoke-Docker @('logout', $registry)
    if ($status -ne 0 -or $said -match 'could not erase') {
        Exit-With $EXIT_NOT_STORED @(
            "Docker could not remove the login for $registry ($config).", "Docker said: $(Get-LastWord)")
    }
    if (Test-LoginInFile) {
        Exit-With $EXIT_NOT_STORED "The login for $registry is still in $config after docker logout; remove it there by hand."
    }
    if ($wasStored) {
        "The login for $registry is removed from Docker's store ($config)."
        "The key itself stays valid until it expires; revoke it at $KEYS_PAGE"
    } else {
        "No login for $registry was stored in $config; nothing to remove."
    }
}

function Exit-ImageRefused {
    param([string]$Beginning)
    Exit-With $EXIT_NO_IMAGE @(
        $Beginning,
        "the name or tag does not exist, or your account may not read it (accept its terms in NVIDIA's catalog first).",
        "Docker said: $(Get-LastWord)")
}

# Ends the script when the image can be read with what is stored; returns when a new key could help.
function Use-StoredLogin {
    if (Test-Manifest) {
        "ok: $reference can be read with the stored login."
        $script:finished = $true
        exit $EXIT_OK
    }
    $what = Get-Failure
    Exit-UnlessAboutAccess $what
    if ($what -ne 'unauthorized') {
        Exit-ImageRefused "The stored login for $registry is accepted, but $image can't be read with it:"
    }
    if ($mode -eq 'check') {
        Exit-With $EXIT_KEY_REFUSED @(
            "$registry refuses the stored login: the key is expired or revoked.",
            "Make a new one at $KEYS_PAGE and run .\setup_nvidia_auth.ps1 again.")
    }
    "$registry refuses the stored login: the key is expired or revoked. A new key is needed."
}

function Invoke-Setup {
    if ($mode -eq 'logout') {
        Disconnect-Registry
        return
    }
    if ((Invoke-Docker @('version', '--format', '{{.Server.Version}}')) -ne 0) { Exit-NoDaemon }

    if (Test-ManifestAnonymously) {
        # Docker sends a stored login even where none is needed, and fails with it when it has expired.
        if ((Test-LoginStored) -and -not (Test-Manifest) -and (Get-Failure) -eq 'unauthorized') {
            Exit-With $EXIT_KEY_REFUSED @(
                "$reference can be read without a login, but $registry refuses the stored one, which Docker would use.",
                'Remove it: .\setup_nvidia_auth.ps1 --logout')
        }
        "ok: $reference can be read without a login; nothing to set up."
        if ($keyFile -ne '' -or $givenKey -ne '') { 'The key was not needed and not used.' }
        return
    }
    Exit-UnlessAboutAccess (Get-Failure)

    if ((Test-LoginStored) -and ($mode -eq 'check' -or ($keyFile -eq '' -and $givenKey -eq ''))) { Use-StoredLogin }
    if ($mode -eq 'check') {
        Exit-With $EXIT_KEY_NEEDED @(
            "$reference can't be read without a login, and Docker has none for $registry.",
            "Run .\setup_nvidia_auth.ps1 to log in (or the image's name is wrong). Docker said: $(Get-LastWord)")
    }
    Get-Key
    Connect-Registry
    "ok: $registry accepts the key."
    if (-not (Test-Manifest)) {
        Exit-UnlessAboutAccess (Get-Failure)
        Write-WhereStored
        Exit-ImageRefused "The login is stored, but $image can't be read with it:"
    }
    "ok: $reference can be read with it."
    Write-WhereStored
}

Read-Options
$reference = "$registry/$image"
$givenKey = [string][Environment]::GetEnvironmentVariable('NGC_API_KEY')
$configFolder = [string][Environment]::GetEnvironmentVariable('DOCKER_CONFIG')
if ($configFolder -eq '') { $configFolder = Join-Path $HOME '.docker' }
$config = Join-Path $configFolder 'config.json'

$found = @(Get-Command -Name docker -CommandType Application -ErrorAction SilentlyContinue)
if ($found.Count -eq 0) {
    Exit-With $EXIT_NO_DOCKER @(
        'Docker is not installed, or not on PATH. Install Docker Desktop and let it use WSL 2, then open a new terminal:',
        'https://docs.docker.com/desktop/setup/install/windows-install/')
}
$docker = $found[0].Path

$work = Join-Path ([System.IO.Path]::GetTempPath()) ([System.IO.Path]::GetRandomFileName())
$null = New-Item -ItemType Directory -Path $work
try {
    Invoke-Setup
    $finished = $true
} finally {
    Remove-Item -LiteralPath $work -Recurse -Force
    Clear-Typed
    if (-not $finished) {
        # Ctrl-C, or an error that nobody foresaw; PowerShell shows the error itself.
        [Console]::Error.WriteLine("Stopped before the end. $stored")
        $global:LASTEXITCODE = $EXIT_INTERRUPTED
    }
}
exit $EXIT_OK
