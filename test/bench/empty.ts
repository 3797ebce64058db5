// Nothing: what a Bun executable costs before it does anything.
process.exit(0);
