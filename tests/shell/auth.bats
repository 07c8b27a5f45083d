#!/usr/bin/env bats
# shellcheck disable=SC2016  # the stand-in expands what stands in single quotes
# setup_nvidia_auth.sh with a stand-in docker on PATH. What Docker says is taken from real clients (20.10 and 28.2);
# test_auth_registry.py asks a real client, daemon and registry.

setup() {
  script=$BATS_TEST_DIRNAME/../../setup_nvidia_auth.sh
  box=$BATS_TEST_TMPDIR
  mkdir -p "$box/bin" "$box/config" "$box/tmp"
  export TMPDIR=$box/tmp DOCKER_CONFIG=$box/config
  key=nvapi-$(printf '%064d' 7)
  unset NGC_API_KEY SUDO_USER HTTPS_PROXY https_proxy
  # Each call is answered by the file named after its verb: first line the exit status, then the words.
  cat >"$box/bin/docker" <<'STUB'
#!/usr/bin/env bash
printf '%s\n' "$*" >>"$BOX/calls"
env >>"$BOX/environment"
case $1 in
  version) answer=version ;;
  login) answer=login; cat >"$BOX/received" ;;
  logout) answer=logout ;;
  manifest)
    answer=manifest
    case ${DOCKER_CONFIG-} in "$BOX/config") [ ! -e "$BOX/manifest-login" ] || answer=manifest-login ;; esac
    ;;
esac
[ ! -e "$BOX/$answer-hook" ] || . "$BOX/$answer-hook"
status=0
[ ! -e "$BOX/$answer" ] || { status=$(head -n 1 "$BOX/$answer"); tail -n +2 "$BOX/$answer"; }
exit "$status"
STUB
  # The second before a refusal is asked about again is noted and cut short: half of these tests have one.
  cat >"$box/bin/sleep" <<'STUB'
#!/usr/bin/env bash
echo "$1" >>"$BOX/slept"
[ "$1" != 1 ] || set -- 0.05
PATH=${PATH#"$BOX/bin:"}
exec sleep "$@"
STUB
  chmod +x "$box/bin/docker" "$box/bin/sleep"
  export BOX=$box PATH=$box/bin:$PATH
}

answers() { # VERB STATUS [WORDS]
  printf '%s\n' "$2" "${3-}" >"$box/$1"
}
refuse_anonymous() { answers manifest 1 'unauthorized: authentication required'; }
accept_login() {
  answers manifest-login 0 '{}'
  echo "printf '{\"auths\": {\"nvcr.io\": {\"auth\": \"c2VjcmV0\"}}}' >\"\$DOCKER_CONFIG/config.json\"" >"$box/login-hook"
}
# bats does not notice a failing "! command", so absence is a command of its own.
absent() { # GREP-ARGUMENTS: fails when grep finds something, or fails itself
  local found=0
  grep "$@" || found=$?
  [ "$found" -eq 1 ]
}
without_key() { # nowhere but where Docker got it by standard input
  absent -rF -- "$key" "$box/calls" "$box/environment" "$box/tmp" "$box/config"
  [[ $output != *"$key"* ]]
}

@test "anonymous access is enough: no key asked, no login" {
  run "$script"
  [ "$status" -eq 0 ]
  [[ $output == *'can be read without a login'* ]]
  absent '^login' "$box/calls"
  grep -qx 'manifest inspect nvcr.io/nvidia/tensorrt-llm/release:1.2.1' "$box/calls"
}

@test "the anonymous question is asked with an empty Docker configuration, and nothing is left in TMPDIR" {
  echo 'cat "$DOCKER_CONFIG/config.json" >"$BOX/seen"; echo "${DOCKER_AUTH_CONFIG-none}" >>"$BOX/seen"' >"$box/manifest-hook"
  DOCKER_AUTH_CONFIG='{"auths":{}}' run "$script"
  [ "$status" -eq 0 ]
  [ "$(cat "$box/seen")" = '{}none' ]
  [ -z "$(ls -A "$box/tmp")" ]
}

@test "a refusal that passes is asked once more before a key is wanted" {
  echo '[ -e "$BOX/second" ] || { touch "$BOX/second"; echo "unauthorized: authentication required"; exit 1; }' >"$box/manifest-hook"
  run "$script" </dev/null
  [ "$status" -eq 0 ]
  [ "$(grep -cx 1 "$box/slept")" -eq 1 ]
}

