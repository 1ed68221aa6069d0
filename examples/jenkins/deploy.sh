#!/bin/sh
# Deploys the build of a Jenkins 'Execute shell' step with curl and POSIX sh alone, for agents without Node:
# asks for it, waits for the end, and exits as `gkube deploy` does (docs/exit-codes.md).
#
#   GKUBE_URL, GKUBE_TOKEN   the server, and a token from the job's credentials (never an argument)
#   GKUBE_APP, GKUBE_REVISION, GKUBE_ENVIRONMENT
#                            what to deploy where; left out, the server takes it from the build and the app
#   GKUBE_FILE               an app file in the workspace: registers the app for this job before it is deployed
#   GKUBE_ARTIFACT           code: an archive in the workspace, uploaded first; or the SHA-256 of one that is there
#   GKUBE_WAIT_APPROVAL      so long it waits for what holds it (15m), then exit 4; the deploy lives on
#   GKUBE_RECONNECT          so long it waits for a server that does not answer (10m), then exit 75
set -u
# Jenkins' shell echoes what it runs; this one must not, because of the token.
{ set +x; } 2>/dev/null

say() { printf 'gkube: %s\n' "$*"; }
die() { code=$1; shift; printf 'gkube: %s\n' "$*" >&2; exit "$code"; }

[ -n "${GKUBE_URL:-}" ] || die 2 'set GKUBE_URL to the address of the gkube server'
[ -n "${GKUBE_TOKEN:-}" ] || die 2 'set GKUBE_TOKEN from the credentials of the job'
case $GKUBE_TOKEN in *[!A-Za-z0-9._~+/=-]*) die 2 'GKUBE_TOKEN holds characters that no token has' ;; esac
[ -n "${JOB_NAME:-}${GKUBE_APP:-}" ] || die 2 'set GKUBE_APP, or run this in a job of Jenkins'
url=${GKUBE_URL%/}
poll=3

# The seconds in 90s, 15m or 1h30m.
seconds() {
  printf '%s\n' "$2" | awk '/^([0-9]+h)?([0-9]+m)?([0-9]+s)?$/ && length($0) > 0 {
    for (i = 1; i <= length($0); i++) {
      c = substr($0, i, 1)
      if (c ~ /[0-9]/) { n = n c; continue }
      t += n * (c == "h" ? 3600 : c == "m" ? 60 : 1); n = ""
    }
    print t; good = 1
  } END { exit !good }' || die 2 "$1 is $2; expected a duration such as 90s, 15m or 1h30m"
}
wait_limit=$(seconds GKUBE_WAIT_APPROVAL "${GKUBE_WAIT_APPROVAL:-15m}") || exit 2
patience=$(seconds GKUBE_RECONNECT "${GKUBE_RECONNECT:-10m}") || exit 2

type=application/json upload= id= app= revision= environment= phase= why= child=
began=$(date +%s)
work=$(mktemp -d) || die 70 'cannot make a directory for temporary files'
trap 'rm -rf "$work"' EXIT

now() { date +%s; }
result() { printf 'gkube: RESULT %s %s %s %s %ss\n' "$1" "$app" "${revision:--}" "$environment" "$(($(now) - began))"; }

# A value as JSON, with control characters as spaces.
json() { printf '"%s"' "$(printf '%s' "$1" | tr '\001-\037\177' ' ' | sed 's/[\\"]/\\&/g')"; }
# "name": "value", or nothing where the value is empty.
pair() { [ -z "$2" ] || printf ',%s:%s' "$(json "$1")" "$(json "$2")"; }

# The first text of that name in the answer.
field() {
  awk -v key="\"$1\":\"" '{
    at = index($0, key)
    if (!at) next
    rest = substr($0, at + length(key)); out = ""
    for (i = 1; i <= length(rest); i++) {
      c = substr(rest, i, 1)
      if (c == "\"") break
      if (c == "\\") { i++; c = substr(rest, i, 1); if (c == "n" || c == "t" || c == "r") c = " " }
      out = out c
    }
    print out; exit
  }' "$work/answer"
}

