// Questions to a long dump, answered without a step back to JavaScript: each goes on to the next message that fits.
// A result that is neither 0 nor the wanted type is the end of the dump, an error, or malformed.
import { textEquals } from "./attribute";
import {
  ADDRESS_INDEX,
  LINK_INDEX,
  LINK_KIND_AT,
  LINK_NAME_AT,
  LINK_PARENT,
  ROUTE_OIF,
  ROUTE_TABLE,
  TEXT,
} from "./layout";
import { get } from "./record";
import { responseNext } from "./response";
import { RTM_NEWADDR, RTM_NEWLINK, RTM_NEWROUTE } from "./uapi";

/** A link of the kind in TEXT (length 0: any) and of that parent (0: any). */
export function seekLinkByKind(kindLength: i32, parent: i32): i32 {
  let type = responseNext();
  while (type === RTM_NEWLINK && !isKindAndParent(kindLength, parent)) type = responseNext();
  return type;
}

function isKindAndParent(kindLength: i32, parent: i32): bool {
  if (parent !== 0 && get(LINK_PARENT) !== parent) return false;
  return kindLength === 0 || textEquals(get(LINK_KIND_AT), TEXT, kindLength);
}

/** The link of the name in TEXT. */
export function seekLinkByName(nameLength: i32): i32 {
  let type = responseNext();
  while (type === RTM_NEWLINK && !textEquals(get(LINK_NAME_AT), TEXT, nameLength)) type = responseNext();
  return type;
}

/** The link of that index. */
export function seekLinkByIndex(index: i32): i32 {
  let type = responseNext();
  while (type === RTM_NEWLINK && get(LINK_INDEX) !== index) type = responseNext();
  return type;
}

/** An address of that link. */
export function seekAddress(index: i32): i32 {
  let type = responseNext();
  while (type === RTM_NEWADDR && get(ADDRESS_INDEX) !== index) type = responseNext();
  return type;
}

/** A route through that link (0: any) and in that table (0: any). */
export function seekRoute(oif: i32, table: i32): i32 {
  let type = responseNext();
  while (type === RTM_NEWROUTE && !isOifAndTable(oif, table)) type = responseNext();
  return type;
}

function isOifAndTable(oif: i32, table: i32): bool {
  return (oif === 0 || get(ROUTE_OIF) === oif) && (table === 0 || get(ROUTE_TABLE) === table);
}
