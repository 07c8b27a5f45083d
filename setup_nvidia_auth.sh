#!/usr/bin/env bash
# Lets Docker pull the TensorRT-LLM image from NVIDIA's registry; NVIDIA_SETUP.md goes through it step by step.
# setup_nvidia_auth.ps1 is the same for PowerShell: flags, exit status and help text are equal, and a test holds them so.

# A key must not reach a trace (bash -x), nor a child's environment by an inherited allexport.
{ set +x +v +a; } 2>/dev/null
set -uo pipefail
export LC_ALL=C
ulimit -c 0

readonly EXIT_OK=0
readonly EXIT_UNKNOWN=1
readonly EXIT_INPUT=2
readonly EXIT_NO_DOCKER=3
readonly EXIT_NO_DAEMON=4
readonly EXIT_KEY_REFUSED=5
readonly EXIT_NO_NETWORK=6
readonly EXIT_PROXY=7
readonly EXIT_NO_IMAGE=8
readonly EXIT_KEY_NEEDED=9
readonly EXIT_NOT_STORED=10
readonly EXIT_INTERRUPTED=130

readonly DEFAULT_REGISTRY=nvcr.io
readonly DEFAULT_IMAGE=nvidia/tensorrt-llm/release:1.2.1
# NVIDIA's fixed user name for keys: these letters, not a variable.
readonly LOGIN_USER="\$oauthtoken"
readonly KEYS_PAGE=https://org.ngc.nvidia.com/setup/api-keys

usage() {
  cat <<'USAGE'
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
USAGE
}

say() { printf '%s\n' "$@"; }
die() {
  local status=$1
  shift
  printf '%s\n' "$@" >&2
  exit "$status"
}

# An inherited variable of the same name would still be exported when assigned to; unset takes the mark away.
unset -v ngc_key given_key
given_key=${NGC_API_KEY-}
unset -v NGC_API_KEY

# ---- options ----------------------------------------------------------------------------------

mode=login registry='' image=$DEFAULT_IMAGE key_file='' timeout=60

# An argument may be a key typed by mistake, so only what looks like an option is repeated.
bad_argument() {
  if [[ $1 =~ ^(--?[a-z][a-z-]{0,19})(=.*)?$ ]]; then
    case ${BASH_REMATCH[1]} in
      --key | --api-key | --token | --password)
        die $EXIT_INPUT "${BASH_REMATCH[1]} does not exist: a key on the command line is visible to every user and stays in the" \
          "shell's history. Use NGC_API_KEY, --key-file, or wait to be asked. If you typed a real key, revoke it: $KEYS_PAGE"
        ;;
    esac
    die $EXIT_INPUT "Unknown option ${BASH_REMATCH[1]}; --help lists the options."
  fi
  die $EXIT_INPUT "Argument $2 is not an option (it is not repeated here in case it is a key); --help lists the options." \
    "If it was a key, it is now in your shell's history: revoke it at $KEYS_PAGE"
}

position=0
while [ "$#" -gt 0 ]; do
  position=$((position + 1))
  case $1 in
    --help | -h) usage; exit $EXIT_OK ;;
    --check) mode=check ;;
    --logout) mode=logout ;;
    --key-file | --registry | --image | --timeout)
      [ "$#" -ge 2 ] || die $EXIT_INPUT "$1 needs a value; --help lists the options."
      case $1 in
        --key-file) key_file=$2 ;;
        --registry) registry=$2 ;;
        --image) image=$2 ;;
        --timeout) timeout=$2 ;;
      esac
      [ -n "$2" ] || die $EXIT_INPUT "$1 needs a value that is not empty."
      shift
      position=$((position + 1))
      ;;
    --key-file=?* | --registry=?* | --image=?* | --timeout=?*)
      set -- "${1%%=*}" "${1#*=}" "${@:2}"
      position=$((position - 1))
      continue
      ;;
    *) bad_argument "$1" "$position" ;;
  esac
  shift
done

