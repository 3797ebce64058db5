/** ARP for IPv4 on Ethernet (RFC 826), as far as conflict detection (RFC 5227) needs it. */

const ARP_BYTES = 28;
const REQUEST = 1;

/** A probe: who has `target`, asked without an address of one's own, so that nobody's cache changes. */
export function arpProbe(mac: Uint8Array, target: number): Uint8Array {
  const bytes = new Uint8Array(ARP_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 1);
  view.setUint16(2, 0x0800);
  view.setUint8(4, 6);
  view.setUint8(5, 4);
  view.setUint16(6, REQUEST);
  bytes.set(mac, 8);
  view.setUint32(24, target);
  return bytes;
}

/**
 * Whether the packet shows that somebody uses `target`: it comes from that address. Every endpoint of a master has the
 * same MAC address, so that whose packet it is cannot be told by that.
 */
export function isConflict(bytes: Uint8Array, target: number): boolean {
  if (bytes.length < ARP_BYTES) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(0) === 0x0001_0800 && view.getUint16(4) === 0x0604 && view.getUint32(14) === target;
}