@test "the key from NGC_API_KEY goes to docker login by standard input and nowhere else" {
  refuse_anonymous; accept_login
  NGC_API_KEY=$key run "$script"
  [ "$status" -eq 0 ]
  grep -qx 'login --username $oauthtoken --password-stdin nvcr.io' "$box/calls"
  [ "$(cat "$box/received")" = "$key" ]
  without_key
  [[ $output == *"$box/config/config.json"* && $output == *'NOT encrypted'* && $output == *--logout* ]]
}

@test "the key stays out of the children's environment even with allexport, trace and same-named variables" {
  refuse_anonymous; accept_login
  ngc_key=x given_key=x NGC_API_KEY=$key run bash -a -x "$script"
  [ "$status" -eq 0 ]
  [ "$(cat "$box/received")" = "$key" ]
  without_key
}

@test "key files: as Linux, Windows and PowerShell write them, and a settings file" {
  refuse_anonymous; accept_login
  umask 077
  printf '%s\n' "$key" >"$box/unix.key"
  printf '%s\r\n' "$key" >"$box/crlf.key"
  printf '\xef\xbb\xbf%s\r\n' "$key" >"$box/bom.key"
  { printf '\xff\xfe'; printf '%s\r\n' "$key" | sed 's/./&\x00/g' | sed 's/$/\x00/'; } >"$box/utf16.key"
  printf 'MODEL_NAME=demo\nNGC_API_KEY=%s\nSEED=1\n' "$key" >"$box/settings.env"
  for file in unix.key crlf.key bom.key utf16.key settings.env; do
    rm -f "$box/received" "$box/config/config.json"
    run "$script" --key-file "$box/$file"
    [ "$status" -eq 0 ] || { echo "$file: $output"; false; }
    [ "$(cat "$box/received")" = "$key" ]
    [[ $output != *"$key"* && $output != *'other users'* ]]
  done
  rm "$box/received" "$box/config/config.json"
  printf '%s\r\n' "$key" >"$box/in"
  run "$script" --key-file=- <"$box/in"
  [ "$status" -eq 0 ]
  [ "$(cat "$box/received")" = "$key" ]
}

@test "a key file that others may read is remarked on" {
  refuse_anonymous; accept_login
  printf '%s\n' "$key" >"$box/open.key"; chmod 644 "$box/open.key"
  run "$script" --key-file "$box/open.key"
  [ "$status" -eq 0 ]
  [[ $output == *'other users of this machine may read'* ]]
}

@test "keys that can't be right are not sent: status 2, the key not repeated" {
  refuse_anonymous
  for bad in '' '   ' 'nvapi-short' "hf_$(printf '%040d' 1)" '$oauthtoken' "two words $key" "$key
$key" "'$key'" "NVIDIA_API_KEY=$key" 'ngc'; do
    printf '%s' "$bad" >"$box/bad.key"
    run "$script" --key-file "$box/bad.key"
    [ "$status" -eq 2 ] || { echo "'$bad': $status $output"; false; }
    [[ $output == *"can't be right"* && $output != *"$key"* ]]
  done
  absent '^login' "$box/calls"
}

@test "a refused key: status 5, nothing stored" {
  refuse_anonymous
  answers login 1 'Error response from daemon: Get "https://nvcr.io/v2/": unauthorized: authentication required'
  NGC_API_KEY=$key run "$script"
  [ "$status" -eq 5 ]
  [[ $output == *'wrong, expired or revoked'* ]]
  without_key
  [ ! -e "$box/config/config.json" ]
}

@test "no key and no terminal: status 9 says the three ways" {
  refuse_anonymous
  run "$script" </dev/null
  [ "$status" -eq 9 ]
  [[ $output == *NGC_API_KEY* && $output == *--key-file* && $output == *terminal* ]]
}