if ! [[ $timeout =~ ^[0-9]{1,3}$ ]] || ((10#$timeout < 1 || 10#$timeout > 600)); then
  die $EXIT_INPUT "--timeout is '$timeout'; it must be a whole number of seconds from 1 to 600."
fi
timeout=$((10#$timeout))
if [ -n "$key_file" ] && [ "$key_file" != - ]; then
  [ -f "$key_file" ] || die $EXIT_INPUT "--key-file is '$key_file'; there is no such file."
  [ -r "$key_file" ] || die $EXIT_INPUT "--key-file is '$key_file'; you may not read it."
fi
first=${image%%/*}
if [[ $image == */* && ($first == *.* || $first == *:* || $first == localhost) ]]; then
  if [ -n "$registry" ] && [ "$registry" != "$first" ]; then
    die $EXIT_INPUT "--image names the registry $first and --registry says $registry; give the registry once."
  fi
  registry=$first image=${image#*/}
fi
registry=${registry:-$DEFAULT_REGISTRY}
if ! [[ $registry =~ ^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$ ]]; then
  die $EXIT_INPUT \
    "--registry is '$registry'; it must be a host with an optional port, such as nvcr.io, without https:// or a path."
fi
if ! [[ $image =~ ^[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$ ]]; then
  die $EXIT_INPUT "--image is '$image'; it must look like nvidia/tensorrt-llm/release:1.2.1."
fi
reference=$registry/$image

# ---- running docker ---------------------------------------------------------------------------

docker_pid='' out='' terminal=''
work=$(mktemp -d) || die $EXIT_UNKNOWN "No temporary folder can be made in ${TMPDIR:-/tmp}; is the disk full?"

# What was typed or pasted so far answers no question yet: it is dropped, half a line too, and no shell gets it later.
drop_typed() { stty -icanon min 0 time 1 && cat >/dev/null; stty icanon; } <&3 2>/dev/null

# jobs and not docker_pid: a signal can come between docker's start and the line that keeps its id.
# shellcheck disable=SC2086
clean_up() {
  local left tries=0
  trap '' INT TERM HUP QUIT  # a second Ctrl-C would leave docker and the folder behind
  left=$(jobs -p)
  if [ -n "$left" ]; then
    kill $left 2>/dev/null
    while kill -0 $left 2>/dev/null && ((tries++ < 20)); do sleep 0.1; done
    kill -KILL $left 2>/dev/null
    wait $left 2>/dev/null
  fi
  rm -rf "$work"
  [ -z "$terminal" ] || { drop_typed; stty "$terminal" <&3; }
}
trap clean_up EXIT
stored='Nothing was stored.'
trap 'printf "\nStopped before the end. %s\n" "$stored" >&2; exit $EXIT_INTERRUPTED' INT TERM HUP QUIT
# A key may be pasted before it is asked for, while Docker still asks the registry: nothing typed is shown from here on.
# 3 is the terminal also where a signal finds another standard input.
if [ "$mode$key_file$given_key" = login ] && [ -t 0 ] && terminal=$(stty -g 2>/dev/null); then exec 3<&0; stty -echo; fi

# Runs docker with this function's standard input. Its words go to $out, without the key; status 124: it took too long.
run_docker() {
  local deadline=$((SECONDS + timeout)) status
  docker "$@" <&0 >"$work/out" 2>&1 3<&- &
  docker_pid=$!
  while kill -0 "$docker_pid" 2>/dev/null; do
    if ((SECONDS >= deadline)); then
      kill -KILL "$docker_pid" 2>/dev/null
      wait "$docker_pid" 2>/dev/null
      docker_pid='' out="no answer within $timeout seconds (timeout)"
      return 124
    fi
    sleep 0.1
  done
  wait "$docker_pid" 2>/dev/null
  status=$?
  docker_pid='' out=$(<"$work/out")
  [ -z "${ngc_key-}" ] || out=${out//"$ngc_key"/[key]}
  return "$status"
}

# What Docker's words in $out mean. The order matters: a refused proxy connection also reads as a refused connection.
failure() (
  shopt -s nocasematch
  case $out in
    *proxyconnect* | *'proxy authentication required'*) echo proxy ;;
    *'docker daemon'* | *'error during connect'* | *'docker api at'*) echo daemon ;;
    *'credentials - err'* | *docker-credential-* | *'saving credentials'*) echo store ;;
    *x509* | *certificate* | *'http response to https client'*) echo certificate ;;
    *toomanyrequests* | *'too many requests'* | *'http status: 5'* | *'status: 5'*) echo busy ;;
    *unauthorized* | *'no basic auth credentials'* | *'incorrect username or password'*) echo unauthorized ;;
    *denied* | *'payment required'* | *forbidden*) echo denied ;;
    *'no such manifest'* | *'manifest unknown'* | *'name unknown'* | *'not found'*) echo missing ;;
    *timeout* | *'dial tcp'* | *'no such host'* | *'connection re'* | *'deadline exceeded'* | *unreachable* | *': eof'*)
      echo network
      ;;
    *) echo unknown ;;
  esac
)

