// Questions to a long dump, answered without a step back to JavaScript: each goes on to the next message that fits.
// A result that is neither 0 nor the wanted type is the end of the dump, an error, or malformed.
import { textEquals, valueOr } from "./attribute";
import { INFO_SLOT, MESSAGE_SLOT, TEXT } from "./layout";
import { get } from "./record";
import { responseNext } from "./response";
import {
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_LINK,
  NLMSG_HDRLEN,
  RTA_OIF,
  RTA_TABLE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
} from "./uapi";

/** 32 bits of the message's fixed part. */
function bodyWord(offset: i32): i32 {
  return load<i32>(get(MESSAGE_SLOT) + NLMSG_HDRLEN + offset);
}

/** A link of the kind in TEXT (length 0: any) and of that parent (0: any). */
export function seekLinkByKind(kindLength: i32, parent: i32): i32 {
  let type = responseNext();
  while (type === RTM_NEWLINK && !isKindAndParent(kindLength, parent)) type = responseNext();
  return type;
}

function isKindAndParent(kindLength: i32, parent: i32): bool {
  if (parent !== 0 && valueOr(IFLA_LINK, 0) !== parent) return false;
  return kindLength === 0 || textEquals(INFO_SLOT + IFLA_INFO_KIND, TEXT, kindLength);
}

/** The link of the name in TEXT. */
export function seekLinkByName(nameLength: i32): i32 {
  let type = responseNext();
  while (type === RTM_NEWLINK && !textEquals(IFLA_IFNAME, TEXT, nameLength)) type = responseNext();
  return type;
}

/** The link of that index. */
export function seekLinkByIndex(index: i32): i32 {
  let type = responseNext();
  while (type === RTM_NEWLINK && bodyWord(4) !== index) type = responseNext();
  return type;
}

/** An address of that link. */
export function seekAddress(index: i32): i32 {
  let type = responseNext();
  while (type === RTM_NEWADDR && bodyWord(4) !== index) type = responseNext();
  return type;
}

/** A route through that link (0: any) and in that table (0: any). */
export function seekRoute(oif: i32, table: i32): i32 {
  let type = responseNext();
  while (type === RTM_NEWROUTE && !isOifAndTable(oif, table)) type = responseNext();
  return type;
}

function isOifAndTable(oif: i32, table: i32): bool {
  return (
    (oif === 0 || valueOr(RTA_OIF, 0) === oif) &&
    (table === 0 || valueOr(RTA_TABLE, bodyWord(4) & 0xff) === table)
  );
}