# call METHOD PATH SECONDS [BODY]: the answer is in $work/answer, its status in $status (000: there was none).
# In the background, so that a signal is heard at once. The token goes by curl's standard input: it is never in a file
# nor among the arguments of a process.
call() {
  : > "$work/answer"
  printf '%s' "${4:-}" > "$work/body"
  printf 'header = "authorization: Bearer %s"\n' "$GKUBE_TOKEN" |
    curl --config - --silent --show-error --max-time "$3" --request "$1" \
    --header 'accept: application/json' --header "content-type: $type" \
    --header 'x-gkube-client: jenkins' --header "idempotency-key: $key" \
    ${upload:+--upload-file "$upload"} ${4:+--data-binary "@$work/body"} \
    --output "$work/answer" --write-out '%{http_code}' "$url$2" > "$work/status" 2> "$work/error" &
  child=$!
  wait "$child" || :
  child=
  status=$(cat "$work/status")
  [ -n "$status" ] || status=000
}
# Whether asking again may help: no answer, or one that says so.
passing() { case $status in 000 | 429 | 502 | 503 | 504) return 0 ;; *) return 1 ;; esac; }

refused() {
  message=$(field message)
  case $status in
    401 | 403) code=3 ;;
    423) code=4 ;;
    4*) code=2 ;;
    *) code=75 ;;
  esac
  die "$code" "${message:-$url answers $status, and not as gkube does}"
}

# What Jenkins asks for by TERM: what waits is cancelled, what runs does as its app says (onAbort). 5 seconds are left.
stopped() {
  trap '' TERM INT HUP
  # Gone before the next one: both write their answer to the same place.
  [ -z "$child" ] || { kill "$child" 2>/dev/null && wait "$child" 2>/dev/null; }
  if [ -n "$id" ]; then
    call POST "/v1/deploys/$id/abort" 3 "{\"reason\":\"its command was told to stop (SIG$1)\"}"
    case $(field outcome) in
      cancelled) say "SIG$1: the deploy was still waiting and is cancelled" >&2 ;;
      cancelling) say "SIG$1: the deploy is being cancelled ($url, $id)" >&2 ;;
      continues) say "SIG$1: the deploy goes on ($id)" >&2 ;;
      ended) say "SIG$1: the deploy had ended" >&2 ;;
      *) say "SIG$1: it could not be cancelled; look at it: gkube follow $id" >&2 ;;
    esac
    now_phase=$(field phase)
    result "${now_phase:-$phase}"
  fi
  exit "$2"
}
trap 'stopped TERM 143' TERM
trap 'stopped INT 130' INT
trap 'stopped HUP 129' HUP

# Sleeps so that a signal is heard.
pause() { sleep "$1" & child=$!; wait "$child" || :; child=; }

# The branch without the name of the remote; who started the build, where a person did.
branch=${BRANCH_NAME:-${GIT_LOCAL_BRANCH:-${GIT_BRANCH:-}}}
branch=${branch#refs/remotes/}; branch=${branch#origin/}; branch=${branch#refs/heads/}
[ "$branch" != detached ] || branch=
user=${BUILD_USER_ID:-${BUILD_USER_EMAIL:-${BUILD_USER:-}}}
case $user in timer | scmChange | branchIndexing | remoteRequest) user= ;; esac
source="$(pair job "${JOB_NAME:-}")$(pair url "${BUILD_URL:-}")$(pair commit "${GIT_COMMIT:-}")$(pair branch "$branch")$(pair user "$user")"
case ${BUILD_NUMBER:-} in '' | *[!0-9]*) ;; *) source="$source,\"build\":$BUILD_NUMBER" ;; esac
job=
[ -n "${GKUBE_APP:-}" ] || job=${JOB_NAME:-}
request="{\"kind\":\"deploy\"$(pair app "${GKUBE_APP:-}")$(pair job "$job")$(pair environment "${GKUBE_ENVIRONMENT:-}")$(pair revision "${GKUBE_REVISION:-}"),\"source\":{${source#,}}}"
# Sending it twice asks for one deploy.
key="sh-$(printf '%s' "${BUILD_TAG:-}${NODE_NAME:-}$(hostname 2>/dev/null)" | cksum | tr -d ' ')-$$-$began"

