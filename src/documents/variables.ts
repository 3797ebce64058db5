/** Environment variables of our own, and those of others that change what a call does. */
export const VARIABLES: { name: string; meaning: string }[] = [
  { name: "IPVLAN_DEBUG", meaning: "`stderr`, or a file: what each call does, as JSON lines" },
  { name: "IPVLAN_RUN_DIR", meaning: "where the records of attachments are kept (`/run/ipvlan`)" },
  {
    name: "IPVLAN_EXTERNAL_IPAM",
    meaning: "`1`: execute the programs `host-local`, `static` and `dhcp` of `CNI_PATH`",
  },
  { name: "IPVLAN_IPAM_TIMEOUT_MS", meaning: "how long an IPAM program may take (300000)" },
  { name: "IPVLAN_LOCK_TIMEOUT_MS", meaning: "how long to wait for a lock that others hold (60000)" },
  {
    name: "CNI_PATH",
    meaning: "where plugins are found; for commands `/opt/cni/bin:/usr/lib/cni:/usr/libexec/cni`",
  },
  { name: "NETCONFPATH", meaning: "where commands find configurations (`/etc/cni/net.d`)" },
  { name: "CNI_ARGS", meaning: "`add`, `check`, `del`: passed on to the plugins" },
  { name: "CAP_ARGS", meaning: "`add`, `check`, `del`: a JSON object of capability arguments" },
  { name: "CNI_IFNAME", meaning: "`add`, `check`, `del`: the interface's name (`eth0`)" },
  { name: "TRACEPARENT", meaning: "passed on to IPAM programs, and told in each line of the debug log" },
  { name: "NO_COLOR", meaning: "no colour at a terminal" },
];