# Ends the script for the failures that no key can mend; returns for the others.
die_unless_about_access() {
  local said
  said="Docker said: ${out##*$'\n'}"
  case $1 in
    proxy)
      die $EXIT_PROXY \
        "The proxy in the way to $registry does not work (HTTPS_PROXY='$(without_password "${HTTPS_PROXY-${https_proxy-}}")')." \
        "Correct or unset HTTPS_PROXY; for the Docker daemon see https://docs.docker.com/engine/daemon/proxy/" "$said"
      ;;
    certificate)
      die $EXIT_PROXY "The certificate that answers for $registry is not trusted, or something in between is not the registry." \
        "Behind a company proxy: give its root certificate to the system and to Docker, then restart Docker." "$said"
      ;;
    daemon) die_daemon ;;
    store)
      die $EXIT_NOT_STORED "Docker can't use its store of logins ($config): a credential helper named there" \
        "(credsStore, credHelpers) is missing or broken, or the file is not yours to write. Mend that, or remove the" \
        "helper's line to let Docker use the file itself (then not encrypted)." "$said"
      ;;
    busy)
      die $EXIT_NO_NETWORK "$registry answers, but is out of order or asks to wait. Try again in a few minutes." "$said" ;;
    network)
      die $EXIT_NO_NETWORK "$registry can't be reached: no network, no name resolution, a firewall, or the registry is down." \
        "See whether a browser on this machine opens https://$registry; a slow line: --timeout 300." "$said"
      ;;
    unknown) die $EXIT_UNKNOWN "Docker failed in a way that this script doesn't know." "Docker said: $out" ;;
  esac
}

die_daemon() {
  case $out in
    *'permission denied while trying to connect'*)
      die $EXIT_NO_DAEMON "Docker is installed, but you may not use it: your user is not in the group docker." \
        "Run: sudo usermod -aG docker \"\$USER\"   then log out and in again." "Docker said: ${out##*$'\n'}"
      ;;
    *)
      die $EXIT_NO_DAEMON "Docker is installed, but its daemon does not answer." \
        "Start it: sudo systemctl start docker; on WSL2: start Docker Desktop, or sudo service docker start." \
        "Docker said: ${out##*$'\n'}"
      ;;
  esac
}

