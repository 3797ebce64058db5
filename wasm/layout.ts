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

/** Where each attribute of the current message begins, by type; see attribute.ts. */
export const TABLE = 1536;
export const TABLE_TYPES = 64;
/** The same for what is nested in it, one and two levels down. */
export const NESTED_TABLE = 1792;
export const INNER_TABLE = 1920;
export const NESTED_TYPES = 32;
export const TABLES_END = 2048;

/** What the current message says: 32-bit slots, numbered below. */
export const RECORD = 2048;

export const REQUEST = 16384;
export const REQUEST_BYTES = 49152;
/** No single request is longer; one check when a message begins is enough. */
export const REQUEST_MESSAGE_BYTES_MAX = 512;

export const RESPONSE = 65536;
export const RESPONSE_BYTES = 131072;

export const MEMORY_PAGES = 3;

// Slots of RECORD. "at": where the attribute begins in memory, 0 when there is none.
export const ABSENT = -0x80000000;

// every message
export const HEADER_TYPE = 0;
export const HEADER_FLAGS = 1;
export const HEADER_SEQUENCE = 2;

// NLMSG_ERROR, NLMSG_DONE
export const ERROR_NUMBER = 4;
export const ERROR_MESSAGE_AT = 5;
export const ERROR_OFFSET = 6;

// RTM_NEWLINK, RTM_DELLINK
export const LINK_INDEX = 4;
export const LINK_TYPE = 5;
export const LINK_FLAGS = 6;
export const LINK_NAME_AT = 7;
export const LINK_MTU = 8;
export const LINK_PARENT = 9;
export const LINK_PARENT_NETNSID = 10;
export const LINK_MASTER = 11;
export const LINK_TX_QUEUE_LENGTH = 12;
export const LINK_OPERSTATE = 13;
export const LINK_CARRIER = 14;
export const LINK_MAC_AT = 15;
export const LINK_NETNSID = 16;
export const LINK_PROPERTIES_AT = 17;
export const LINK_KIND_AT = 18;
export const LINK_SLAVE_KIND_AT = 19;
export const LINK_KIND = 20;
export const LINK_MODE = 21;
export const LINK_MODE_FLAGS = 22;

// RTM_NEWADDR, RTM_DELADDR
export const ADDRESS_INDEX = 4;
export const ADDRESS_FAMILY = 5;
export const ADDRESS_LENGTH = 6;
export const ADDRESS_FLAGS = 7;
export const ADDRESS_SCOPE = 8;
export const ADDRESS_LOCAL_AT = 9;
export const ADDRESS_PEER_AT = 10;
export const ADDRESS_BROADCAST_AT = 11;
export const ADDRESS_LABEL_AT = 12;
export const ADDRESS_CACHE_AT = 13;

// RTM_NEWROUTE, RTM_DELROUTE
export const ROUTE_FAMILY = 4;
export const ROUTE_LENGTH = 5;
export const ROUTE_TABLE = 6;
export const ROUTE_PROTOCOL = 7;
export const ROUTE_SCOPE = 8;
export const ROUTE_TYPE = 9;
export const ROUTE_FLAGS = 10;
export const ROUTE_DESTINATION_AT = 11;
export const ROUTE_GATEWAY_AT = 12;
export const ROUTE_VIA_AT = 13;
export const ROUTE_OIF = 14;
export const ROUTE_PRIORITY = 15;
export const ROUTE_SOURCE_AT = 16;
export const ROUTE_MTU = 17;
export const ROUTE_ADVMSS = 18;
export const ROUTE_NEXTHOPS = 19;

/** Kinds whose data the codec writes and reads. */
export const KIND_OTHER = 0;
export const KIND_IPVLAN = 1;
export const KIND_MACVLAN = 2;
export const KIND_VLAN = 3;
/** Has no data. */
export const KIND_DUMMY = 4;
