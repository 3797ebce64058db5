/** Sets a variable of this process; at the end of the block, or of the file, it is again what it was, or absent. */
export function variable(name: string, value: string): Disposable {
  const before = process.env[name];
  process.env[name] = value;
  return {
    [Symbol.dispose]() {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    },
  };
}
