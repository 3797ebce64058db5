/** A message, or one of its options, is not what the standard demands. */
export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage";
}
