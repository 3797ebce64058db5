/** As much of gRPC and protobuf as it takes to ask a container runtime for a pod sandbox. */

import { connect } from "node:http2";
import { createConnection } from "node:net";

/** A message by field numbers: text, or a message in turn. */
export interface Message {
  [field: number]: string | Message;
}

/** Protobuf's wire format: every field here is length-delimited. */
export function encode(message: Message): Buffer {
  const parts = Object.entries(message).map(([field, value]) => {
    const content = typeof value === "string" ? Buffer.from(value) : encode(value);
    return Buffer.concat([varint((Number(field) << 3) | 2), varint(content.length), content]);
  });
  return Buffer.concat(parts);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

/** The length-delimited fields of a message; numbers are passed over. */
export function decode(bytes: Buffer): Map<number, Buffer> {
  const fields = new Map<number, Buffer>();
  let at = 0;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const length = (tag & 7) === 2 ? number() : undefined;
    if (length === undefined) number();
    else fields.set(tag >>> 3, bytes.subarray(at, at + length));
    at += length ?? 0;
  }
  return fields;
}

/** One call over a socket of this machine. Throws with the server's sentence when it says no. */
export async function call(socket: string, method: string, message: Message): Promise<Map<number, Buffer>> {
  const session = connect("http://localhost", { createConnection: () => createConnection(socket) });
  try {
    return await exchange(session, method, encode(message));
  } finally {
    session.close();
  }
}

function exchange(
  session: ReturnType<typeof connect>,
  path: string,
  body: Buffer,
): Promise<Map<number, Buffer>> {
  return new Promise((resolve, reject) => {
    session.on("error", reject);
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let status: Record<string, unknown> = {};
    const note = (headers: object) => {
      status = { ...status, ...headers };
    };
    stream.on("response", note);
    stream.on("trailers", note);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      if (status["grpc-status"] !== "0" && status["grpc-status"] !== undefined)
        reject(new Error(decodeURIComponent(String(status["grpc-message"]))));
      // A byte for compression and four for the length come first.
      else resolve(decode(Buffer.concat(chunks).subarray(5)));
    });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    stream.end(Buffer.concat([head, body]));
  });
}
