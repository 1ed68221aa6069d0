#!/bin/sh
# A CNI plugin for kubelet/node.ts: gives a pod an address that this machine reaches over a pair of virtual links, and
# nothing more: no bridge, no forwarding, no firewall rule. Both ends vanish with the pod. Installed as `loopback` too.
set -eu
[ "$CNI_COMMAND" = VERSION ] && echo '{"cniVersion":"0.4.0","supportedVersions":["0.3.1","0.4.0"]}' && exit 0
[ "$CNI_COMMAND" = ADD ] || exit 0
inside() { nsenter --net="$CNI_NETNS" ip "$@"; }

if [ "$(basename "$0")" = loopback ]; then
  inside link set lo up
  echo '{"cniVersion":"0.3.1","interfaces":[{"name":"lo"}],"ips":[{"version":"4","address":"127.0.0.1/8","interface":0}]}'
  exit 0
fi

# Names are taken by making a folder: no two pods get the same.
taken=$(dirname "$0")/taken
n=2
while ! mkdir "$taken/$n" 2>/dev/null; do
  n=$((n + 1))
  [ "$n" -lt 255 ] || { echo '{"code":11,"msg":"no address is left"}'; exit 1; }
done
net=$(cat "$taken/../net")
address=10.244.$net.$n
here=169.254.$net.1
link=gk$net-$n
ip link add "$link" type veth peer name "$link-p"
ip link set "$link-p" netns "$(basename "$CNI_NETNS")"
inside link set "$link-p" name "$CNI_IFNAME"
inside address add "$address/32" dev "$CNI_IFNAME"
inside link set "$CNI_IFNAME" up
inside route add "$here" dev "$CNI_IFNAME" scope link
ip address add "$here/32" dev "$link"
ip link set "$link" up
ip route add "$address/32" dev "$link" src "$here"
echo "{\"cniVersion\":\"0.4.0\",\"interfaces\":[{\"name\":\"$CNI_IFNAME\",\"sandbox\":\"$CNI_NETNS\"}],\"ips\":[{\"version\":\"4\",\"address\":\"$address/32\",\"interface\":0}]}"
