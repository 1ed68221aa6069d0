#!/bin/sh
# The default code update script of gkube: makes an unpacked release ready to run. It may run twice on the same release.
# Run as `sh -eu update.sh`; POSIX sh with the usual tools (busybox is enough). The variables are in docs/publish.md:
#   GKUBE_RELEASE  the new release            GKUBE_PREVIOUS  the one that runs now; empty at first
#   GKUBE_SHARED   what all releases share    GKUBE_REVISION, GKUBE_ENVIRONMENT, GKUBE_APP, GKUBE_DEPLOY_ID
set -eu

fail() {
  echo "gkube: code update: $*" >&2
  exit 1
}

: "${GKUBE_RELEASE:?is not set}" "${GKUBE_SHARED:?is not set}"
cd "$GKUBE_RELEASE" || fail "there is no release $GKUBE_RELEASE"

# A name of .gkube-shared: nothing that could leave the release or the shared folder.
check_name() {
  case "/$1/" in
    */../* | */./* | *//*) fail ".gkube-shared: '$1' must be a path inside the release, such as var/uploads" ;;
  esac
  case "$1" in
    -*) fail ".gkube-shared: '$1' begins with a dash" ;;
  esac
  # Below a link the release ends: what is removed there would be shared data.
  above=$1
  while :; do
    case "$above" in
      */*) above=${above%/*} ;;
      *) break ;;
    esac
    if [ -L "$above" ]; then fail ".gkube-shared: '$1' is below '$above', which is a link"; fi
    if [ -L "$GKUBE_SHARED/$above" ]; then fail ".gkube-shared: '$above' is a link in $GKUBE_SHARED"; fi
  done
}

# The shared one is made of what the release brings, the first time; later the release's own is put aside.
share() {
  kept=$GKUBE_SHARED/$1
  case "$1" in
    */*) mkdir -p "$GKUBE_SHARED/${1%/*}" "./${1%/*}" ;;
    *) mkdir -p "$GKUBE_SHARED" ;;
  esac
  if [ ! -e "$kept" ] && [ ! -L "$kept" ]; then
    if [ -e "./$1" ] && [ ! -L "./$1" ]; then
      making=$kept.gkube-$$
      rm -rf "$making"
      cp -R "./$1" "$making"
      mv "$making" "$kept"
    else
      mkdir "$kept"
    fi
  fi
  rm -rf "./$1"
  ln -s "$kept" "./$1"
  echo "shared: $1"
}

if [ -f .gkube-shared ]; then
  return_char=$(printf '\r')
  while IFS= read -r name || [ -n "$name" ]; do
    name=${name%"$return_char"}
    name=${name%/}
    case "$name" in
      '' | '#'*) continue ;;
    esac
    check_name "$name"
    share "$name"
  done <.gkube-shared
fi

# Readable by whoever serves it; nothing is opened for writing.
find . -type d ! -perm -0555 -exec chmod u+rwx,go+rx {} +
find . -type f ! -perm -0444 -exec chmod a+r {} +

for own in ./gkube-update ./bin/gkube-update; do
  [ -f "$own" ] || continue
  [ -x "$own" ] || fail "$own may not be executed: chmod +x it before it is packed"
  echo "running $own"
  "$own"
  break
done