@test "--check changes nothing: 0 when readable, 9 without a login, 5 with an expired one" {
  run "$script" --check
  [ "$status" -eq 0 ]
  refuse_anonymous
  NGC_API_KEY=$key run "$script" --check
  [ "$status" -eq 9 ]
  printf '{"auths": {"nvcr.io": {"auth": "b2xk"}}}' >"$box/config/config.json"
  run "$script" --check
  [ "$status" -eq 5 ]
  answers manifest-login 0 '{}'
  run "$script" --check
  [ "$status" -eq 0 ]
  [[ $output == *'with the stored login'* ]]
  absent -E '^(login|logout)' "$box/calls"
}

@test "an expired login that Docker would send although none is needed: status 5 and --logout" {
  printf '{"auths": {"nvcr.io": {"auth": "b2xk"}}}' >"$box/config/config.json"
  answers manifest-login 1 'unauthorized: authentication required'
  run "$script"
  [ "$status" -eq 5 ]
  [[ $output == *--logout* ]]
}

@test "login accepted, image refused or missing: status 8" {
  refuse_anonymous; accept_login
  for words in 'denied: access denied' 'no such manifest: nvcr.io/nvidia/x:1' 'manifest unknown' 'unknown: Payment Required'; do
    answers manifest-login 1 "$words"
    rm -f "$box/config/config.json"
    NGC_API_KEY=$key run "$script"
    [ "$status" -eq 8 ] || { echo "$words: $status $output"; false; }
    [[ $output == *"$words"* ]]
  done
}

@test "docker missing: status 3" {
  mkdir "$box/none"
  for tool in bash env mktemp rm cat tr; do ln -s "$(command -v "$tool")" "$box/none/$tool"; done
  PATH=$box/none run "$script"
  [ "$status" -eq 3 ]
  [[ $output == *'not installed'* ]]
}

@test "daemon off or not permitted: status 4, each with its own remedy" {
  answers version 1 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?'
  run "$script"
  [ "$status" -eq 4 ]
  [[ $output == *'systemctl start docker'* ]]
  answers version 1 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock'
  run "$script" --check
  [ "$status" -eq 4 ]
  [[ $output == *'usermod -aG docker'* ]]
}

@test "network, proxy and certificate failures are told apart" {
  while IFS='|' read -r expected words; do
    answers manifest 1 "$words"
    run "$script" </dev/null
    [ "$status" -eq "$expected" ] || { echo "$words: $status instead of $expected"; false; }
    [[ $output == *"$words"* ]]
  done <<'TABLE'
6|failed to configure transport: error pinging v2 registry: Get "https://nvcr.io/v2/": dial tcp: lookup nvcr.io: no such host
6|error pinging v2 registry: Get "https://127.0.0.1:5401/v2/": dial tcp 127.0.0.1:5401: connect: connection refused
6|Get "https://nvcr.io/v2/": net/http: TLS handshake timeout
6|Get "https://nvcr.io/v2/": EOF
6|received unexpected HTTP status: 503 Service Unavailable
6|toomanyrequests: too many
7|Get "https://nvcr.io/v2/": proxyconnect tcp: dial tcp 127.0.0.1:9: connect: connection refused
7|Get "https://nvcr.io/v2/": Proxy Authentication Required
7|Get "https://nvcr.io/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority
1|something nobody has seen before
TABLE
}

@test "a proxy's password is not shown" {
  answers manifest 1 'proxyconnect tcp: dial tcp: lookup proxy.example: no such host'
  HTTPS_PROXY=http://me:hunter2@proxy.example:3128 run "$script"
  [ "$status" -eq 7 ]
  [[ $output == *'***@proxy.example:3128'* && $output != *hunter2* ]]
}

@test "a registry that never answers: status 6 after --timeout" {
  echo 'exec sleep 60' >"$box/manifest-hook"
  started=$SECONDS
  run "$script" --timeout 1
  [ "$status" -eq 6 ]
  [ $((SECONDS - started)) -lt 10 ]
}

@test "Docker's store of logins broken: status 10" {
  refuse_anonymous
  for words in 'Error saving credentials: error storing credentials - err: exec: "docker-credential-desktop.exe": executable file not found in $PATH, out: ``' \
    'Error saving credentials: open /home/u/.docker/config.json123: permission denied'; do
    answers login 1 "$words"
    NGC_API_KEY=$key run "$script"
    [ "$status" -eq 10 ] || { echo "$words: $status"; false; }
  done
}

