// The export list is the module's ABI; src/linux/codec.ts is its only user.
export { addressAdd, addressDelete, addressDump } from "./address";
export { linkAdd, linkDelete, linkDump, linkGet, linkSet } from "./link";
export { requestBegin, requestCount, requestFail, requestFinish } from "./request";
export { responseBegin, responseNext } from "./response";
export { routeChange, routeDump } from "./route";
export { seekAddress, seekLinkByIndex, seekLinkByKind, seekLinkByName, seekRoute } from "./seek";
