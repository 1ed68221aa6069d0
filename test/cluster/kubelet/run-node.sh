#!/bin/sh
# The first process of the node's own mount and PID namespace (node.ts): starts containerd and the kubelet, both with
# all their files below the folder $1 or on memory that only they see. When it is killed everything in it ends too.
set -eu
folder=$1 kubelet=$2
shift 2
# They have fixed places there, some even with other roots: on memory, so that nothing of this machine's is touched.
for place in /run/netns /run/containerd /var/lib/kubelet /var/lib/containerd /var/log/pods /var/log/containers; do
  mkdir -p "$place"
  mount -t tmpfs -o mode=755 none "$place"
done
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin
export PATH
containerd --config "$folder/containerd.toml" >"$folder/containerd.log" 2>&1 &
containerd=$!
until [ -S "$folder/containerd.sock" ] && ctr -a "$folder/containerd.sock" version >/dev/null 2>&1; do
  kill -0 $containerd
  sleep 0.05
done
ctr -a "$folder/containerd.sock" -n k8s.io images import "$folder/images.tar" >&2
"$kubelet" "$@" >&2 &
wait $!