@test "a credential helper is named instead of the warning about plain text" {
  refuse_anonymous; accept_login
  echo "printf '{\"auths\": {\"nvcr.io\": {}}, \"credsStore\": \"pass\"}' >\"\$DOCKER_CONFIG/config.json\"" >"$box/login-hook"
  NGC_API_KEY=$key run "$script"
  [ "$status" -eq 0 ]
  [[ $output == *docker-credential-pass* && $output != *'NOT encrypted'* ]]
}

@test "--logout removes the login, without a daemon, and says that the key stays valid" {
  answers version 1 'Cannot connect to the Docker daemon'
  printf '{"auths": {"nvcr.io": {"auth": "b2xk"}}}' >"$box/config/config.json"
  echo 'echo "{}" >"$DOCKER_CONFIG/config.json"' >"$box/logout-hook"
  run "$script" --logout
  [ "$status" -eq 0 ]
  grep -qx 'logout nvcr.io' "$box/calls"
  [[ $output == *'stays valid'* ]]
  run "$script" --logout
  [ "$status" -eq 0 ]
  [[ $output == *'nothing to remove'* ]]
}

@test "--logout that removes nothing: status 10" {
  printf '{"auths": {"nvcr.io": {"auth": "b2xk"}}}' >"$box/config/config.json"
  run "$script" --logout
  [ "$status" -eq 10 ]
}

@test "an interrupt ends docker, cleans up and gives 130, also when docker doesn't listen" {
  refuse_anonymous
  for hook in 'exec sleep 60' 'trap "" TERM; exec sleep 60'; do
    rm -f "$box/pid"
    printf 'echo $$ >"$BOX/pid"; %s\n' "$hook" >"$box/login-hook"
    NGC_API_KEY=$key "$script" >"$box/out" 2>&1 &
    script_pid=$!
    for _ in $(seq 300); do [ -s "$box/pid" ] && break; sleep 0.1; done
    kill -TERM "$script_pid"
    sleep 0.3
    kill -TERM "$script_pid" 2>/dev/null || true  # an impatient second one
    status=0; wait "$script_pid" || status=$?
    [ "$status" -eq 130 ]
    [ ! -e "/proc/$(cat "$box/pid")" ]  # gone before the script is: nothing is left to wait for
    [ -z "$(ls -A "$box/tmp")" ]
    grep -q 'Nothing was stored' "$box/out"
  done
}

@test "bad options: status 2, one sentence with the value, Docker not called" {
  while IFS='|' read -r arguments words; do
    # shellcheck disable=SC2086
    run "$script" $arguments
    [ "$status" -eq 2 ] || { echo "$arguments: $status $output"; false; }
    [[ $output == *"$words"* ]] || { echo "$arguments: $output"; false; }
  done <<'TABLE'
--nonsense|--nonsense
--timeout 0|from 1 to 600
--timeout 601|from 1 to 600
--timeout ten|'ten'
--timeout|needs a value
--registry https://nvcr.io|without https://
--registry nvcr.io/nvidia|without https://
--image Upper/case:1|'Upper/case:1'
--image a.example/x:1 --registry b.example|give the registry once
--key-file /nonexistent/key|no such file
TABLE
  [ ! -e "$box/calls" ]
}

@test "a key typed as an argument is refused and not repeated" {
  for argument in "$key" "--key=$key" "--password=$key"; do
    run "$script" "$argument"
    [ "$status" -eq 2 ]
    [[ $output != *"$key"* && $output == *revoke* ]]
  done
  [ ! -e "$box/calls" ]
}

@test "--registry and --image decide what is asked; only a registry on this machine may be plain HTTP" {
  run "$script" --image 127.0.0.1:5000/team/image:2
  grep -qx 'manifest inspect --insecure 127.0.0.1:5000/team/image:2' "$box/calls"
  run "$script" --registry registry.example --image team/image:2
  grep -qx 'manifest inspect registry.example/team/image:2' "$box/calls"
}

@test "--help: status 0, every option and exit status" {
  run "$script" --help
  [ "$status" -eq 0 ]
  for word in --check --logout --key-file --registry --image --timeout --help 'Exit status' 130; do
    [[ $output == *"$word"* ]]
  done
}