# persist METHOD PATH BODY [SECONDS]: again for a minute while there is no answer; ends the script where it is refused.
persist() {
  lost= since=$(now)
  while :; do
    call "$1" "$2" "${4:-30}" "$3"
    passing || break
    [ $(($(now) - since)) -lt 60 ] && [ $(($(now) - since)) -lt "$patience" ] || refused
    [ -n "$lost" ] || say "$url does not answer ($status $(cat "$work/error")), trying again"
    lost=yes
    pause "$poll"
  done
  case $status in 2*) ;; *) refused ;; esac
}

if [ -n "${GKUBE_FILE:-}" ]; then
  [ -r "$GKUBE_FILE" ] || die 2 "cannot read $GKUBE_FILE"
  name=$(sed -n 's/^app:[[:space:]]*\([a-z0-9-]*\).*/\1/p' "$GKUBE_FILE" | head -n 1)
  [ -n "$name" ] || die 2 "$GKUBE_FILE needs a name: \`app: web\`"
  # A file that names no jobs is about the job that sends it.
  jobs=
  [ -z "${JOB_NAME:-}" ] || grep -q '^jobs:' "$GKUBE_FILE" || jobs="jobs: [$(json "$JOB_NAME")]"
  type=application/yaml
  persist PUT "/v1/apps/$name" "$(cat "$GKUBE_FILE")
$jobs"
  type=application/json
fi

# The SHA-256 is the address: what the server has already is not sent again.
artifact=${GKUBE_ARTIFACT:-}
case $artifact in '' | *[!0-9a-f]*) is_hash= ;; *) is_hash=yes ;; esac
if [ -n "$artifact" ] && ! { [ -n "$is_hash" ] && [ "${#artifact}" -eq 64 ]; }; then
  [ -f "$artifact" ] && [ -r "$artifact" ] || die 2 "cannot read $artifact"
  upload=$artifact
  if command -v sha256sum > "$work/none"; then artifact=$(sha256sum < "$upload"); else artifact=$(shasum -a 256 < "$upload"); fi
  artifact=${artifact%% *}
  [ "${#artifact}" -eq 64 ] || die 70 'cannot make a SHA-256: is sha256sum or shasum there?'
  type=application/octet-stream
  persist PUT "/v1/artifacts/$artifact" '' 900
  case $(cat "$work/answer") in *'"repeated":true'*) there='already there' ;; *) there=uploaded ;; esac
  say "$upload, sha256 $artifact: $there"
  type=application/json upload=
fi
[ -z "$artifact" ] || request="${request%\}}$(pair artifact "$artifact")}"

persist POST /v1/deploys "$request"
id=$(field id) app=$(field app) revision=$(field revision) environment=$(field environment)
[ -n "$id" ] || die 2 "$url answers, but not as a gkube server does. Is GKUBE_URL right?"
case $(cat "$work/answer") in *'"repeated":true'*) [ -n "$lost" ] || say "this was asked for already ($id); no second deploy is made" ;; esac
say "$app ${revision:--} · $environment · $id"

asked=$(now) heard=$(now) spoke=$(now) lost= told=
while :; do
  call GET "/v1/deploys/$id" 10
  if passing; then
    [ $(($(now) - heard)) -lt "$patience" ] || {
      result unknown
      die 75 "the server has not answered for $patience s. The deploy lives on; later: gkube follow $id"
    }
    [ -n "$lost" ] || say 'connection lost, trying again'
    lost=yes
    pause "$poll"
    continue
  fi
  case $status in 2*) ;; *) result unknown; refused ;; esac
  [ -z "$lost" ] || say 'connected again'
  lost= heard=$(now)
  phase=$(field phase) revision=$(field revision) why=$(field waiting)
  words="$phase${why:+: $why}"
  if [ "$words" != "$told" ]; then
    say "$words"
    told=$words spoke=$(now)
  elif [ $(($(now) - spoke)) -ge 30 ]; then
    say "still $words, $(($(now) - began)) s"
    spoke=$(now)
  fi
  case $phase in
    succeeded)
      result "$phase"
      exit 0
      ;;
    failed | rolled_back | rollback_failed | cancelled | denied | expired | superseded)
      say "why: $(field message)"
      result "$phase"
      exit 1
      ;;
    requested | preparing | awaiting_approval | ready)
      if [ $(($(now) - asked)) -ge "$wait_limit" ]; then
        result "$phase"
        die 4 "not begun after $(($(now) - began)) s ($words). The deploy lives on: gkube follow $id"
      fi
      ;;
  esac
  pause "$poll"
done
