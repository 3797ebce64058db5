#!/bin/sh
# Prints what iproute2's ip and the running kernel say to each other, as test/golden/*.hex keeps it:
#
#   sh test/golden/record.sh > test/golden/linux-6.1.hex
#
# Needs root, gcc, and a kernel with ipvlan; works in a network namespace of its own. $1: a record.so built already.
# `record TYPE COMMAND…`: TYPE is the message type of the request wanted, as its four hex digits.
# Lines: "# " where it is from, "$ " a command, "> " bytes sent, "< " bytes received, "= " what the command printed.
set -eu
if [ -z "${RECORD_INSIDE:-}" ]; then RECORD_INSIDE=1 exec unshare --net sh "$0" "$@"; fi
here=$(dirname "$0")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
library=${1:-$scratch/record.so}
[ -f "$library" ] || gcc -shared -fPIC -o "$library" "$here/record.c" -ldl

record() {
  type=$1
  shift
  : > "$scratch/bytes"
  status=0
  RECORD_TO=$scratch/bytes LD_PRELOAD=$library "$@" > "$scratch/printed" 2> "$scratch/error" || status=$?
  echo "\$ $*"
  [ $status = 0 ] || echo "= $(tr '\n' ' ' < "$scratch/error")"
  [ ! -s "$scratch/printed" ] || echo "= $(tr -d '\n' < "$scratch/printed")"
  # Requests of type $type, but not ip's empty ones of sequence number 0, with their answers.
  awk -v type="$type" '/^>/ { on = substr($2, 9, 4) == type && substr($2, 17, 8) != "00000000" } on' "$scratch/bytes"
}

echo "# Linux $(uname -r) $(uname -m), $(ip -V)"
echo "# Recorded by test/golden/record.sh."

ip link set lo up
record 1000 ip link add index 10 name dm0 type dummy
record 1000 ip link set dm0 up
record 1000 ip link add link dm0 index 11 name c0 mtu 1400 txqueuelen 7 type ipvlan mode l3 private
record 1000 ip link add link dm0 index 12 name c2 type ipvlan mode l2
record 1000 ip link add link dm0 index 13 name dm0.7 type vlan id 7
record 1000 ip link add index 14 name dm1 type dummy
record 1000 ip link add link dm1 index 15 name m0 type macvlan mode bridge
ip link add index 16 name v0 type veth peer name v1 index 17
ip link add index 18 name br0 type bridge
ip link set v1 master br0
ip link property add dev c2 altname a-name-longer-than-fifteen-bytes altname short
record 1000 ip link set c0 name c1
record 1000 ip link set c1 mtu 1380
record 1000 ip link set c1 txqueuelen 9
record 1000 ip link set c1 up
record 1000 ip link set c1 down
for link in c1 c2 m0 v0 v1 br0 dm0.7 dm1; do ip link set "$link" up; done
unshare --net sleep 60 &
inner=$!
until [ "$(readlink /proc/$inner/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.1; done
record 1000 ip link add link dm0 name c3 netns $inner type ipvlan mode l3s vepa
record 1000 ip link set m0 netns $inner
record 1200 nsenter --target $inner --net ip -d -j link show
kill $inner

record 1200 ip -j link show dev c1
record 1200 ip -j link show dev a-name-longer-than-fifteen-bytes
record 1200 ip -d -j link show
record 1200 ip -d -j link show type ipvlan
record 1200 ip -d -j link show master br0

record 1400 ip address add 10.1.2.3/24 broadcast + dev c1
record 1400 ip address add 10.1.2.4/24 dev c1
record 1400 ip address add 10.9.0.1/32 dev c1 scope link
record 1400 ip address add 10.1.3.1 peer 10.1.3.2/32 dev c1
record 1400 ip address add 10.1.4.1/24 dev c1 valid_lft 1000 preferred_lft 500
record 1400 ip address add fd00::5/64 dev c1 nodad
record 1400 ip address add fd00:1::5/64 dev c1 nodad noprefixroute
record 1400 ip address replace fd00:1::5/64 dev c1 nodad valid_lft 3600 preferred_lft 1800
record 1500 ip address delete 10.1.2.4/24 dev c1
record 1500 ip address delete fd00:1::5/64 dev c1
record 1600 ip -d -j address show dev c1
record 1600 ip -d -j -N address show

record 1800 ip route add default via 10.1.2.1
record 1800 ip route add 192.0.2.0/24 via 10.1.2.1 dev c1 metric 50
record 1800 ip route add 192.0.3.0/24 via 172.31.0.1 dev c1 onlink
record 1800 ip route add 192.0.4.0/24 dev c1 scope link
record 1800 ip route add 192.0.5.0/24 dev c1 table 1000
record 1800 ip route add 192.0.6.0/24 via 10.1.2.1 dev c1 mtu 1300 advmss 1260
record 1800 ip route add 192.0.7.0/24 dev c1 src 10.1.2.3
record 1800 ip route add 192.0.8.0/24 via inet6 fd00::1 dev c1
record 1800 ip route replace 192.0.2.0/24 via 10.1.2.2 dev c1 metric 50
record 1800 ip route append 192.0.2.0/24 via 10.1.2.9 dev c1 metric 50
record 1800 ip route add blackhole 192.0.9.0/24
record 1800 ip route add 192.0.10.0/24 nexthop via 10.1.2.1 dev c1 weight 1 nexthop dev dm1 weight 2
record 1800 ip route add 192.0.11.0/24 dev c1 proto static
record 1900 ip route delete 192.0.4.0/24
record 1900 ip route delete 192.0.5.0/24 dev c1 table 1000
record 1800 ip -6 route add default via fd00::1 dev c1
record 1800 ip -6 route add fd00:2::/64 via fd00::1 dev c1 metric 7
record 1800 ip -6 route add fd00:3::/64 nexthop via fd00::1 dev c1 nexthop via fd00::2 dev c1
record 1800 ip -6 route add unreachable fd00:4::/64
record 1900 ip -6 route delete fd00:2::/64 via fd00::1 dev c1 metric 7
ip route add 192.0.12.0/24 dev c1 table 1000
record 1a00 ip -d -j -N route show table all
record 1a00 ip -d -j -N -6 route show table all
record 1a00 ip -d -j -N route show table 1000
record 1a00 ip -d -j -N route show dev c1

# What goes wrong, with the kernel's sentence; first with the request repeated in the answer, then without.
for capped in "" 1; do
  if [ -n "$capped" ]; then export RECORD_CAPPED=1; echo "# From here on with NETLINK_CAP_ACK."; fi
  record 1000 ip link add link lo name c9 type ipvlan mode l2
  record 1000 ip link add link dm0 name c1 type ipvlan mode l2
  record 1000 ip link add name c9 type nonsense
  record 1000 ip link set c1 mtu 20
  record 1400 ip address add 10.1.2.3/24 dev c1
  record 1800 ip route add 198.51.100.0/24 via 203.0.113.1 dev c1
  record 1900 ip route delete 198.51.100.0/24
  record 1200 ip link show dev nowhere
done
unset RECORD_CAPPED
record 1100 ip link delete c1
