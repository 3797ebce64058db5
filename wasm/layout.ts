// The codec's linear memory, as wasm and src/linux/codec.ts both see it. Untyped, as in uapi.ts.
// Three pages: one for all that is small and for requests, two for answers.

/** A text on its way in (a name, a kind); the codec writes its NULs behind it, hence more room than TEXT_BYTES_MAX. */
export const TEXT = 1024;
export const TEXT_BYTES_MAX = 127;

/**
 * Addresses on their way in, 16 bytes each: two u64 in the machine's order, the upper half first.
 * IPv4 uses the lower half only.
 */
export const ADDRESS_IN = 1280;
export const GATEWAY_IN = 1296;
export const SOURCE_IN = 1312;

/**
 * Where in memory the current message begins and where each of its attributes does: a 32-bit slot for each attribute
 * type, 0 when there is none. Nested attributes have TYPES slots of their own from INFO_SLOT (IFLA_LINKINFO) on, from
 * DATA_SLOT (IFLA_INFO_DATA), METRICS_SLOT (RTA_METRICS) and NEXTHOP_SLOT (the first of RTA_MULTIPATH).
 */
export const RECORD = 2048;
export const TYPES = 64;
export const INFO_SLOT = 64;
export const DATA_SLOT = 128;
export const METRICS_SLOT = 192;
export const NEXTHOP_SLOT = 256;
/** For what is walked but not read. */
export const SCRATCH_SLOT = 320;
/** The message itself. */
export const MESSAGE_SLOT = 384;

export const REQUEST = 16384;
export const REQUEST_BYTES = 49152;
/** No single request is longer; one check when a message begins is enough. */
export const REQUEST_MESSAGE_BYTES_MAX = 512;

export const RESPONSE = 65536;
export const RESPONSE_BYTES = 131072;

export const MEMORY_PAGES = 3;

/** Kinds whose data the codec writes and reads. */
export const KIND_OTHER = 0;
export const KIND_IPVLAN = 1;
export const KIND_MACVLAN = 2;
export const KIND_VLAN = 3;
/** Has no data. */
export const KIND_DUMMY = 4;