without_password() {
  if [[ $1 =~ ^([a-z]+://)?[^@]*@(.*)$ ]]; then echo "${BASH_REMATCH[1]}***@${BASH_REMATCH[2]}"; else echo "$1"; fi
}

# Docker tries plain HTTP for a manifest only when told so, and only a registry on this machine may have that.
insecure=()
case $registry in 127.* | localhost | localhost:*) insecure=(--insecure) ;; esac

read_manifest() { run_docker manifest inspect ${insecure[@]+"${insecure[@]}"} "$reference" </dev/null; }

# With an empty configuration, so that no stored login is sent.
read_manifest_anonymously() {
  local -x DOCKER_CONFIG=$work/empty
  local auth=${DOCKER_AUTH_CONFIG-} status=0
  unset -v DOCKER_AUTH_CONFIG
  mkdir -p "$DOCKER_CONFIG" && printf '{}' >"$DOCKER_CONFIG/config.json"
  read_manifest || status=$?
  # NVIDIA's registry is known to refuse an anonymous reader now and then, and to serve it a moment later.
  if [ "$status" -ne 0 ] && [ "$(failure)" = unauthorized ]; then
    sleep 1
    read_manifest
    status=$?
  fi
  [ -z "$auth" ] || export DOCKER_AUTH_CONFIG=$auth
  return "$status"
}

# ---- where Docker keeps logins ----------------------------------------------------------------

config=${DOCKER_CONFIG:-${HOME:-~}/.docker}/config.json

# Docker's configuration on one line, or nothing.
config_text() { [ ! -r "$config" ] || tr -d '\n\r\t' <"$config"; }
login_is_stored() { [[ $(config_text) =~ \"${registry//./\\.}\"\ *:\ *\{ ]]; }
login_is_in_the_file() { [[ $(config_text) =~ \"${registry//./\\.}\"\ *:\ *\{[^\}]*\"auth\" ]]; }

say_where_stored() {
  local helper=''
  if login_is_in_the_file; then
    say "Docker keeps the key in $config. It is NOT encrypted there, only base64-coded:" \
      "whoever can read that file has the key. A credential helper encrypts it: https://docs.docker.com/go/credential-store/"
  else
    [[ $(config_text) =~ \"credsStore\"\ *:\ *\"([^\"]*)\" ]] && helper=${BASH_REMATCH[1]}
    [[ $(config_text) =~ \"credHelpers\"\ *:\ *\{[^\}]*\"${registry//./\\.}\"\ *:\ *\"([^\"]*)\" ]] && helper=${BASH_REMATCH[1]}
    say "Docker keeps the key in the credential helper docker-credential-${helper:-?} (named in $config)."
  fi
  say "To remove it: ./setup_nvidia_auth.sh --logout"
  if [ "$(id -u)" -eq 0 ] && [ -n "${SUDO_USER-}" ]; then
    say "Note: you used sudo, so the login is root's; 'docker' without sudo as $SUDO_USER does not see it."
  fi
}

# ---- the key ----------------------------------------------------------------------------------

key_source=''
get_key() {
  if [ -n "$key_file" ]; then
    read_key_file
  elif [ -n "$given_key" ]; then
    key_source="NGC_API_KEY" ngc_key=$given_key
  elif [ -t 0 ]; then
    key_source="what you typed"
    say "$registry wants a login for $image." "Make a free key at $KEYS_PAGE (NVIDIA_SETUP.md, steps 1 and 2)."
    [ -z "$terminal" ] || drop_typed
    printf 'NGC key (not shown while you type or paste): ' >&2
    IFS= read -rs ngc_key
    printf '\n' >&2
  else
    die $EXIT_KEY_NEEDED \
      "$reference can't be read without a login (or its name is wrong), and there is neither a key nor a terminal." \
      "Set NGC_API_KEY, give --key-file FILE, or run this in a terminal. Keys: $KEYS_PAGE"
  fi
  given_key=''
  clean_key
  check_key
}

read_key_file() {
  if [ "$key_file" = - ]; then
    key_source="standard input" ngc_key=$(head -c 8192 | tr -d '\000')
    return
  fi
  key_source=$key_file
  case $(stat -c %a "$key_file" 2>/dev/null) in
    '' | *00) ;;
    *) say "Note: other users of this machine may read $key_file; chmod 600 stops that." ;;
  esac
  # Windows' PowerShell writes UTF-16: every second byte is NUL.
  ngc_key=$(head -c 8192 "$key_file" | tr -d '\000')
}

# Byte order marks, CRLF and blanks around the key are how files and clipboards come, not part of it.
clean_key() {
  ngc_key=${ngc_key#$'\xef\xbb\xbf'}
  ngc_key=${ngc_key#$'\xff\xfe'}
  ngc_key=${ngc_key//$'\r'/}
  # A settings file such as .env is a key file too.
  case $'\n'$ngc_key in
    *$'\n'NGC_API_KEY=*)
      ngc_key=${ngc_key#*NGC_API_KEY=}
      ngc_key=${ngc_key%%$'\n'*}
      ;;
  esac
  ngc_key=${ngc_key#"${ngc_key%%[![:space:]]*}"}
  ngc_key=${ngc_key%"${ngc_key##*[![:space:]]}"}
}

# NVIDIA's keys are nvapi- and 64 characters, older ones 84 of base64; the limits are wider, so that a new length passes.
check_key() {
  local problem=''
  case $ngc_key in
    '') problem="it is empty" ;;
    *$'\n'*) problem="it has more than one line" ;;
    "$LOGIN_USER") problem="it is the user name for the login, not the key" ;;
    hf_*) problem="it starts with hf_, so it is a Hugging Face token" ;;
    *[[:space:]]*) problem="there is a blank in it" ;;
    NVIDIA_*=*) problem="it is NAME=value; the name has to be NGC_API_KEY" ;;
    \"* | \'*) problem="it is in quotes; give it without them" ;;
    nvapi-*)
      [[ $ngc_key =~ ^nvapi-[A-Za-z0-9_-]{32,250}$ ]] ||
        problem="nvapi- is followed by 64 letters, digits, - or _; this has ${#ngc_key} characters in all"
      ;;
    *)
      [[ $ngc_key =~ ^[A-Za-z0-9+/=_-]{32,250}$ ]] ||
        problem="a key is nvapi- and 64 more characters, or some 84 letters and digits; this has ${#ngc_key} characters"
      ;;
  esac
  [ -z "$problem" ] || die $EXIT_INPUT "The key from $key_source can't be right: $problem." "It was not sent anywhere. Keys: $KEYS_PAGE"
}

log_in() {
  get_key
  # printf is bash's own, so the key is in no process's arguments; a here-string could lie in a file for a moment.
  if run_docker login --username "$LOGIN_USER" --password-stdin "$registry" < <(printf '%s' "$ngc_key" 2>/dev/null); then
    ngc_key='' stored="The login is stored; ./setup_nvidia_auth.sh --logout removes it."
    return
  fi
  ngc_key=''
  case $(failure) in
    unauthorized | denied)
      die $EXIT_KEY_REFUSED "$registry refuses the key: it is wrong, expired or revoked (or made without the service 'NGC Catalog')." \
        "Make a new one at $KEYS_PAGE. Docker said: ${out##*$'\n'}"
      ;;
    missing) die $EXIT_NO_NETWORK "$registry does not answer like an image registry." "Docker said: ${out##*$'\n'}" ;;
  esac
  die_unless_about_access "$(failure)"
}

# ---- the three ways through -------------------------------------------------------------------

log_out() {
  local was_stored=''
  login_is_stored && was_stored=yes
  if ! run_docker logout "$registry" </dev/null || [[ $out == *'could not erase'* ]]; then
    die $EXIT_NOT_STORED "Docker could not remove the login for $registry ($config)." "Docker said: ${out##*$'\n'}"
  fi
  if login_is_in_the_file; then
    die $EXIT_NOT_STORED "The login for $registry is still in $config after docker logout; remove it there by hand."
  fi
  if [ -n "$was_stored" ]; then
    say "The login for $registry is removed from Docker's store ($config)." \
      "The key itself stays valid until it expires; revoke it at $KEYS_PAGE"
  else
    say "No login for $registry was stored in $config; nothing to remove."
  fi
}

die_image_refused() {
  die $EXIT_NO_IMAGE "$1" \
    "the name or tag does not exist, or your account may not read it (accept its terms in NVIDIA's catalog first)." \
    "Docker said: ${out##*$'\n'}"
}

# Ends the script when the image can be read with what is stored; returns when a new key could help.
use_stored_login() {
  local what
  read_manifest && { say "ok: $reference can be read with the stored login."; exit $EXIT_OK; }
  what=$(failure)
  die_unless_about_access "$what"
  if [ "$what" != unauthorized ]; then
    die_image_refused "The stored login for $registry is accepted, but $image can't be read with it:"
  fi
  [ "$mode" != check ] || die $EXIT_KEY_REFUSED \
    "$registry refuses the stored login: the key is expired or revoked." \
    "Make a new one at $KEYS_PAGE and run ./setup_nvidia_auth.sh again."
  say "$registry refuses the stored login: the key is expired or revoked. A new key is needed."
}

command -v docker >/dev/null 2>&1 ||
  die $EXIT_NO_DOCKER "Docker is not installed, or not on PATH. Install it: https://docs.docker.com/engine/install/" \
    "On WSL2: install it inside the distribution, or switch on Docker Desktop's WSL integration for it."

if [ "$mode" = logout ]; then
  log_out
  exit $EXIT_OK
fi

if ! run_docker version --format '{{.Server.Version}}' </dev/null; then
  die_daemon
fi

if read_manifest_anonymously; then
  # Docker sends a stored login even where none is needed, and fails with it when it has expired.
  if login_is_stored && ! read_manifest && [ "$(failure)" = unauthorized ]; then
    die $EXIT_KEY_REFUSED \
      "$reference can be read without a login, but $registry refuses the stored one, which Docker would use." \
      "Remove it: ./setup_nvidia_auth.sh --logout"
  fi
  say "ok: $reference can be read without a login; nothing to set up."
  [ -z "$key_file$given_key" ] || say "The key was not needed and not used."
  exit $EXIT_OK
fi
anonymous=$(failure)
die_unless_about_access "$anonymous"

if login_is_stored && [ -z "$key_file$given_key" ]; then
  use_stored_login
elif [ "$mode" = check ]; then
  login_is_stored && use_stored_login
  die $EXIT_KEY_NEEDED "$reference can't be read without a login, and Docker has none for $registry." \
    "Run ./setup_nvidia_auth.sh to log in (or the image's name is wrong). Docker said: ${out##*$'\n'}"
fi

log_in
say "ok: $registry accepts the key."
if ! read_manifest; then
  what=$(failure)
  die_unless_about_access "$what"
  say_where_stored
  die_image_refused "The login is stored, but $image can't be read with it:"
fi
say "ok: $reference can be read with it."
say_where_stored
