/**
 * bun confined.ts VARIANT PROGRAM [ARGUMENT…]
 *
 * Runs a program under a seccomp filter such as container runtimes set by default: what is not allowed fails with EPERM, or, in
 * the variants called "new", with ENOSYS. "privileged" variants allow what goes with CAP_SYS_ADMIN, "plain" ones do not.
 * x86-64 only.
 */

import { dlopen, ptr } from "bun:ffi";

/** System calls of <asm/unistd_64.h> up to the last that profiles know; all but the following are allowed. */
const LAST = 449;
/** Allowed to nobody: keys, modules, memory policies, time, swap, io_uring, other processes' memory and the like. */
const FORBIDDEN = [
  ...[134, 136, 139, 153, 155, 156, 163, 164, 167, 168, 169, 172, 173, 174, 175, 176, 177, 178, 180, 227],
  ...[
    237, 238, 239, 246, 248, 249, 250, 256, 279, 304, 310, 311, 312, 313, 320, 323, 425, 426, 427, 438, 440,
  ],
];
/** Allowed with CAP_SYS_ADMIN: mount and its kin, setns, unshare, quotactl, bpf, perf_event_open, clone3 and others. */
const OF_ADMINISTRATORS = [
  103, 165, 166, 170, 171, 179, 212, 272, 298, 308, 321, 428, 429, 430, 431, 432, 433, 442, 443,
];
const CLONE3 = 435;

const EPERM = 1;
const ENOSYS = 38;
const AUDIT_ARCH_X86_64 = 0xc000003e;
// linux/seccomp.h
const RET_ALLOW = 0x7fff0000;
const RET_ERRNO = 0x00050000;
// linux/bpf_common.h
const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER = 0x25;
const RETURN = 0x06;
// linux/prctl.h
const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;

/** The filter as an array of struct sock_filter: u16 code, u8 jump if true, u8 jump if false, u32 operand. */
function filter(isPrivileged: boolean, errno: number): Uint8Array {
  const steps: [code: number, yes: number, no: number, operand: number][] = [];
  const refuse = (code: number, operand: number, error: number) => {
    steps.push([code, 0, 1, operand], [RETURN, 0, 0, RET_ERRNO | error]);
  };
  // struct seccomp_data: i32 number, u32 architecture
  steps.push([LOAD_WORD, 0, 0, 4], [JUMP_EQUAL, 1, 0, AUDIT_ARCH_X86_64], [RETURN, 0, 0, RET_ERRNO | EPERM]);
  steps.push([LOAD_WORD, 0, 0, 0]);
  refuse(JUMP_GREATER, LAST, errno);
  for (const number of FORBIDDEN) refuse(JUMP_EQUAL, number, errno);
  if (!isPrivileged) {
    for (const number of OF_ADMINISTRATORS) refuse(JUMP_EQUAL, number, errno);
    // So that a C library takes clone(2), whose flags a filter can see.
    refuse(JUMP_EQUAL, CLONE3, ENOSYS);
  }
  steps.push([RETURN, 0, 0, RET_ALLOW]);
  const bytes = new Uint8Array(steps.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, yes, no, operand]] of steps.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, yes);
    view.setUint8(index * 8 + 3, no);
    view.setUint32(index * 8 + 4, operand, true);
  }
  return bytes;
}

if (import.meta.main) {
  const { symbols: libc } = dlopen("libc.so.6", {
    prctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
    execv: { args: ["ptr", "ptr"], returns: "i32" },
    perror: { args: ["ptr"], returns: "void" },
  });
  const [variant = "", program = "", ...rest] = process.argv.slice(2);
  const bytes = filter(variant.startsWith("privileged"), variant.endsWith("new") ? ENOSYS : EPERM);
  // struct sock_fprog: u16 count, pointer
  const whole = new BigUint64Array([BigInt(bytes.length / 8), BigInt(ptr(bytes))]);
  const words = [program, ...rest].map((word) => Buffer.from(`${word}\0`));
  const pointers = new BigUint64Array([...words.map((word) => BigInt(ptr(word))), 0n]);
  if (libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ptr(whole)) !== 0)
    libc.perror(Buffer.from("seccomp\0"));
  else libc.execv(ptr(words[0]!), ptr(pointers));
  libc.perror(Buffer.from("confined\0"));
  process.exit(125);
}
