// Kernel constants under their uapi names. Untyped, so that asc reads i32 and TypeScript reads number.

// linux/netlink.h
export const NETLINK_ROUTE = 0;
