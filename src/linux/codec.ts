/**
 * The typed face of the netlink codec in wasm/: requests are packed into, and answers walked in, the codec's memory,
 * which the system calls read and write themselves. One batch and one datagram at a time.
 */
export * from "./codec-request.ts";
export * from "./codec-response.ts";
