import { release } from "node:os";
import { messageOf } from "../../error.ts";
import type { Mode } from "../../ipvlan/call.ts";
import { MODES } from "../../ipvlan/link.ts";
import * as codec from "../../linux/codec.ts";
import { EOPNOTSUPP, EPERM, KernelError } from "../../linux/errno.ts";
import { unshare } from "../../linux/libc.ts";
import { closeNamespace, enterNamespace, openOwnNamespace } from "../../linux/netns.ts";
import { linkByName } from "../../linux/rtnetlink.ts";
import { closeSocket, exchange, openSocket, type Socket } from "../../linux/socket.ts";
import { CAPABILITIES, missingHere } from "../privileges.ts";
import { type Diagnosis, error, ok, warning } from "./diagnosis.ts";

const CLONE_NEWNET = 0x40000000;
const AS_ROOT = "run it as root, with these capabilities; runtimes do";
const TRY_DEMO = "try ipvlan demo: it says what the kernel refuses";

/** Capabilities, driver and modes. */
export function examineKernel(): Diagnosis[] {
  const missing = missingHere();
  if (missing.length > 0)
    return [
      error("capabilities", `this process lacks ${missing.join(" and ")}`, AS_ROOT),
      error("driver", "whether this kernel has ipvlan cannot be tried without them", AS_ROOT),
    ];
  return [ok("capabilities", Object.keys(CAPABILITIES).join(", ")), ...examineDriver()];
}

/** Makes real links, in a namespace of its own that ends with this function. */
function examineDriver(): Diagnosis[] {
  const home = openOwnNamespace();
  if (unshare(CLONE_NEWNET) < 0)
    return [error("driver", "a network namespace to try the driver in cannot be made", AS_ROOT)];
  const socket = openSocket();
  try {
    const outcomes = tryModes(socket);
    if (outcomes === undefined) return [probe(socket)];
    const refused = outcomes.filter(({ failure }) => failure !== undefined);
    if (refused.length === 0) return [ok("driver", `ipvlan in modes l2, l3, l3s; Linux ${release()}`)];
    const [first] = refused;
    if (refused.length === 1 && first?.mode === "l3s")
      return [
        warning(
          "driver",
          `ipvlan in modes l2 and l3, not in l3s; Linux ${release()}`,
          "for l3s use a kernel with CONFIG_IPVLAN_L3S",
        ),
      ];
    return [explain(first!.failure!)];
  } catch (thrown) {
    return [warning("driver", `the driver could not be tried: ${messageOf(thrown)}`, TRY_DEMO)];
  } finally {
    closeSocket(socket);
    enterNamespace(home);
    closeNamespace(home);
  }
}

function explain(failure: KernelError): Diagnosis {
  if (failure.errno === EOPNOTSUPP)
    return error(
      "driver",
      `this kernel lacks the ipvlan driver (Linux ${release()})`,
      "load it (modprobe ipvlan), or use a kernel with CONFIG_IPVLAN",
    );
  return error("driver", messageOf(failure), failure.errno === EPERM ? AS_ROOT : TRY_DEMO);
}

/** All links of a master share one mode, so each is tried after the other; undefined where no master can be made. */
function tryModes(socket: Socket): { mode: Mode; failure: KernelError | undefined }[] | undefined {
  const master = "master0";
  const failure = request(socket, { kind: "dummy", name: master, masterIndex: 0 });
  if (failure?.errno === EOPNOTSUPP) return undefined;
  if (failure !== undefined) throw failure;
  const masterIndex = linkByName(socket, master)!.index;
  return (Object.keys(MODES) as Mode[]).map((mode) => {
    const link = { name: `try-${mode}`, masterIndex, mode: MODES[mode], flags: 0 };
    return { mode, failure: request(socket, link) };
  });
}

/** A link without a master can never be made; what the kernel says to it tells whether it has the driver. */
function probe(socket: Socket): Diagnosis {
  const failure = request(socket, { name: "try", masterIndex: 0, mode: MODES.l2, flags: 0 });
  return failure?.errno === EOPNOTSUPP ? explain(failure) : ok("driver", `ipvlan; Linux ${release()}`);
}

function request(socket: Socket, link: codec.LinkAdd): KernelError | undefined {
  const [answer] = exchange(socket, () => codec.requestLinkAdd(link));
  if (answer === undefined || answer.errno === 0) return undefined;
  return new KernelError("RTM_NEWLINK", link.name, answer.errno, answer.message);
}
